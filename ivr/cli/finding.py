"""A finding of `ivr doctor`: something that works on this machine, or does not, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``state``: "ok", "note" (something is not there, and calls work without it) or "bad"."""

    state: str
    subject: str
    detail: str
    remedy: str = ""
