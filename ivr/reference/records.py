"""What is known of members, titles and what was done for them: frozen values, whatever keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Title:
    """A film. ``spoken`` are further ways people say it, beyond what can be derived from the name."""

    id: int
    name: str
    year: int
    director: str
    spoken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberProfile:
    """Everything a call needs of one member, read at one moment. ``queue`` and ``discs`` are in order."""

    number: str
    name: str
    first_name: str
    plan: str
    since: date
    language: str
    credit_cents: int
    queue_version: int
    queue: tuple[Title, ...]
    discs: tuple[Title, ...]
    damaged_reports: int
    notes: int
    hold_until: date | None


@dataclass(frozen=True, slots=True)
class Note:
    kind: str
    text: str
    by: str
    created_at: datetime


def digits_of(number: str) -> str:
    """A phone number as its national digits: "+1 (503) 555-0101", "15035550101" and "5035550101" are one.

    "" when it is no number (withheld, or a SIP user name)."""
    if re.search(r"[A-Za-z]", number):
        return ""
    digits = re.sub(r"\D", "", number)
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
