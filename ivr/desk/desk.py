"""The desk as ``[desk]`` configures it: hours, routing, screen pop, headers and whisper for each hand-over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ivr.config import Agent, DeskConfig
from ivr.desk.headers import handoff_headers
from ivr.desk.hours import Calendar, HoursNow, in_force
from ivr.desk.screen_pop import ScreenPops
from ivr.dialogue.spoken.languages import words_for
from ivr.events import CALLER_NAME
from ivr.identity import Identity
from ivr.ports import ContextStore, DeskSettings, Destination, HandoffContext
from ivr.ports.line import GENERAL

ASKED = "asked"


def route(agents: Sequence[Agent], skill: str, *, within_hours: bool) -> tuple[Destination, ...]:
    """Those with the skill, then the generalists; anybody at all before nobody. Configured order within each.

    Outside hours only who is on call."""
    present = [agent for agent in agents if within_hours or agent.on_call]
    skilled = [agent for agent in present if skill in agent.skills]
    general = [agent for agent in present if GENERAL in agent.skills and agent not in skilled]
    chosen = skilled + general or present
    return tuple(Destination(agent.name, agent.target, agent.mode, agent.ring_timeout_s) for agent in chosen)


class ConfiguredDesk:
    """Implements ``ivr.ports.Desk``.

    ``base_url`` is where agents reach this service; ``time_zone`` is the company's (IANA); ``settings`` are those of
    supervisors, as they are now. Raises ConfigError for hours that cannot be read."""

    def __init__(
        self,
        config: DeskConfig,
        contexts: ContextStore,
        *,
        base_url: str,
        time_zone: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        settings: Callable[[], DeskSettings] = DeskSettings,
    ) -> None:
        self._zone = ZoneInfo(time_zone)
        self._settings = settings
        self.apply(config)
        self._screen_pops = ScreenPops(contexts, base_url, now)

    def apply(self, config: DeskConfig) -> None:
        """Hours and agents count from the next call or hand-over on. Raises ConfigError, and leaves all as it was."""
        self._calendar = Calendar(config.hours, self._zone)
        self._agents = config.agents

    def open_at(self, moment: datetime) -> bool:
        """Within hours, whoever is there: the line knows that, and agents may be in no configuration. Outside of them
        ``destinations`` may still name who is on call."""
        return self.hours_at(moment).open

    def hours_at(self, now: datetime) -> HoursNow:
        return in_force(self._calendar, self._settings().override_at(now), now)

    def fact(self, name: str, now: datetime) -> object:
        """``hours.open``; ``hours.next_opening``, a date while closed; ``desk.closed_reason`` and
        ``desk.announcement``, a supervisor's words. None for others, when it never opens and when nothing is told."""
        match name:
            case "hours.open":
                return self.open_at(now)
            case "hours.next_opening":
                opening = self.hours_at(now).next_opening
                return opening.date() if opening is not None else None
            case "desk.closed_reason":
                override = self._settings().override_at(now)
                return override.reason or None if override is not None and not override.open else None
            case "desk.announcement":
                return self._settings().announced_at(now) or None
        return None

    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        return route(self._agents, skill, within_hours=self.hours_at(now).open)

    async def store_context(self, context: HandoffContext) -> str:
        return await self._screen_pops.keep(context)

    def url_of(self, token: str) -> str:
        return self._screen_pops.url_of(token)

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """What the link of a screen pop shows; None when there is none, or no longer. Raises StoreUnavailable."""
        return await self._screen_pops.context(token)

    def headers(self, context: HandoffContext, url: str) -> Mapping[str, str]:
        return handoff_headers(context, url)

    def whisper(self, context: HandoffContext) -> str:
        return whisper(context)


def whisper(context: HandoffContext) -> str:
    """What an agent hears before being joined with the caller: "Urgent: Ada Moreno, verified: thinking of cancelling.";
    or just the name of somebody who asked.

    It stands between two people who want to talk: a second for those who just asked, two or three for the rest."""
    spoken = words_for(context.language)
    who = str(context.facts.get(CALLER_NAME) or "") or spoken.somebody
    if surely := spoken.identity.get(Identity.of(context.facts).level.word):
        who = f"{who}, {surely}"
    about = _in_words(context.reason)
    sentence = f"{who}." if about in ("", ASKED) else f"{who}: {about}."
    return (spoken.urgent if context.urgent else "") + sentence


def _in_words(reason: str) -> str:
    """ "cancellation-risk" -> "cancellation risk"; at most a dozen words."""
    return " ".join(re.sub(r"[_\-.]+", " ", reason).split()[:12]).rstrip(".!?,;: ")
