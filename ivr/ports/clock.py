"""The clock port."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time passed in, so that tests can pass an hour in a second."""

    def monotonic(self) -> float: ...
    def now(self) -> datetime: ...  # timezone-aware UTC
    async def sleep(self, seconds: float) -> None: ...
