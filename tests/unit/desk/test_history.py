"""A day at the desk in figures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.desk.history import DayHistory, bounds_of
from ivr.ports.history import CallRow, DayRows, EventRow, PlaceRow
from ivr.ports.line import Announced

ZONE = ZoneInfo("America/Los_Angeles")
TEN = datetime(2026, 3, 2, 10, 0, tzinfo=ZONE)


def at(seconds: float) -> datetime:
    return TEN + timedelta(seconds=seconds)


def row(
    number: int,
    state: str = "done",
    *,
    seconds: float = 0.0,
    priority: int = 3,
    channel: str = "voice",
    person: str = "",
) -> PlaceRow:
    return PlaceRow(number, person or f"member:{number}", "general", priority, channel, at(seconds), state)


def talk(number: int, begun: float, ended: float, agent: str = "ann", told: str = "") -> list[EventRow]:
    return [
        EventRow(number, at(begun), "answered", agent, "talking", "offered"),
        EventRow(number, at(ended), "finished", agent, "done", "talking", told),
    ]


def test_a_day_begins_and_ends_on_the_companys_wall() -> None:
    since, until = bounds_of(date(2026, 3, 8), ZONE)
    assert until.astimezone(UTC) - since.astimezone(UTC) == timedelta(hours=23), "the clocks go forward"


def test_service_level_and_abandonment_are_of_who_waited_on_the_line() -> None:
    places = [
        row(1), row(2), row(3, "abandoned"), row(4), row(5, channel="message"), row(6, "waiting"), row(7, "expired"),
    ]  # fmt: skip
    events = [
        *talk(1, 19, 100),
        *talk(2, 21, 100),
        EventRow(4, at(5), "callback", state="callback", was="waiting"),
        *talk(4, 10, 50),
        *talk(5, 1, 2),
    ]
    history = DayHistory(DayRows(places, events), ZONE)
    assert (history.service_level.kept, history.service_level.made) == (1, 3)
    assert (history.abandonment.kept, history.abandonment.made) == (1, 4)


def test_promises() -> None:
    def said(number: int, kept: bool | None) -> Announced:
        return Announced(number, at(number), 1, 60.0, "first", 1, 0, 30.0, None if kept is None else 30.0, kept)

    back = [EventRow(n, at(1), "callback", state="callback", was="waiting") for n in (1, 2, 3)]
    places = [
        row(1), row(2, "given_up"), row(3, "callback"),
        row(4), row(5, "expired", person="member:9"), row(6, seconds=90, person="member:9"), row(7, "expired"),
    ]  # fmt: skip
    events = [*back, *talk(1, 10, 20), EventRow(4, at(3), "again", state="waiting", was="away")]
    told = [said(1, True), said(2, True), said(3, False), said(4, None)]
    promises = DayHistory(DayRows(places, events, told), ZONE).figures()["promises"]
    assert promises["waits"] == {"kept": 2, "made": 3, "share": 0.6667}
    assert promises["call_backs"] == {"kept": 1, "made": 2, "share": 0.5}, "one is still to come"
    assert promises["places"] == {"kept": 1, "made": 2, "share": 0.5}, "member 9 came back too late"


def test_nothing_happened() -> None:
    told = DayHistory(DayRows(), ZONE).to_json()
    assert told["service_level"]["share"] is None
    assert told["to_human"] == {"calls": 0, "median_s": None, "p90_s": None}
    assert told["at_risk"] == {"callers": 0, "saved": 0, "lost": 0, "untold": 0}
    assert told["announced"] == [] and told["goodwill"] == [] and len(told["hours"]) == 24


def test_saves_among_callers_at_risk_are_what_agents_say_and_no_guess() -> None:
    places = [row(n, priority=9) for n in (1, 2, 3)] + [row(4)]
    events = [
        *talk(1, 5, 60, told="saved"),
        *talk(2, 5, 60, told="left"),
        *talk(3, 5, 60),
        *talk(4, 5, 60, told="saved"),
    ]
    assert DayHistory(DayRows(places, events), ZONE).to_json()["at_risk"] == {
        "callers": 3, "saved": 1, "lost": 1, "untold": 1,
    }  # fmt: skip


def test_who_gives_least_comes_first() -> None:
    places = [row(1, priority=9), row(2), row(3), row(4)]
    events = [*talk(1, 5, 60, "bo"), *talk(2, 5, 60, "ann"), *talk(3, 5, 60, "ann"), *talk(4, 5, 60, "cy")]
    told = DayHistory(DayRows(places, events, grants={"ann": 1, "cy": 2}), ZONE).to_json()["goodwill"]
    assert [(each["agent"], each["conversations"], each["at_risk"], each["grants"]) for each in told] == [
        ("bo", 1, 1, 0), ("ann", 2, 0, 1), ("cy", 1, 0, 2),
    ]  # fmt: skip


def test_hours_zero_outs_and_how_long_it_took() -> None:
    places = [row(1), row(2, "abandoned", seconds=3600)]
    calls = [CallRow(at(0), 4.0), CallRow(at(10), 8.0), CallRow(at(3601), 30.0)]
    rows = DayRows(places, talk(1, 5, 65), calls=calls, zero_outs={"b.x": 1, "a.y": 3, "a.x": 3})
    told = DayHistory(rows, ZONE).to_json()
    assert told["hours"][10] == {"hour": 10, "callers": 1, "abandoned": 0, "to_human_s": 6.0}
    assert told["hours"][11] == {"hour": 11, "callers": 1, "abandoned": 1, "to_human_s": 30.0}
    assert told["to_human"] == {"calls": 3, "median_s": 8.0, "p90_s": 30.0}
    assert told["zero_outs"] == [("a.x", 3), ("a.y", 3), ("b.x", 1)]
    assert told["conversations"] == {"count": 1, "median_s": 60}
