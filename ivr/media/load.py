"""The load of one media process, as metrics, /readyz and placement see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaLoad:
    """``number``: of the process, from 1; ``legs``: those that wait for its next life included. Since the line began:
    ``restarts``, ``ticks`` of 20 ms, and those that were ``late`` by more than 10 ms; ``latest_s``: by how much the
    latest was, of the last five seconds with legs."""

    number: int
    up: bool
    legs: int
    restarts: int = 0
    ticks: int = 0
    late: int = 0
    latest_s: float = 0.0
