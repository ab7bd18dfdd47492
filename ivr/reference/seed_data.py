"""Example data: the catalogue and the demonstration's members, read from ``seed/*.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from ivr.reference.backend import Note, Title
from ivr.reference.pins import hashed

NOON = time(12)
FOLDER = Path(__file__).parent / "seed"


@dataclass(frozen=True, slots=True)
class Copy:
    """A disc sent to a member. ``state`` "out" or "damaged"; ``reported_days_ago`` where it was damaged;
    ``replaces``: it was sent for the copy before it."""

    title: tuple[str, int]
    state: str
    shipped_days_ago: int
    reported_days_ago: int | None = None
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class SeedMember:
    """Titles by (name, year)."""

    number: str
    pin: str
    name: str
    plan: str
    since: date
    language: str
    credit_cents: int
    phones: tuple[str, ...]
    queue: tuple[tuple[str, int], ...]
    copies: tuple[Copy, ...]
    notes: tuple[Note, ...]

    @property
    def identity(self) -> dict[str, Any]:
        """What a profile, and the table of members, say of them."""
        same = ("number", "name", "plan", "since", "language", "credit_cents")
        return {"first_name": self.name.split()[0], **{each: getattr(self, each) for each in same}}


def _load(name: str) -> list[Any]:
    loaded = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, list)
    return loaded


@cache
def catalogue() -> tuple[Title, ...]:
    """In the file's order; ids count from 1, as a fresh database gives them."""
    return tuple(
        Title(number, name, year, director, tuple(spoken))
        for number, (name, year, director, *spoken) in enumerate(_load("titles.json"), start=1)
    )


@cache
def hash_of(pin: str) -> str:
    """Made once a process: it takes a while, and the example PINs are no secret."""
    return hashed(pin)


@cache
def members() -> tuple[SeedMember, ...]:
    return tuple(_member(each) for each in _load("members.json"))


def _member(data: dict[str, Any]) -> SeedMember:
    return SeedMember(
        number=data["number"],
        pin=data["pin"],
        name=data["name"],
        plan=data["plan"],
        since=date.fromisoformat(data["since"]),
        language=data.get("language", "en-US"),
        credit_cents=data.get("credit_cents", 0),
        phones=tuple(data["phones"]),
        queue=tuple((name, year) for name, year in data["queue"]),
        copies=tuple(copy for entry in data.get("discs", []) for copy in _copies(entry)),
        notes=tuple(
            Note(note["kind"], note["text"], note["by"], datetime.combine(date.fromisoformat(note["on"]), NOON, UTC))
            for note in data.get("notes", [])
        ),
    )


def _copies(entry: dict[str, Any]) -> list[Copy]:
    """Each damaged copy was replaced by the next one; the last copy is at the member's home."""
    name, year = entry["title"]
    broken = sorted(entry.get("damaged_days_ago", []), reverse=True)
    found = [Copy((name, year), "damaged", days + 3, days, place > 0) for place, days in enumerate(broken)]
    return [*found, Copy((name, year), "out", entry["days_ago"], None, bool(broken))]
