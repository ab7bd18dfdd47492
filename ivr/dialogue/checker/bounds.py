"""Bounds of days and times: whether they are of their variable's type, can be read, and leave anything between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.dialogue.flows.model import VariableSpec
from ivr.dialogue.spoken.bounded_days import days_within
from ivr.dialogue.spoken.clock import minutes_of

DAYS = frozenset({"date", "date_range"})
TIMES = frozenset({"time"})
_OF: dict[str, tuple[frozenset[str], str]] = {
    "direction": (DAYS, "a date"),
    "within": (DAYS, "a date"),
    "earliest": (TIMES, "a time"),
    "latest": (TIMES, "a time"),
}


@dataclass(frozen=True, slots=True)
class BadBound:
    code: str
    key: str
    why: str
    remedy: str


def bad_bounds(name: str, spec: VariableSpec) -> Iterator[BadBound]:
    """What is wrong with the bounds of variable ``name``."""
    given = {key: str(getattr(spec, key)) for key in _OF if getattr(spec, key)}
    for key in given:
        types, called = _OF[key]
        if spec.type not in types:
            yield BadBound("unused-key", key, f"{name} is a {spec.type}, and {key}: is of {called}", "remove it")
    if spec.type in DAYS and "within" in given:
        try:
            days_within(given["within"])
        except ValueError as error:
            yield BadBound("bad-range", "within", f"{name}: {error}", "say how far from today: within: 90d")
    if spec.type in TIMES:
        yield from _times(name, {key: given[key] for key in ("earliest", "latest") if key in given})


def timely(spec: VariableSpec, value: object) -> bool:
    """Whether a time that stands in the file is one, and lies within the bounds of the variable that it is given to."""
    try:
        first, last = minutes_of(spec.earliest or "00:00"), minutes_of(spec.latest or "23:59")
    except ValueError:  # said elsewhere
        return True
    try:
        return first <= minutes_of(str(value)) <= last
    except ValueError:
        return False


def _times(name: str, given: dict[str, str]) -> Iterator[BadBound]:
    minutes = {}
    for key, text in given.items():
        try:
            minutes[key] = minutes_of(text)
        except ValueError as error:
            yield BadBound("bad-range", key, f"{name}: {error}", 'write a time of the day as "08:00"')
    if len(minutes) == 2 and minutes["earliest"] > minutes["latest"]:
        why = f"{name} reaches from {given['earliest']} to {given['latest']}"
        yield BadBound("bad-range", "earliest", why, "put the earlier time first")
