"""The journal: what happens on a call goes to the store, behind the call, and to the log and the live view; so does
where the call may be taken up again should it drop, or the line die.

A slow or dead database never holds up a caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog

from ivr.call.registry import CallRegistry
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.events import CALLER_ID
from ivr.ports import CallOpening, CallRecords, Clock, Moment, Opened, ResumePoints
from ivr.record import Entered, Entry, Failed, Happening, Keyed, Understood, attributes

log = structlog.get_logger(__name__)

WRITE_TIMEOUT_S = 5.0  # the store ends sooner by itself, with what it could not write kept
BACKLOG = 1000
PLACE_EVERY_S = 1.0
PLACE_ANEW = timedelta(minutes=1)  # where a caller stays is as fresh as their last word
RESUME_WITHIN = timedelta(minutes=30)
RESUME = "resume"  # a dialogue's mode
STORE_TIMEOUT_S = 1.0  # a caller waits for it


class Resumable(Protocol):
    """What is needed of a dialogue to keep its place."""

    @property
    def facts(self) -> Mapping[str, object]: ...
    @property
    def mode(self) -> str: ...
    def snapshot(self) -> Mapping[str, object] | None: ...


class Journal:
    """Ordered, bounded. ``lost`` counts what the store neither took nor keeps for later."""

    def __init__(self, records: CallRecords, call_id: str) -> None:
        self._records = records
        self._call_id = call_id
        self._asked: dict[asyncio.Future[None], int] = {}  # what is not kept yet: entries or other things in each
        self._entries: list[Entry] = []  # appended in this turn of the loop: written together
        self._appended = 0
        self._opening: CallOpening | None = None  # as the call's row has it
        self._place = _NOWHERE  # as it is now
        self._place_kept = _NOWHERE  # as the store has it
        self._place_kept_at = -PLACE_EVERY_S
        self._place_due: asyncio.TimerHandle | None = None
        self._failing = False
        self.lost = 0

    def begin(self, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> None:
        self._opening = CallOpening(caller, called, at, extra)
        self._put(lambda: self._records.begin(self._call_id, caller, called, at, extra))

    def go_on(self, opening: CallOpening, entries: int) -> None:
        """Another process began the record, and wrote so many entries."""
        self._opening, self._appended = opening, entries

    def append(self, entry: Entry) -> None:
        if len(self._entries) + len(self._asked) >= BACKLOG:
            self.lost += 1
            return
        self._entries.append(entry)
        if len(self._entries) == 1:
            asyncio.get_running_loop().call_soon(self._append_gathered)

    def _append_gathered(self) -> None:
        entries, self._entries = self._entries, []
        if entries:
            first, self._appended = self._appended, self._appended + len(entries)
            self._ask(lambda: self._records.append_all(self._call_id, entries, first), len(entries))

    def update(self, **changes: Any) -> None:
        if self._opening is not None:
            self._opening = replace(self._opening, details={**self._opening.details, **changes})
        self._put(lambda: self._records.update(self._call_id, **changes))

    def keep_place(self, dialogue: Resumable, at: datetime) -> None:
        """Where the call is now is where the caller may go on should it drop: kept for callers who are known, if worth
        it. At most once in PLACE_EVERY_S."""
        snapshot, caller_id = dialogue.snapshot(), dialogue.facts.get(CALLER_ID)
        place = _Place(str(caller_id), snapshot, at) if snapshot is not None and caller_id else _NOWHERE
        if place.same_as(self._place) and at - self._place.at < PLACE_ANEW:
            return
        self._place = place
        if self._place_due is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._place_kept_at + PLACE_EVERY_S)
            self._place_due = loop.call_at(due, self._put_place)

    def forget_place(self) -> None:
        """The call came to an end: there is nothing to take up."""
        self._place = _NOWHERE

    def _put_place(self) -> None:
        if self._place_due is not None:
            self._place_due.cancel()
            self._place_due = None
        if self._place is self._place_kept:
            return
        self._place_kept, self._place_kept_at = self._place, asyncio.get_running_loop().time()
        place = self._place
        if place.snapshot is None:
            self._put(lambda: self._records.forget_resume_point(self._call_id))
        else:
            self._put(
                lambda: self._records.save_resume_point(
                    place.caller_id, place.snapshot or {}, place.at, call_id=self._call_id
                )
            )

    async def finish(self, outcome: str, at: datetime, canonical: Mapping[str, Any]) -> None:
        """Write the rest, then the end of the call. Returns once written, or given up."""
        self._put_place()
        self._append_gathered()
        self._ask(lambda: self._records.finish(self._call_id, outcome, at, canonical, self._opening), 1)
        if self._asked:
            await asyncio.wait(self._asked, timeout=WRITE_TIMEOUT_S)
        for late in tuple(self._asked):
            self._settled(late, TimeoutError("timeout"))
            late.cancel()

    def _put(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._append_gathered()  # what came before is asked for before
        if len(self._asked) >= BACKLOG:
            self.lost += 1
            return
        self._ask(ask, 1)

    def _ask(self, ask: Callable[[], Awaitable[None]], count: int) -> None:
        """The store keeps the order in which it is asked; that it has kept it, or ``count`` things are lost, is
        heard later."""
        try:
            asked = asyncio.ensure_future(ask())
        except Exception as error:
            self._lose(error, count)
            return
        self._asked[asked] = count
        asked.add_done_callback(self._settled)

    def _settled(self, asked: asyncio.Future[None], late: TimeoutError | None = None) -> None:
        count = self._asked.pop(asked, 0)
        if not count:
            return
        error = late or (asyncio.CancelledError() if asked.cancelled() else asked.exception())
        if error is None:
            self._failing = False
        else:
            self._lose(error, count)

    def _lose(self, error: BaseException, count: int) -> None:
        self.lost += count
        if not isinstance(error, IvrError | TimeoutError | OSError | asyncio.CancelledError):
            # Whatever a store raises, the call goes on, and its end is told.
            log.error("journal.raised", error=type(error).__name__, exc_info=error)
        elif not self._failing:
            log.warning("journal.failed", error=str(error) or type(error).__name__)
        self._failing = True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a call may be taken up. ``snapshot`` None: nowhere."""

    caller_id: str
    snapshot: Mapping[str, object] | None
    at: datetime

    def same_as(self, other: _Place) -> bool:
        return (self.caller_id, self.snapshot) == (other.caller_id, other.snapshot)


