"""Keys in a dialogue: titles, positions, digits, dates, strays."""

from __future__ import annotations

import json

import pytest

from ivr.dialogue.engine.contract import (
    Record,
)
from ivr.record import Prompted
from tests.unit.dialogue.talk import Talk


def test_titles_by_place_and_by_letters() -> None:
    assert Talk().key("1").key("3#").labels[0] == "Metropolis"
    assert Talk().key("1").key("6676p").labels[0] != "Nosferatu"  # NORM..: no such title
    assert Talk().key("1").key("6673#").labels[0] == "Nosferatu"  # NOSF
    talk = Talk().key("1").key("2543#")  # ALIE: two of them
    assert talk.said.endswith("Did you mean Alien, or Aliens?")
    assert talk.key("2").labels[0] == "Aliens"


def test_positions_by_keys_end_by_themselves_or_by_pound() -> None:
    talk = Talk().key("3")
    assert talk.said == "Which one?"
    assert talk.key("2#").said == "Where to?"
    assert talk.key("7").said == ""
    assert "Vertigo is seventh." in talk.key("#").said
    assert "Vertigo is first." in Talk().key("3").key("2#").key("1p").said
    assert "Vertigo is twelfth." in Talk().key("3").key("2#").key("12").said
    assert "between one and fifty" in Talk().key("3").key("2#").key("99").said


def test_digits_end_at_their_length_and_secrets_stay_secret() -> None:
    talk = Talk().key("5").key("1234")
    assert talk.said == "Thanks. Anything else?"
    talk = Talk().say("my pin").say("one two three four")
    assert talk.said == "Thanks. Anything else?"
    kept = json.dumps([utterance.to_json() for utterance in talk.dialogue.transcript])
    records = [e.what for e in talk.effects if isinstance(e, Record) and not isinstance(e.what, Prompted)]
    assert "one two three four" not in kept + repr(records) and "1234" not in kept + repr(records)


@pytest.mark.parametrize(
    ("keys", "day"), [("1225", "December twenty fifth"), ("105p", "January fifth"), ("704", "July")]
)
def test_dates_by_keys(keys: str, day: str) -> None:
    assert day in Talk().key("4").key(keys).said


def test_dates_by_voice() -> None:
    assert "Saturday, July fourth" in Talk().say("hold until july 4th").said
    assert "Wednesday, March fourth" in Talk().say("hold until tomorrow").said


def test_a_stray_key_is_told() -> None:
    assert "no meaning here" in Talk().key("9").said
