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
