"""Wishes for a person: said again and again they are one, and who says that they want nobody is asked."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.next import Mode
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk, reference

ENGLISH, SPANISH = "en-US", "es-ES"


def asked(language: str) -> Talk:
    return Talk(reference(), entry="discs", language=language)


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("agent agent agent", ENGLISH),
        ("operator, operator!", ENGLISH),
        ("somebody, somebody please", ENGLISH),
        ("no, I said agent", ENGLISH),
        ("I said a person", ENGLISH),
        ("manager", ENGLISH),
        ("I want a supervisor", ENGLISH),
        ("no, a person", ENGLISH),
        ("no agent", ENGLISH),
        ("I don't care, get me a person", ENGLISH),
        ("I don't want a machine, I want a person", ENGLISH),
        ("I don't want this, get me an agent", ENGLISH),
        ("why don't you get me a person", ENGLISH),
        ("can't I talk to a person", ENGLISH),
        ("I don't want to talk to a machine", ENGLISH),
        ("agente, agente", SPANISH),
        ("he dicho operadora", SPANISH),
        ("gerente", SPANISH),
        ("no, una persona", SPANISH),
    ],
)
def test_a_wish_is_one_however_often_and_crossly_it_is_said(said: str, language: str) -> None:
    assert asked(language).say(said).connects


WAIVED = [
    ("I don't want a person", ENGLISH),
    ("I don't need to talk to a person", ENGLISH),
    ("don't transfer me", ENGLISH),
    ("don't put me through", ENGLISH),
    ("no quiero una persona", SPANISH),
    ("no necesito un agente", SPANISH),
]


@pytest.mark.parametrize(("said", "language"), WAIVED)
def test_who_wants_nobody_is_asked(said: str, language: str) -> None:
    talk = asked(language).say(said)
    assert not talk.connects and talk.dialogue.mode == Mode.MEANT
    assert talk.say("sí" if language == SPANISH else "yes").connects


def test_also_where_the_recogniser_heard_only_the_wish() -> None:
    heard = (Hypothesis("a person", 0.9, None, Accept.ACCEPT),)
    talk = asked(ENGLISH).heard(Recognition(Cause.SUCCESS, heard, transcript="I don't want a person."))
    assert not talk.connects and talk.dialogue.mode == Mode.MEANT
    talk = asked(ENGLISH).heard(Recognition(Cause.SUCCESS, heard, transcript="No, a person."))
    assert talk.connects
