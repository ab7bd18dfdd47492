"""The supervisor's board: the line and its agents as they are now, today's figures, and what a supervisor changes.

Whatever they change counts at once in every process of the line, and stands in the audit log with who changed what
from what to what: ``desk.hours``, ``desk.announcement``, ``desk.move``, ``desk.skills``, ``desk.state``,
``desk.supervise``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, tzinfo
from typing import Any, Protocol

import structlog

from ivr.desk.history import DayHistory, bounds_of
from ivr.desk.hours import HoursNow
from ivr.desk.position import queued
from ivr.desk.routing import Rules, is_due, waits_since
from ivr.desk.settings import LiveSettings
from ivr.errors import IvrError, StoreUnavailable
from ivr.plain_text import plain
from ivr.ports import (
    AgentState,
    AgentStatus,
    AuditEvent,
    AuditLog,
    Clock,
    DeskAnnouncement,
    HoursOverride,
    Line,
    LineView,
    Place,
    Supervision,
)
from ivr.ports.history import DayLog
from ivr.record import URGENT

TODAY_EVERY_S = 5.0
SHARE = 0.01  # of the time at most, that is spent on today's figures: the loop is the callers'
LONGEST_TEXT = 300
MOST_PRIORITY = 10
ON_THE_LINE = ("waiting", "offered", "callback", "dialling", "away")
_SKILL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")

log = structlog.get_logger(__name__)


class Supervised(Protocol):
    """A conversation that a supervisor may join; see ``ivr.ports.Bridge``."""

    async def supervise(self, supervisor: str, how: Supervision) -> None: ...


class DeskBoard:
    """Implements ``ivr.web.backend.Board``. Commands raise IvrError: what can't be done, in words for the supervisor.

    ``bridge_of``: the conversation of an agent of this process. ``hours``: what counts at a moment. ``skills``: those
    that the configuration and the flows name, beside what agents have. ``on_change``: somebody should look again."""

    def __init__(
        self,
        line: Line,
        settings: LiveSettings,
        audit: AuditLog,
        days: DayLog,
        clock: Clock,
        zone: tzinfo,
        *,
        hours: Callable[[datetime], HoursNow],
        rules: Callable[[], Rules] = Rules,
        skills: Callable[[], Iterable[str]] = lambda: (),
        bridge_of: Callable[[str], Supervised | None] = lambda agent: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._line = line
        self._settings = settings
        self._audit = audit
        self._days = days
        self._clock = clock
        self._zone = zone
        self._hours = hours
        self._rules = rules
        self._named_skills = skills
        self._bridge_of = bridge_of
        self._on_change = on_change
        self._today: Mapping[str, Any] | None = None

    # -- what is shown ---------------------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        """Everything that moves, ready for JSON; the same while nothing changes, so times are moments.

        ``callers`` in the order of service, with name and number unmasked; ``today``: ``DayHistory.figures``, None
        until they are known."""
        view, now = self._line.view(), self._clock.now()
        callers = [place for place in view.places if place.state in ON_THE_LINE]
        waiting = [place for place in callers if place.state in ("waiting", "offered")]
        before = queued(view, self._rules(), now)
        return {
            "fresh": view.fresh,
            "waiting": len(waiting),
            "longest_since": min((waits_since(place) for place in waiting), default=None),
            "callers": [_caller(place, before[place.id] + 1, now) for place in callers],
            "agents": [self._agent(view, agent) for agent in view.agents],
            "skills": self._skills(view),
            "hours": self._hours_told(now),
            "announcement": self._announcement_told(now),
            "today": self._today,
        }

    async def day(self, day: date) -> Mapping[str, Any]:
        """A day's history, ready for JSON. Raises StoreUnavailable."""
        rows = await self._days.rows(*bounds_of(day, self._zone))
        return {"day": day.isoformat(), **DayHistory(rows, self._zone).to_json()}

    @property
    def promises(self) -> Mapping[str, Any]:
        """Today's, for everybody; empty until they are known."""
        return (self._today or {}).get("promises", {})  # type: ignore[no-any-return]

    async def follow(self) -> None:
        """Today's figures, every few seconds; until cancelled."""
        while True:
            begun = self._clock.monotonic()
            today = self._clock.now().astimezone(self._zone).date()
            try:
                rows = await self._days.rows(*bounds_of(today, self._zone))
                figures = DayHistory(rows, self._zone).figures()
            except StoreUnavailable as error:
                log.debug("board.stale", error=str(error))
            else:
                if figures != self._today:
                    self._today = figures
                    self._on_change()
            await self._clock.sleep(max(TODAY_EVERY_S, (self._clock.monotonic() - begun) / SHARE))

    def _skills(self, view: LineView) -> list[str]:
        """All that a caller may wait for, whoever has them now."""
        theirs = {skill for agent in view.agents for skill in agent.skills}
        return sorted({*self._named_skills(), *theirs, *(place.arrival.skill for place in view.places)})

    def _agent(self, view: LineView, agent: AgentStatus) -> dict[str, Any]:
        talk = next((p for p in view.places if p.state in ("talking", "dialling") and p.agent == agent.name), None)
        return {
            "name": agent.name,
            "display": agent.display or agent.name,
            "slot": agent.slot,
            "state": agent.state,
            "reason": agent.reason,
            "since": agent.since,
            "skills": agent.skills,
            "phone": "browser" if agent.phone == "browser" else "SIP",
            "talk": None
            if talk is None or agent.state != "busy"
            else {
                "place": talk.id,
                "name": talk.arrival.name,
                "number": talk.arrival.number,
                "reason": talk.arrival.reason,
            },
            "here": self._bridge_of(agent.name) is not None,
        }

    def _hours_told(self, now: datetime) -> dict[str, Any]:
        hours, override = self._hours(now), self._settings.now().override_at(now)
        return {
            "open": hours.open,
            "next_opening": hours.next_opening,
            "override": None
            if override is None
            else {"open": override.open, "until": override.until, "reason": override.reason},
        }

    def _announcement_told(self, now: datetime) -> dict[str, Any] | None:
        text, told = self._settings.now().announced_at(now), self._settings.now().announcement
        return {"text": text, "until": told.until if told is not None else None} if text else None

    # -- what is changed -------------------------------------------------------------------------------------------

    async def set_hours(self, by: str, *, open_: bool | None, until: datetime | None, reason: str = "") -> None:
        """``open_`` None: back to the calendar."""
        override = None
        if open_ is not None:
            if until is None or until <= self._clock.now():
                raise IvrError("say until when, in the time to come")
            override = HoursOverride(open_, until, _text(reason))
        await self._settings.set_hours(override, by)

    async def announce(self, by: str, text: str, until: datetime | None = None) -> None:
        """ "" takes it back."""
        if until is not None and until <= self._clock.now():
            raise IvrError("say until when, in the time to come")
        text = _text(text)
        await self._settings.announce(DeskAnnouncement(text, until) if text else None, by)

    async def move(self, by: str, place_id: int, *, skill: str = "", priority: int | None = None) -> None:
        place = self._place(place_id)
        if skill and skill not in (known := self._skills(self._line.view())):
            raise IvrError(f"there is no skill {skill!r}: choose {', '.join(known)}, or give it to an agent first")
        if priority is not None and not 0 <= priority <= MOST_PRIORITY:
            raise IvrError(f"a priority is 0 to {MOST_PRIORITY}, higher goes first")
        before = {"skill": place.arrival.skill, "priority": place.arrival.priority}
        after = {"skill": skill or before["skill"], "priority": before["priority"] if priority is None else priority}
        if after == before:
            return
        await self._changed(
            lambda: self._line.move(place_id, skill=skill, priority=priority),
            *(by, "desk.move", str(place_id), before, after),
        )

    async def set_skills(self, by: str, agent: str, skills: Sequence[str]) -> None:
        wanted = tuple(dict.fromkeys(skill.strip() for skill in skills if skill.strip()))
        if not wanted:
            raise IvrError("an agent needs a skill; somebody who takes no calls is away")
        if wrong := [skill for skill in wanted if not _SKILL.fullmatch(skill)]:
            raise IvrError(f"{wrong[0]!r} is no skill: letters, digits, dots, dashes, at most 40")
        before = self._known(agent).skills
        if set(before) != set(wanted):
            told = {"skills": list(before)}, {"skills": list(wanted)}
            await self._changed(lambda: self._line.set_skills(agent, wanted), by, "desk.skills", agent, *told)

    async def set_state(self, by: str, agent: str, state: AgentState, reason: str = "") -> None:
        if state not in ("idle", "away"):
            raise IvrError("a supervisor makes somebody available, or away")
        status = self._known(agent)
        before, after = {"state": status.state, "reason": status.reason}, {"state": state, "reason": _text(reason)}
        await self._changed(
            lambda: self._line.set_state(agent, state, _text(reason)), by, "desk.state", agent, before, after
        )

    async def supervise(self, by: str, phone: str, agent: str, how: Supervision) -> None:
        """``phone``: the name under which the supervisor's phone is known to the floor."""
        bridge = self._bridge_of(agent)
        if bridge is None:
            raise IvrError(f"{agent} has no conversation in this process of the line; open the board where it is")
        event = AuditEvent(by, "desk.supervise", agent, None, {"how": how})
        if how == "off":  # whoever may not be noted must still be able to leave
            await bridge.supervise(phone, how)
            await self._audit.note(event)
        else:
            await self._noted(event, lambda: bridge.supervise(phone, how))

    async def _changed(
        self,
        change: Callable[[], Awaitable[object]],
        by: str,
        action: str,
        key: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> None:
        await self._noted(AuditEvent(by, action, key, before, after), change)
        log.info("board.changed", by=by, action=action, key=key)
        self._on_change()

    async def _noted(self, event: AuditEvent, act: Callable[[], Awaitable[object]]) -> None:
        """Noted before it is done: what can't be is not done. What then could not be done has a row more."""
        await self._audit.note(event)
        try:
            await act()
        except IvrError as error:
            await self._audit.note(replace(event, result=f"failed: {error}"))
            raise

    def _place(self, place_id: int) -> Place:
        found = next((place for place in self._line.view().places if place.id == place_id), None)
        if found is None:
            raise IvrError("they are not in the line any more")
        return found

    def _known(self, agent: str) -> AgentStatus:
        found = next((each for each in self._line.view().agents if each.name == agent), None)
        if found is None:
            raise IvrError(f"there is no agent {agent}")
        return found


def _text(text: str) -> str:
    return plain(text).strip()[:LONGEST_TEXT]


def _caller(place: Place, position: int, now: datetime) -> dict[str, Any]:
    """``since``: they could be served, and wait; None while they don't, ``due`` says when a call back will."""
    told, waits = place.arrival, place.state in ("offered", "dialling") or is_due(place, now)
    return {
        "place": place.id,
        "state": place.state,
        "position": position if place.state == "offered" or is_due(place, now) else 0,
        "skill": told.skill,
        "priority": told.priority,
        "urgent": told.priority >= URGENT,
        "reason": told.reason,
        "said": told.said,
        "name": told.name,
        "number": place.callback_number or told.number,
        "channel": told.channel,
        "since": waits_since(place) if waits else None,
        "agent": place.agent or told.named,
        "again": place.again,
        "due": place.due_at if place.callback_number else None,
        "attempts": place.attempts,
    }
