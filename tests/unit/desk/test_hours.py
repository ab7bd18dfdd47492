"""The calendar, in Portland's time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.config import Hours
from ivr.desk.hours import Calendar, parse_intervals
from ivr.errors import ConfigError

ZONE = ZoneInfo("America/Los_Angeles")


def at(text: str, fold: int = 0) -> datetime:
    """A moment by Portland's clock, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold).astimezone(UTC)


OFFICE = Calendar(
    Hours(
        mon="08:00-12:00, 13:00-20:00",
        tue="08:00-20:00",
        fri="18:00-02:00",
        sat="22:00-24:00",
        sun="00:00-24:00",
        holidays=(date(2026, 12, 25), date(2026, 6, 2)),
    ),
    ZONE,
)


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("2026-06-01T07:59:59", False),  # a Monday
        ("2026-06-01T08:00", True),
        ("2026-06-01T11:59:59", True),
        ("2026-06-01T12:00", False),  # lunch
        ("2026-06-01T13:00", True),
        ("2026-06-01T20:00", False),
        ("2026-06-02T12:00", False),  # a holiday
        ("2026-06-03T12:00", False),  # Wednesdays are closed
        ("2026-06-05T17:59", False),
        ("2026-06-05T23:59:59", True),  # Friday night
        ("2026-06-06T00:00", True),
        ("2026-06-06T01:59:59", True),
        ("2026-06-06T02:00", False),
        ("2026-06-06T22:00", True),
        ("2026-06-06T23:59:59", True),
        ("2026-06-07T00:00", True),  # all Sunday
        ("2026-06-07T23:59:59", True),
        ("2026-06-08T00:00", False),
        ("2026-12-25T19:00", False),  # a Friday, and a holiday
        ("2026-12-26T01:00", False),  # the night that the holiday did not begin
    ],
)
def test_open(moment: str, opened: bool) -> None:
    assert OFFICE.open_at(at(moment)) is opened


def test_a_holiday_cuts_the_night_before() -> None:
    calendar = Calendar(Hours(thu="18:00-02:00", fri="18:00-02:00", holidays=(date(2026, 12, 25),)), ZONE)
    assert calendar.open_at(at("2026-12-24T23:59:59"))
    assert not calendar.open_at(at("2026-12-25T00:00"))


def test_other_zones_see_the_same_hours() -> None:
    assert OFFICE.open_at(datetime(2026, 6, 1, 15, 0, tzinfo=UTC))
    assert not OFFICE.open_at(datetime(2026, 6, 1, 14, 59, tzinfo=UTC))
    assert OFFICE.open_at(datetime(2026, 6, 2, 1, 0, tzinfo=ZoneInfo("Asia/Tokyo"))) is True


def test_hours_follow_daylight_saving() -> None:
    calendar = Calendar(Hours(mon="08:00-20:00"), ZONE)
    winter, summer = datetime(2026, 1, 5, 15, 30, tzinfo=UTC), datetime(2026, 7, 6, 15, 30, tzinfo=UTC)
    assert not calendar.open_at(winter)  # 07:30
    assert calendar.open_at(summer)  # 08:30


def test_the_hour_that_occurs_twice() -> None:
    """On 1 November 2026 the hour from one to two comes twice; hours that end in it end the second time."""
    calendar = Calendar(Hours(sat="20:00-01:30", sun="01:45-03:00"), ZONE)
    for moment, fold, opened in [
        ("2026-11-01T01:10", 0, True),
        ("2026-11-01T01:40", 0, True),
        ("2026-11-01T01:10", 1, True),
        ("2026-11-01T01:29", 1, True),
        ("2026-11-01T02:59", 0, True),
        ("2026-11-01T03:00", 0, False),
    ]:
        assert calendar.open_at(at(moment, fold)) is opened, (moment, fold)
    only_late = Calendar(Hours(sat="20:00-01:30"), ZONE)
    assert not only_late.open_at(at("2026-11-01T01:30", 1))


def test_the_hour_that_does_not_occur() -> None:
    """On 8 March 2026 two o'clock becomes three; a night shift is an hour shorter and still ends by the clock."""
    calendar = Calendar(Hours(sat="22:00-04:00"), ZONE)
    assert calendar.open_at(at("2026-03-08T01:59"))
    assert calendar.open_at(at("2026-03-08T03:00"))
    assert not calendar.open_at(at("2026-03-08T04:00"))


def test_next_opening() -> None:
    assert OFFICE.next_opening(at("2026-06-01T12:30")) == at("2026-06-01T13:00")
    assert OFFICE.next_opening(at("2026-06-01T21:00")) == at("2026-06-05T18:00")  # over the holiday
    assert OFFICE.next_opening(at("2026-06-01T09:00")) == at("2026-06-01T09:00")
    assert Calendar(Hours(), ZONE).next_opening(at("2026-06-01T09:00")) is None
    found = OFFICE.next_opening(at("2026-06-01T12:30"))
    assert found is not None
    assert found.utcoffset() == timedelta(hours=-7)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)))
def test_openings_are_the_first_open_moments(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    found = OFFICE.next_opening(now)
    assert found is not None
    assert OFFICE.open_at(found)
    if not OFFICE.open_at(now):
        assert not OFFICE.open_at(found - timedelta(seconds=1))
        assert not OFFICE.open_at(now + (found - now) / 2)


def test_every_fault_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Calendar(Hours(mon="8 to 5", tue="08:00-25:00", wed="09:00-09:00", thu="09:00-17:00"), ZONE)
    message = str(caught.value)
    assert all(f"desk.hours.{day}" in message for day in ("mon", "tue", "wed"))
    assert "desk.hours.thu" not in message
    assert "for instance" in message


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_day_is_closed(text: str) -> None:
    assert parse_intervals(text) == ()
