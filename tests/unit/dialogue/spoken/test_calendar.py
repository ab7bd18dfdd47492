"""Holidays, fixed and movable, and months ahead."""

from __future__ import annotations

from datetime import date

import pytest

from ivr.dialogue.spoken.calendar import easter, month_ahead, next_holiday
from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for


@pytest.mark.parametrize(
    "day", ["1961-04-02", "2000-04-23", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25", "2285-03-22"]
)
def test_easter(day: str) -> None:
    assert easter(int(day[:4])) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("written", "today", "day"),
    [
        ("12-25", "2026-12-25", "2026-12-25"),
        ("12-25", "2026-12-26", "2027-12-25"),
        ("2-29", "2026-03-01", "2028-02-29"),
        ("easter", "2026-04-06", "2027-03-28"),
        ("easter-46", "2026-01-01", "2026-02-18"),
        ("11-thursday-4", "2026-11-26", "2026-11-26"),
        ("11-thursday-4+1", "2026-11-27", "2026-11-27"),
        ("5-monday-last", "2027-01-01", "2027-05-31"),
        ("9-monday-1", "2026-09-08", "2027-09-06"),
        ("12-31+1", "2027-01-01", "2027-01-01"),
    ],
)
def test_the_next_holiday(written: str, today: str, day: str) -> None:
    assert next_holiday(written, date.fromisoformat(today)) == date.fromisoformat(day)


@pytest.mark.parametrize("written", ["christmas", "13-1", "2-30", "11-thursday-5", "easter 2"])
def test_what_is_no_holiday_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is"):
        next_holiday(written, date(2026, 3, 3))


@pytest.mark.parametrize("spoken", [words_for("en-US"), words_for("es-ES")], ids=["English", "Spanish"])
def test_every_language_writes_its_holidays_so(spoken: Language) -> None:
    for written in spoken.holidays.values():
        assert next_holiday(written, date(2026, 3, 3)) >= date(2026, 3, 3)


def test_a_month_ahead_ends_with_the_month() -> None:
    assert month_ahead(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert month_ahead(date(2026, 12, 15), 2) == date(2027, 2, 15)
