from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.engine.dtmf_input import DtmfEntry, Entered, Keypad, Picked, Pressed, Stray, Universal, letters_of
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.dialogue.understanding.slots import ChoiceSlot, DateSlot, DigitSlot, NumberSlot, Slot, TitleSlot, titled
from tests.unit.dialogue.talk import QUEUE, terms

SEQUENCES = {"0": "human", "*0": "human", "#0": "human", "**": "repeat", "*1": "help", "*2": "back", "*9": "goodbye"}
TODAY = date(2026, 3, 3)
TITLE = TitleSlot(Vocabulary([lexicon(terms(QUEUE), "en-US")]))
SLOTS: dict[str, Slot] = {
    "title": TITLE,
    "number": NumberSlot(1, 50, "en-US"),
    "unbounded": NumberSlot(0, None, "en-US"),
    "digits": DigitSlot(4, 4, "en-US"),
    "phone": DigitSlot(7, 15, "en-US"),
    "date": DateSlot(TODAY, "en-US"),
    "boolean": ChoiceSlot({True: ("yes",), False: ("no",)}, "en-US", "boolean"),
    "choice": ChoiceSlot({"a": ("apple",), "b": ("pear",)}, "en-US"),
}


def keypad(kind: str = "", picks: dict[str, int] | None = None) -> Keypad:
    entry = DtmfEntry(SLOTS[kind], [titled(t) for t in terms(QUEUE)], TODAY, "en-US") if kind else None
    return Keypad(SEQUENCES, picks or {}, entry)


def pressed(pad: Keypad, keys: str) -> list[Pressed]:
    """What the keys amounted to; "p" is the pause."""
    found = [pad.pause() if key == "p" else pad.press(key) for key in keys]
    return [one for one in found if one is not None]


@pytest.mark.parametrize(
    ("keys", "name"),
    [("0", "human"), ("*0", "human"), ("#0", "human"), ("**", "repeat"), ("*1", "help"), ("*p", "repeat")],
)
@pytest.mark.parametrize("kind", ["", *SLOTS])
def test_universals_work_at_the_start_of_everything(kind: str, keys: str, name: str) -> None:
    assert pressed(keypad(kind), keys) == [Universal(name)]


@pytest.mark.parametrize("kind", ["title", "unbounded", "phone"])
def test_star_sequences_work_inside_an_entry_too(kind: str) -> None:
    pad = keypad(kind)
    assert pressed(pad, "10*0") == [Universal("human")] and not pad.entering


def test_zero_is_always_a_human_whatever_the_universals_say() -> None:
    assert Keypad({}, {}).press("0") == Universal("human")


def test_choices_and_strays() -> None:
    assert pressed(keypad(picks={"1": 0, "7": 4}), "17") == [Picked(0), Picked(4)]
    assert pressed(keypad(picks={"1": 0}), "2A*7") == [Stray("2"), Stray("A"), Stray("*7")]
    assert pressed(keypad(picks={"1": 0}), "#p#1") == [Picked(0)]


@pytest.mark.parametrize(
    ("kind", "keys", "values"),
    [
        ("number", "7#", [7]),
        ("number", "7p", [7]),
        ("number", "12", [12]),
        ("number", "51", []),
        ("unbounded", "120#", [120]),
        ("digits", "0", None),
        ("digits", "1021", ["1021"]),
        ("digits", "12#", []),
        ("phone", "5035550101#", ["5035550101"]),
        ("date", "1225", ["2026-12-25"]),
        ("date", "105p", ["2027-01-05"]),
        ("date", "704", ["2026-07-04"]),
        ("date", "231", []),
        ("date", "1399", []),
        ("boolean", "2", [False]),
        ("boolean", "3", []),
        ("choice", "2", ["b"]),
        ("title", "3#", ["metropolis"]),
        ("title", "99#", []),
        ("title", "4363#", ["the-general"]),
        ("title", "8434363#", ["the-general"]),
        ("title", "2543#", ["alien", "aliens"]),
        ("title", "122647#", ["12-angry-men"]),
        ("title", "77777#", []),
    ],
)
def test_values_by_keys(kind: str, keys: str, values: list[object] | None) -> None:
    found = pressed(keypad(kind), keys)
    if values is None:
        assert found == [Universal("human")]
        return
    assert len(found) == 1 and isinstance(found[0], Entered)
    assert [value.value for value in found[0].values] == values


def test_a_number_out_of_range_says_which_range() -> None:
    assert pressed(keypad("number"), "99") == [Entered("99", (), (1, 50))]


def test_letters() -> None:
    assert letters_of("Ácido 12") == "2243612" and letters_of("…") == ""


@pytest.mark.parametrize("kind", ["", *SLOTS])
@given(keys=st.text(alphabet="0123456789*#pAé٣", max_size=60))
def test_any_keys_are_taken_and_star_zero_still_works(kind: str, keys: str) -> None:
    pad = keypad(kind, {"1": 0})
    pressed(pad, keys)
    pad.pause()
    assert pressed(pad, "*0")[-1:] == [Universal("human")]
