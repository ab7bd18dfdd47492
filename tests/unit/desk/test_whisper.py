"""What an agent hears first: one short sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.desk.desk import whisper
from ivr.identity import CALLER_IDENTITY
from ivr.ports import HandoffContext
from ivr.record import URGENT, Reason
from tests.unit.desk.handed import CONTEXT


def known(level: str) -> HandoffContext:
    return replace(CONTEXT, priority=0, facts={**CONTEXT.facts, CALLER_IDENTITY: level})


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        (CONTEXT, "Urgent: Ada Moreno: cancellation risk."),
        (replace(CONTEXT, priority=URGENT), "Urgent: Ada Moreno: cancellation risk."),
        (replace(CONTEXT, priority=URGENT - 1), "Ada Moreno: cancellation risk."),
        (replace(CONTEXT, also=(Reason("silent"),)), "Urgent: Ada Moreno: cancellation risk."),
        (replace(CONTEXT, priority=3, tried=("menu",)), "Ada Moreno: cancellation risk."),
        (
            replace(CONTEXT, priority=0, facts={}, tried=(), reason="asked for a human"),
            "A caller we could not identify: asked for a human.",
        ),
        (replace(CONTEXT, priority=0, reason="", tried=()), "Ada Moreno."),
        (replace(CONTEXT, priority=5, reason="asked", tried=()), "Ada Moreno."),
        (known("likely"), "Ada Moreno: cancellation risk."),
        (known("verified"), "Ada Moreno, verified: cancellation risk."),
        (known("unverified"), "Ada Moreno, not verified: cancellation risk."),
        (replace(CONTEXT, language="es-ES", priority=0, tried=()), "Ada Moreno: cancellation risk."),
    ],
)
def test_whisper(context: HandoffContext, sentence: str) -> None:
    assert whisper(context) == sentence
