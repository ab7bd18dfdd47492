"""Desk ports: routing to live agents, and the hand-over's context that they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ivr.record import HandoffContext


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one hand-over goes. ``mode`` is "bridge" or "refer"; ``target`` a SIP URI from the configuration."""

    name: str
    target: str
    mode: str
    ring_timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class HoursOverride:
    """A supervisor has the desk open, or closed, ``until`` then, whatever the calendar says. ``reason`` is told."""

    open: bool
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeskAnnouncement:
    """What callers who want a person are told; ``until`` None: until somebody takes it back."""

    text: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What supervisors set while the desk runs. Who asks for something at a moment gets what counts then."""

    hours: HoursOverride | None = None
    announcement: DeskAnnouncement | None = None

    def override_at(self, now: datetime) -> HoursOverride | None:
        return self.hours if self.hours is not None and now < self.hours.until else None

    def announced_at(self, now: datetime) -> str:
        """ "" for nothing."""
        told = self.announcement
        return told.text if told is not None and (told.until is None or now < told.until) else ""


class DeskSettingsStore(Protocol):
    """Where the settings are kept, with who changed them to what. Methods raise StoreUnavailable."""

    async def settings(self) -> DeskSettings: ...
    async def set_hours(self, override: HoursOverride | None, by: str) -> None: ...
    async def announce(self, announcement: DeskAnnouncement | None, by: str) -> None: ...


class Desk(Protocol):
    """Routing to live agents. Only configured destinations are ever returned."""

    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        """In the order to try; empty when closed and nobody is on call."""

    async def store_context(self, context: HandoffContext) -> str:
        """Keep the context; the URL (with an unguessable token) that shows it to the agent."""

    def url_of(self, token: str) -> str:
        """Where the context of ``token`` is shown."""

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """What was kept under ``token``, as JSON; None when there is none, or no longer. Raises StoreUnavailable."""

    def headers(self, context: HandoffContext, url: str) -> Mapping[str, str]:
        """User-to-User (RFC 7433) and X-IVR-* headers for the INVITE or REFER; no personal data beyond need."""

    def whisper(self, context: HandoffContext) -> str:
        """What the agent hears before being joined, one short sentence."""


class ContextStore(Protocol):
    """Where the desk keeps hand-over contexts. Both methods raise StoreUnavailable."""

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> bool:
        """False when it is kept for a database that is away: ``context`` does not find it yet."""

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """What was kept under ``token``; None when there is no such token, or it has expired."""
