"""A search in the list of calls: what is asked for, the calls of one page, and the totals of all that match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivr.numbering import LEAST_DIGITS, digits_of

SEARCHED = ("caller", "called", "call_id", "sip_call_id", "outcome", "reason")
NUMBER_DIGITS = 9  # a number is the same with and without its country's prefix
_MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class CallSearch:
    """``text``: words that are each found somewhere in SEARCHED, or one number in any notation. ``outcome`` and
    ``reason`` are exact; calls began at or after ``since`` and before ``until``. "" and None ask for nothing."""

    text: str = ""
    outcome: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    live: bool | None = None
    limit: int = 50
    offset: int = 0

    def words(self) -> Sequence[tuple[str, ...]]:
        """Of each word the forms of which one must be found, in lower case."""
        text = self.text.strip().lower()
        if len(digits := digits_of(text).lstrip("0")) >= LEAST_DIGITS:
            return [(digits[-NUMBER_DIGITS:], text)]
        return [(word,) for word in text.split()[:_MOST_WORDS]]

    def matches(self, view: Mapping[str, Any]) -> bool:
        """Whether a call in progress, as its view shows it, is asked for."""
        began, reason = datetime.fromisoformat(view["started_at"]), reason_of(view)
        told = [reason if name == "reason" else str(view.get(name) or "") for name in SEARCHED]
        return (
            self.live is not False
            and self.outcome in ("", view.get("outcome"))
            and self.reason in ("", reason)
            and (self.since is None or began >= self.since)
            and (self.until is None or began < self.until)
            and all(any(form in text.lower() for text in told for form in word) for word in self.words())
        )


@dataclass(frozen=True, slots=True)
class CallTotals:
    """Of every call that matches. ``seconds``: how long the ended ones lasted, together. ``outcomes`` and ``reasons``:
    how many had each, the most frequent first."""

    count: int = 0
    live: int = 0
    seconds: float = 0.0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: CallTotals) -> CallTotals:
        return CallTotals(
            self.count + other.count,
            self.live + other.live,
            self.seconds + other.seconds,
            summed(*self.outcomes.items(), *other.outcomes.items()),
            summed(*self.reasons.items(), *other.reasons.items()),
        )


def summed(*counts: tuple[str, int]) -> Mapping[str, int]:
    """By name, the most frequent first; "" is no name."""
    found: dict[str, int] = {}
    for name, count in counts:
        if name:
            found[name] = found.get(name, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class CallsFound:
    """One page of ``calls``, those in progress first, then the newest."""

    calls: Sequence[Mapping[str, Any]]
    totals: CallTotals


def reason_of(call: Mapping[str, Any]) -> str:
    """Why a human was wanted, of a call as the API shows it; "" where none was."""
    return str(call.get("reason") or (call.get("handoff") or {}).get("reason") or "")
