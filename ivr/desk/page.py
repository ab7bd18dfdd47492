"""An agent's page, as their seat sees it: told what is said, with the phone that it is the handset of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class PagePhone(Protocol):
    """A browser's phone, as the console that is its handset needs it."""

    def reachable(self) -> bool: ...
    async def connect(self, offer: str) -> str:
        """The page's SDP offer, also of a page loaded again; our answer. Raises MediaUnavailable, ValueError."""

    async def lost(self) -> None:
        """The page is gone for good: the leg ends, and with it a conversation as broken, not as hung up."""


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One finished sentence of a conversation. ``by``: "caller", "agent", or a third one's name; ``late``: it was
    written down long after it was said."""

    by: str
    text: str
    at: datetime
    unsure: bool = False
    late: bool = False


class Page(Protocol):
    """An open console page. Both return at once."""

    def replaced(self) -> None:
        """The same agent opened a newer one."""

    def transcribed(self, line: TranscriptLine) -> None:
        """Somebody said something."""
