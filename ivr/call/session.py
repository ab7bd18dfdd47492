"""The session of one call, from INVITE to outcome and canonical line. TaskGroups own all that it starts, and nothing
outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from traceback import clear_frames
from typing import Any, TypeVar

import structlog

from ivr.call.canonical_line import Answered, canonical_line
from ivr.call.conductor import Conductor
from ivr.call.handed_over import Rejoin, Rejoined
from ivr.call.handoff import Handoff
from ivr.call.journal import Journal, Recorder
from ivr.call.live_dialog import LiveDialog
from ivr.call.registry import CallServices
from ivr.dialogue.engine.contract import Installed
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded, MediaUnavailable, ModificationRefused
from ivr.logs import bind_call
from ivr.media.description import NoCommonCodec
from ivr.phones.participant import Participant, hang_up
from ivr.ports import Accepted, Began, CallOpening, EngineStatus, Leg, LegStats, Orphan, Over
from ivr.record import Happening, TakenOver
from ivr.sip.party import diverted_by

log = structlog.get_logger(__name__)

E = TypeVar("E", bound=Exception)
Open = Callable[[str, Leg, Installed], Dialogue]
"""How a call begins: from its id, its leg and what is installed."""

AIMED_S = 1.0  # media opened so lately for the same description need not be aimed anew: silence counts from then
DROPPED = ("abandoned", "failed")  # the caller may go on where they were


@dataclass(frozen=True, slots=True)
class Inherited:
    """A call that another process had. ``since``: when it was claimed, monotonic; ``rejoin``: None where nobody talked
    with the caller."""

    orphan: Orphan
    since: float
    rejoin: Rejoin | None = None


class CallSession:
    """Answers one leg and stays with it until it is gone. ``inherited``: it was answered before, in another process."""

    def __init__(
        self, call_id: str, leg: Leg, services: CallServices, opening: Open, inherited: Inherited | None = None
    ) -> None:
        self.call_id = call_id
        self._leg = leg
        self._services = services
        self._opening = opening
        self._inherited = inherited
        self._journal = Journal(services.records, call_id)
        self._recorder = Recorder(call_id, leg.id, self._journal, services.registry, services.clock)
        kept = None if inherited is None else inherited.orphan.snapshot
        self._dialog = LiveDialog(call_id, services.dialogs, services.clock, kept)
        self._recorder.on_settled = self._dialog.changed
        self._started_at = services.clock.now() if inherited is None else inherited.orphan.started_at
        self._started = services.clock.monotonic() - (services.clock.now() - self._started_at).total_seconds()
        self._taken = False  # by another process
        self._end_wanted = ""  # why, once it is
        self._tasks: asyncio.TaskGroup | None = None  # while the call goes on
        self._accepted = False  # the INVITE has its 200
        self._refused = 0  # with which status it was
        self._answered: Answered | None = None

    # -- what the API shows ----------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        leg, fields, call = self._leg, self._recorder.fields, self._answered
        context = call.handoff.context if call else None
        return {
            "call_id": self.call_id,
            "leg": leg.id,
            "sip_call_id": leg.sip_call_id,
            "transport": leg.transport,
            "caller": leg.caller.number,
            "called": leg.called.number,
            "started_at": self._started_at.isoformat(),
            "live": True,
            "state": fields["state"],
            "listening_for": call.dialogue.mode if call else "",
            "flow": fields["flow"],
            "flow_version": fields["flow_version"],
            "language": call.dialogue.language if call else "",
            "slots": dict(call.dialogue.slots) if call else {},
            "facts": dict(call.dialogue.facts) if call else {},
            "transcript": [utterance.to_json() for utterance in call.dialogue.transcript] if call else [],
            "outcome": "with agent" if call and call.handoff.call.with_agent else "",
            "handoff": context.to_json() if context else None,
        }

    def note(self, what: Happening) -> None:
        """Something happened in the call that others know of."""
        self._recorder.record(what)

    async def end(self, reason: str) -> None:
        if not self._end_wanted:
            self._end_wanted = reason
            if self._tasks is not None:
                self._tasks.create_task(self._end_as_wanted())

    def leave(self) -> None:
        """Another process took the call over, since this one had not been heard of: here it ends without a word."""
        self._taken = True
        self._dialog.leave()
        if self._answered is not None:
            self._answered.handoff.call.leave()
        self._leg.leave()

    # -- the call ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never raises but on cancellation: whatever happens is logged and the caller is told or handed over."""
        leg, registry = self._leg, self._services.registry
        bind_call(self._recorder.fields)
        await registry.enter(self)
        self._begin()
        ended = CallEnded("service", "error")
        stats = LegStats()
        caller: Participant | None = None
        try:
            async with asyncio.TaskGroup() as self._tasks:
                if self._end_wanted:
                    await self._end_as_wanted()
                caller = await (self._answer() if self._inherited is None else self._go_on(self._inherited))
                self._tasks.create_task(self._dialog.follow())
                await self._converse(caller)
        except* CallEnded as group:
            ended = _first(group)
            _forget(group)
        except* NoCommonCodec as group:
            ended = CallEnded("service", f"media: {_first(group)}")
            ended = await self._refuse(ended, 488, "Not Acceptable Here")
        except* MediaUnavailable as group:
            ended = await self._refuse(CallEnded("service", f"media: {_first(group)}"))
        except* Exception as group:
            log.exception("call.crashed", exc_info=group)
            ended = await self._refuse(ended)
        finally:
            self._tasks = None
            if caller is not None:
                stats = await caller.let_go(ended.reason)
            else:
                await hang_up(leg, ended.reason)
            await self._finish(ended, stats)
            await registry.leave(self)
            bind_call(None)

    def _begin(self) -> None:
        leg = self._leg
        details = {"sip_call_id": leg.sip_call_id, "transport": leg.transport}
        parties = leg.sip_call_id, leg.caller.number, leg.called.number, leg.trunk
        before = None if self._inherited is None else self._started_at  # in another process
        self._recorder.tell(Began(*parties, diverted_by=diverted_by(leg.headers), transport=leg.transport), before)
        if self._inherited is None:
            self._journal.begin(leg.caller.number, leg.called.number, self._started_at, details)
            log.info("call.start", **self._parties)
        else:
            opening = CallOpening(leg.caller.number, leg.called.number, self._started_at, details)
            self._journal.go_on(opening, self._inherited.orphan.entries)
            self._accepted = True
            self._recorder.tell(Accepted(), before)

    async def _end_as_wanted(self) -> None:
        raise CallEnded("service", self._end_wanted)

    async def _refuse(self, why: CallEnded, status: int = 503, reason: str = "Service Unavailable") -> CallEnded:
        """How the call ended: for ``why``, unless the caller had given up by then."""
        if self._accepted:
            return why
        try:
            await self._leg.reject(status, reason, retry_after_s=10 if status == 503 else None)
        except CallEnded as ended:
            return ended
        self._refused = status
        return why

    async def _answer(self) -> Participant:
        engine, leg = self._services.media, self._leg
        if not engine.healthy():
            await leg.ring()  # it is being replaced: that takes a moment, and who hears it ring waits
        offered, clock = leg.remote, self._services.clock
        media = await engine.open(self.call_id, offered)
        opened = clock.monotonic()
        caller = Participant(leg, media)
        try:
            await self._dialog.begin(caller)
            remote = await leg.answer(media.local)
            self._accepted = True
            self._recorder.tell(Accepted())
            if remote != offered or clock.monotonic() - opened > AIMED_S:
                await caller.aim(remote)
        except BaseException:
            await media.close()
            raise
        return caller

    async def _go_on(self, inherited: Inherited) -> Participant:
        """At media of ours, which the far end is told of inside the dialog that it has (RFC 3261 section 14)."""
        clock, orphan = self._services.clock, inherited.orphan
        keys = orphan.snapshot["caller"].get("media")
        media = await self._services.media.open(self.call_id, self._leg.remote, kept=keys)
        caller = Participant(self._leg, media)
        try:
            await self._dialog.begin(caller)
            await caller.aim(await self._leg.reinvite(media.local))
        except ModificationRefused as error:
            await media.close()
            raise CallEnded("network", f"not taken over: {error}") from error
        except BaseException:
            await media.close()
            raise
        gap_s = round(orphan.silent_s + clock.monotonic() - inherited.since, 2)
        log.warning("call.taken_over", node=orphan.node, gap_s=gap_s, **self._parties)
        self._recorder.record(TakenOver(orphan.node, gap_s))
        return caller

    async def _converse(self, caller: Participant) -> None:
        """Returns never: raises CallEnded."""
        services, recorder = self._services, self._recorder
        speech = services.speech
        crowded = speech.load(len(services.registry)).crowded
        recognised = frozenset[str]() if crowded else _served(speech.recognisers())
        installed = Installed(recognised, _served(speech.synthesisers()))
        inherited = self._inherited
        agent = await inherited.rejoin() if inherited is not None and inherited.rejoin is not None else None
        dialogue = self._opening(self.call_id, self._leg, installed)
        recorder.opened(dialogue)
        handoff = Handoff(self.call_id, caller, dialogue, recorder, services)
        self._answered = Answered(dialogue, handoff)
        self._dialog.rest = self._rest
        handoff.watch(self._dialog.changed)
        if inherited is not None:
            self._know_again(inherited.orphan.snapshot, handoff, agent)
        try:
            await Conductor(self.call_id, caller, dialogue, handoff, recorder, services, deaf=crowded).run()
        except ExceptionGroup as group:
            if group.subgroup(EXPECTED) is not None:
                raise
            log.exception("call.crashed")
        raise await handoff.without_dialogue()

    def _rest(self) -> Mapping[str, Any] | None:
        """Of what is kept for another process, all but the leg."""
        call, counts = self._answered, self._recorder.counts
        if call is None or (kept := call.dialogue.kept()) is None:
            return None
        return {
            "dialogue": kept,
            "agent": call.handoff.call.kept(),
            "ringing": list(self._services.switchboard.endpoint.ringing(self.call_id)),
            "counts": [counts.turns, counts.barge_ins, counts.acted],
            "seconds_to_human": call.handoff.call.seconds_to_human,
            "waited_s": round(call.handoff.place.waited_s, 1),
        }

    def _know_again(self, snapshot: Mapping[str, Any], handoff: Handoff, agent: Rejoined | None) -> None:
        counts = self._recorder.counts
        if counted := snapshot.get("counts"):
            counts.turns, counts.barge_ins, counts.acted = counted
        handoff.place.waited_s = float(snapshot.get("waited_s") or 0.0)
        if agent is not None:
            handoff.rejoin(agent, snapshot.get("seconds_to_human"))

    async def _finish(self, ended: CallEnded, stats: LegStats) -> None:
        if self._taken:
            log.warning("call.taken_away", **self._parties)
            return
        self._dialog.over()
        clock, counts = self._services.clock, self._recorder.counts
        canonical = {
            "seconds": round(clock.monotonic() - self._started, 2),
            "answered": self._accepted,
            "journal_lost": self._journal.lost,
            **canonical_line(ended, stats, self._answered, counts, inherited=self._inherited is not None),
        }
        outcome = canonical["outcome"]
        if self._answered is not None and outcome in DROPPED:
            if counts.acted:
                self._journal.keep_place(self._answered.dialogue, clock.now())
        else:
            self._journal.forget_place()
        if self._answered is not None:
            self._journal.update(**self._known())
        facts = self._answered.dialogue.facts if self._answered is not None else {}
        self._recorder.tell(Over(outcome, ended.by, self._status(ended), canonical, stats, facts))
        await self._journal.finish(outcome, clock.now(), canonical)
        log.info("call.end", **self._parties, started_at=self._started_at.isoformat(), **canonical)

    def _status(self, ended: CallEnded) -> int:
        """What the INVITE got in the end."""
        if self._accepted:
            return 200
        return self._refused or (487 if ended.by == "caller" else 480)

    @property
    def _parties(self) -> dict[str, str]:
        """Whose call it is, on its first line and on its last; the store has columns for it."""
        leg = self._leg
        return {
            "caller": leg.caller.number,
            "called": leg.called.number,
            "trunk": leg.trunk,
            "transport": leg.transport,
            "sip_call_id": leg.sip_call_id,
        }

    def _known(self) -> dict[str, Any]:
        """What stays known of the caller and their wish when the call is over; the record has what was said."""
        view = self.view()
        known = {name: view[name] for name in ("state", "language", "slots", "facts")}
        if (handoff := view["handoff"]) is not None:
            known["handoff"] = {name: handoff[name] for name in ("reason", "skill", "priority", "tried")}
        return known


EXPECTED = (CallEnded, MediaUnavailable)
"""What a conversation ends with where nothing of ours broke."""


def _served(engines: Sequence[EngineStatus]) -> frozenset[str]:
    return frozenset[str]().union(*(engine.languages for engine in engines if engine.healthy))


def _forget(ended: BaseException) -> None:
    """A frame that an exception came through may know it, and the exception knows the frame: so that a call that is
    over waits for no garbage collector."""
    clear_frames(ended.__traceback__)
    if isinstance(ended, BaseExceptionGroup):
        for each in ended.exceptions:
            _forget(each)


def _first(group: BaseExceptionGroup[E]) -> E:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
