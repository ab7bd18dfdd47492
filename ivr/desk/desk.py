"""Who takes a call, what they get with it, and what they hear first."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ivr.config import Agent, DeskConfig
from ivr.desk.headers import header_value, user_to_user
from ivr.desk.hours import Calendar
from ivr.dialogue.spoken.languages import words_for
from ivr.errors import StoreUnavailable
from ivr.ports import ContextStore, Destination, HandoffContext

GENERAL = "general"
TOKEN_BYTES = 24  # 192 bits; short enough for User-to-User
LINK_LIFE = timedelta(hours=24)
IN_HAND = 1000
PATIENCE_S = 0.5  # a caller who asked for a human does not wait for a slow database
URGENT = 7  # priorities go from 0 to 10

log = structlog.get_logger(__name__)

ASKED = "asked"


class ConfiguredDesk:
    """Implements ``ivr.ports.Desk`` on what ``[desk]`` says.

    ``base_url`` is where agents reach this service; ``time_zone`` is the company's (IANA). Raises ConfigError for
    hours that cannot be read."""

    def __init__(
        self,
        config: DeskConfig,
        contexts: ContextStore,
        *,
        base_url: str,
        time_zone: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.calendar = Calendar(config.hours, ZoneInfo(time_zone))
        self._agents = config.agents
        self._contexts = contexts
        self._base_url = base_url.rstrip("/")
        self._now = now
        self._in_hand: OrderedDict[str, tuple[datetime, Mapping[str, Any]]] = OrderedDict()

    def open_now(self, skill: str, now: datetime) -> bool:
        """Within hours, with somebody to take the call. Outside them ``destinations`` may still name who is on call."""
        return self.calendar.open_at(now) and bool(self._agents)

    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        """Those with the skill, then the generalists; anybody at all before nobody. Configured order within each."""
        present = self._agents if self.calendar.open_at(now) else tuple(a for a in self._agents if a.on_call)
        skilled = [agent for agent in present if skill in agent.skills]
        general = [agent for agent in present if GENERAL in agent.skills and agent not in skilled]
        return [_destination(agent) for agent in (skilled + general) or present]

    async def store_context(self, context: HandoffContext) -> str:
        """The link lives for a day. With the store gone the context stays in this process: the hand-over goes on."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires_at = self._now() + LINK_LIFE
        payload = context.to_json()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._contexts.keep_context(token, context.call_id, payload, expires_at)
        except (StoreUnavailable, TimeoutError):
            log.warning("handoff.kept_in_memory", call_id=context.call_id)
            self._in_hand[token] = (expires_at, payload)
            while len(self._in_hand) > IN_HAND:
                self._in_hand.popitem(last=False)
        return f"{self._base_url}/handoff/{token}"

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """What the link shows; None when it was never given out or is too old. Raises StoreUnavailable."""
        kept = self._in_hand.get(token)
        if kept is not None:
            expires_at, payload = kept
            return payload if expires_at > self._now() else None
        return await self._contexts.context(token)

    def headers(self, context: HandoffContext, url: str) -> Mapping[str, str]:
        """Without ``url`` there is no X-IVR-Context, and no token in User-to-User."""
        token = url.rpartition("/")[2]
        headers = {
            "User-to-User": user_to_user(context.call_id, context.reason, context.priority, token),
            "X-IVR-Call-ID": header_value(context.call_id),
            "X-IVR-Reason": header_value(context.reason),
            "X-IVR-Priority": str(int(context.priority)),
        }
        return {**headers, "X-IVR-Context": header_value(url)} if url else headers

    def whisper(self, context: HandoffContext) -> str:
        """A second for those who just asked, two or three for the rest: it stands between two people who want to talk.

        For instance "Urgent: Ada Moreno: thinking of cancelling.", or just the name of somebody who asked."""
        spoken = words_for(context.language)
        who = str(context.facts.get("member.name") or "") or spoken.somebody
        about = _in_words(context.reason)
        sentence = f"{who}." if about in ("", ASKED) else f"{who}: {about}."
        return (spoken.urgent if context.priority >= URGENT else "") + sentence


def _destination(agent: Agent) -> Destination:
    return Destination(agent.name, agent.target, agent.mode, agent.ring_timeout_s)


def _in_words(reason: str) -> str:
    """ "cancellation-risk" -> "cancellation risk"; at most a dozen words."""
    return " ".join(re.sub(r"[_\-.]+", " ", reason).split()[:12]).rstrip(".!?,;: ")
