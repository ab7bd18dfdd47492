"""An intent's risk is one that the universals define: another is a finding with what it is near to."""

from __future__ import annotations

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

OWN = """
  emergency: {phrases: [my tooth is bleeding], reason: an emergency, question: "Is it an emergency?"}
"""
MAIN = """
flow: main
start: ask
intents:
  pain: {phrases: [it hurts a lot], risk: RISK}
states:
  ask: {prompt: "What?", choices: [{intent: pain, key: 1, label: "pain", goto: TARGET}]}
  bye: {end: resolved}
"""


def codes(risk: str, target: str = "human") -> dict[str, str]:
    universals = UNIVERSALS.replace("\nrisks:", f"\nrisks:{OWN.rstrip()}", 1)
    assert "emergency" in universals
    main = MAIN.replace("RISK", risk).replace("TARGET", target)
    sources = {"main.yaml": main, "human.yaml": HUMAN, "universals.yaml": universals}
    return {f.code: f.remedy for f in check_sources(sources, LineFacts()).findings if f.file == "main.yaml"}


@pytest.mark.parametrize("risk", ["emergency", "cancellation", "anger"])
def test_those_of_the_universals_are_known(risk: str) -> None:
    assert "unknown-risk" not in codes(risk)


def test_another_is_a_finding_on_its_line() -> None:
    assert "emergency" in codes("emergancy")["unknown-risk"]


def test_such_an_intent_leads_to_a_human() -> None:
    assert "risk-to-automation" in codes("emergency", "bye")