_NOWHERE = _Place("", None, datetime.max.replace(tzinfo=UTC))


@dataclass(slots=True)
class Counts:
    """What the canonical line counts. ``turns``: what the caller said or keyed; ``acted``: there was any of it."""

    turns: int = 0
    barge_ins: int = 0
    acted: bool = False


class Recorder:
    """What happens on one call, told to its journal, the log, the live view and who observes; and counted, here only.

    ``fields`` identify the call on every log line, with the flow and the state that it is in now."""

    def __init__(self, call_id: str, leg_id: str, journal: Journal, registry: CallRegistry, clock: Clock) -> None:
        self.fields: dict[str, Any] = {"call_id": call_id, "leg": leg_id, "flow": "", "flow_version": "", "state": ""}
        self.counts = Counts()
        self._call_id = call_id
        self._keying = False
        self._journal = journal
        self._registry = registry
        self._clock = clock
        self._moved = False
        self.on_settled: Callable[[], None] = lambda: None

    @property
    def state(self) -> str:
        """ "flow.state"; "" before the first."""
        return str(self.fields["state"])

    def opened(self, dialogue: Dialogue) -> None:
        """It is known now which flow serves the call."""
        start, version = dialogue.start, dialogue.flow_version
        self.fields.update(flow=start.entry, flow_version=version)
        self._journal.update(flow=start.entry, flow_version=version, language=start.language, persona=start.persona)
        self.tell(Opened(start.entry, version, start.language))

    def tell(self, what: Moment, at: datetime | None = None) -> None:
        """Observers only: it is no entry of the record. ``at``: when it was, if not now."""
        self._registry.observer.observe(self._call_id, at or self._clock.now(), what)

    def record(self, what: Happening) -> None:
        match what:
            case Entered(state=state):
                self.fields.update(state=state, flow=state.partition(".")[0])
            case Understood():
                self.counts.turns += 1
                self.counts.acted = True
            case Keyed():
                self.counts.turns += not self._keying  # keys in a row, with no answer between them, are one turn
                self.counts.acted = True
        self._keying = isinstance(what, Keyed)
        self._moved = True
        self._registry.on_move()
        emit = log.error if isinstance(what, Failed) else log.info
        emit(f"dialogue.{what.kind}", **attributes(what))
        entry = Entry(what, self._clock.now(), self.state)
        self._journal.append(entry)
        self._registry.observer.observe(self._call_id, entry.at, entry)

    def settled(self, dialogue: Resumable) -> None:
        """What an event led to is all told. Where the call is now is worth keeping once the caller said anything, or is
        offered to go on where they were cut off."""
        if self._moved and (self.counts.acted or dialogue.mode == RESUME):
            self._journal.keep_place(dialogue, self._clock.now())
        self._moved = False
        self.on_settled()

    def barged_in(self) -> None:
        """Speech stopped a prompt."""
        self.counts.barge_ins += 1


async def resume_point(points: ResumePoints, caller_id: str, now: datetime) -> Mapping[str, object] | None:
    """The snapshot of this caller's call that dropped within RESUME_WITHIN, used once; None without, or when the
    store does not answer."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await points.take_resume_point(caller_id, now - RESUME_WITHIN)
    except (IvrError, TimeoutError, OSError) as error:
        log.warning("resume.unavailable", error=str(error) or "timeout")
        return None
