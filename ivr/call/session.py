"""One call from INVITE to the canonical log line: a TaskGroup owns everything it starts, and nothing outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import structlog

from ivr.call.conductor import Conductor
from ivr.call.ears import Hearing
from ivr.call.handoff import Connected, Handoff, let_go, talk
from ivr.call.journal import Journal
from ivr.call.mouth import Mouth
from ivr.call.outcome import canonical_line, outcome_of
from ivr.call.registry import CallRegistry
from ivr.dialogue.engine.contract import Connect, PartFailed
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.engine.opening import Installed
from ivr.dialogue.engine.opening import Opening as Opening
from ivr.errors import CallEnded, IvrError, MediaUnavailable
from ivr.events import Audio, Digit, LegEnded, MediaLost, MediaTimeout, PlayDone, TransferProgress
from ivr.logs import bind_call
from ivr.media.negotiation import NoCommonCodec
from ivr.ports import (
    Actions,
    CallRecords,
    Clock,
    Desk,
    EngineStatus,
    Leg,
    LegStats,
    MediaChanged,
    MediaEngine,
    MediaLeg,
    SipEndpoint,
    SpeechService,
)
from ivr.record import Entered, Entry, Failed, HandedOver, HandoffContext, Happening, Keyed, Understood, attributes

log = structlog.get_logger(__name__)

RESUME_WITHIN = timedelta(minutes=30)
# An agent's BYE sooner than this after the join is a dropped call, not the end of a conversation.
CONVERSATION_S = 8.0
STORE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """What every call of this service shares."""

    endpoint: SipEndpoint
    media: MediaEngine
    speech: SpeechService
    actions: Actions
    desk: Desk
    records: CallRecords
    clock: Clock
    registry: CallRegistry
    caller_id: str
    time_zone: tzinfo = UTC  # the company's: "tomorrow" is a day there


class CallSession:
    """Answers one leg and stays with it until it is gone."""

    def __init__(self, call_id: str, leg: Leg, line: Line, opening: Callable[[str, Leg, Installed], Opening]) -> None:
        self.call_id = call_id
        self._leg = leg
        self._line = line
        self._opening = opening
        self._journal = Journal(line.records, call_id)
        self._started_at = line.clock.now()
        self._started = line.clock.monotonic()
        self._dialogue: Dialogue | None = None
        self._conductor: Conductor | None = None
        self._handoff: Handoff | None = None
        self._connected: Connected | None = None
        self._context: HandoffContext | None = None
        self._task: asyncio.Task[Any] | None = None
        self._human_wanted_at: float | None = None
        self._to_human_s: float | None = None
        self._turns = 0
        self._acted = False  # did the caller say or key anything?
        self._answered = False
        self._fields: dict[str, Any] = {
            "call_id": call_id,
            "leg": leg.id,
            "flow": "",
            "flow_version": "",
            "state": "",
        }

    @property
    def _state(self) -> str:
        return str(self._fields["state"])

    # -- what the API shows ----------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        dialogue = self._dialogue
        return {
            "call_id": self.call_id,
            "leg": self._leg.id,
            "sip_call_id": self._leg.sip_call_id,
            "caller": self._leg.caller.number,
            "called": self._leg.called.number,
            "started_at": self._started_at.isoformat(),
            "live": True,
            "state": self._state,
            "listening_for": dialogue.mode.value if dialogue and dialogue.mode else "",
            "flow": self._fields["flow"],
            "flow_version": self._fields["flow_version"],
            "language": dialogue.language if dialogue else "",
            "slots": dict(dialogue.slots) if dialogue else {},
            "facts": dict(dialogue.facts) if dialogue else {},
            "transcript": [utterance.to_json() for utterance in dialogue.transcript] if dialogue else [],
            "outcome": "with agent" if self._connected else "",
            "handoff": self._context.to_json() if self._context is not None else None,
        }

    async def end(self, reason: str) -> None:
        if self._conductor is not None:
            self._conductor.post(CallEnded("service", reason))
        elif self._task is not None:
            self._task.cancel()

    # -- the call ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never raises but on cancellation: whatever happens is logged and the caller is told or handed over."""
        self._task = asyncio.current_task()
        bind_call(self._fields)
        await self._line.registry.enter(self)
        self._journal.begin(
            self._leg.caller.number, self._leg.called.number, self._started_at, {"sip_call_id": self._leg.sip_call_id}
        )
        log.info("call.start", caller=self._leg.caller.number, called=self._leg.called.number, trunk=self._leg.trunk)
        ended = CallEnded("service", "error")
        stats = LegStats()
        media: MediaLeg | None = None
        try:
            media = await self._answer()
            await self._converse(media)
        except* CallEnded as group:
            ended = _first_end(group)
        except* NoCommonCodec as group:
            ended = CallEnded("service", f"media: {group.exceptions[0]}")
            await self._refuse(488, "Not Acceptable Here")
        except* MediaUnavailable as group:
            ended = CallEnded("service", f"media: {group.exceptions[0]}")
            await self._refuse()
        except* Exception as group:
            log.exception("call.crashed", exc_info=group)
            await self._refuse()
        finally:
            if media is not None:
                stats = await self._close_media(media)
            await let_go(self._leg, ended.reason)
            await self._finish(ended, stats)
            await self._line.registry.leave(self)
            bind_call(None)

    async def _refuse(self, status: int = 503, reason: str = "Service Unavailable") -> None:
        if not self._answered:
            await self._leg.reject(status, reason, retry_after_s=10 if status == 503 else None)

    async def _answer(self) -> MediaLeg:
        media = await self._line.media.open(self.call_id, self._leg.remote)
        try:
            remote = await self._leg.answer(media.local)
            self._answered = True
            await media.update(remote)
        except BaseException:
            await media.close()
            raise
        return media

    async def _converse(self, media: MediaLeg) -> None:
        line = self._line
        installed = Installed(_served(line.speech.recognisers()), _served(line.speech.synthesisers()))
        opening = self._opening(self.call_id, self._leg, installed)
        self._fields.update(flow=opening.flow, flow_version=opening.flow_version)
        self._journal.update(
            flow=opening.flow,
            flow_version=opening.flow_version,
            language=opening.language,
            persona=opening.persona,
        )
        self._dialogue = opening.dialogue
        hearing, deaf_because = await Hearing.open(media, line.speech, self.call_id, opening.language)
        self._handoff = Handoff(
            leg=self._leg,
            media=media,
            endpoint=line.endpoint,
            engine=line.media,
            speech=line.speech,
            desk=line.desk,
            caller_id=line.caller_id,
        )
        self._media = media
        try:
            async with asyncio.TaskGroup() as tasks:
                conductor = Conductor(
                    opening.dialogue,
                    mouth=lambda said, mute: Mouth(media, line.speech, said, mute),
                    hearing=hearing,
                    actions=line.actions,
                    clock=line.clock,
                    time_zone=line.time_zone,
                    surroundings=self,
                    tasks=tasks,
                    call_id=self.call_id,
                )
                self._conductor = conductor
                tasks.create_task(self._signalling(media, conductor))
                tasks.create_task(self._audio(media, hearing, conductor))
                tasks.create_task(hearing.run(conductor.post))
                tasks.create_task(conductor.mouth.run())
                if deaf_because and not opening.dialogue.keys_led:
                    conductor.answer(PartFailed("recogniser", deaf_because))
                await conductor.run()
        finally:
            if self._conductor is not None:
                self._conductor.close()
            await hearing.close()

    async def _signalling(self, media: MediaLeg, conductor: Conductor) -> None:
        async for event in self._leg.events():
            match event:
                case Digit():
                    conductor.post(event)
                case MediaChanged(remote):
                    await media.update(remote)
                case TransferProgress():
                    if self._handoff is not None:
                        self._handoff.progress(event)
                case LegEnded(_, by, reason):
                    conductor.post(CallEnded(by, reason))
                    return

    async def _audio(self, media: MediaLeg, hearing: Hearing, conductor: Conductor) -> None:
        async for event in media.events():
            match event:
                case Audio():
                    hearing.feed(event)
                case Digit() | PlayDone():
                    conductor.post(event)
                case MediaTimeout(_, silent_s):
                    conductor.post(CallEnded("network", f"no audio for {silent_s:.0f} s"))
                case MediaLost(_, reason):
                    conductor.post(CallEnded("service", f"media lost: {reason}"))

    # -- what the conductor asks for (Surroundings) --------------------------------------------------------

    async def connect(self, connect: Connect) -> str:
        """Get a human; "closed" or "failed" if there is none, "dropped" when the agent's line broke."""
        assert self._dialogue is not None
        assert self._handoff is not None
        assert self._conductor is not None
        if self._human_wanted_at is None:
            self._human_wanted_at = self._line.clock.monotonic()
        context = self._context = self._handoff_context(self._dialogue, connect)
        connected = await self._handoff.connect(context, self._line.clock.now())
        if isinstance(connected, str):
            return connected
        self._to_human_s = round(self._line.clock.monotonic() - self._human_wanted_at, 3)
        self._connected = connected
        self.record(HandedOver(connected.destination.name, connect.reason))
        if connected.agent is None:
            self._conductor.post(CallEnded("service", "transferred"))
            return "connected"
        await self._conductor.bridged(True)
        joined = self._line.clock.monotonic()
        by, why = await talk(connected)
        self._connected = None
        lasted = self._line.clock.monotonic() - joined
        if by == "agent" and lasted >= CONVERSATION_S:
            self._connected = connected
            self._conductor.post(CallEnded("agent", why))
            return "connected"
        log.warning("handoff.dropped", by=by, why=why, lasted_s=round(lasted, 1))
        await self._media.bridge(None)
        await self._conductor.bridged(False)
        return "dropped"

    def _handoff_context(self, dialogue: Dialogue, connect: Connect) -> HandoffContext:
        flow, _, state = (dialogue.left_at or self._state).partition(".")
        return HandoffContext(
            call_id=self.call_id,
            reason=connect.reason,
            skill=connect.skill,
            priority=connect.priority,
            caller=self._leg.caller,
            language=dialogue.language,
            facts=dict(dialogue.facts),
            transcript=tuple(dialogue.transcript),
            tried=tuple(dialogue.tried),
            flow=flow,
            state=state,
        )

    async def load_resume(self, member: str) -> Mapping[str, object] | None:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                return await self._line.records.take_resume_point(member, self._line.clock.now() - RESUME_WITHIN)
        except (IvrError, TimeoutError, OSError) as error:
            log.warning("resume.unavailable", error=str(error) or "timeout")
            return None

    def record(self, what: Happening) -> None:
        """Into the journal, the log and the live view."""
        if isinstance(what, Entered):
            self._fields["state"] = what.state
            self._fields["flow"] = self._state.partition(".")[0]
        if isinstance(what, Understood):
            self._turns += 1
        self._acted = self._acted or isinstance(what, Understood | Keyed)
        self._line.registry.on_move()
        emit = log.error if isinstance(what, Failed) else log.info
        emit(f"dialogue.{what.kind}", **attributes(what))
        self._journal.append(Entry(what, self._line.clock.now(), self._state))

    # -- the end -----------------------------------------------------------------------------------------------

    async def _close_media(self, media: MediaLeg) -> LegStats:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                return await media.close()
        except (MediaUnavailable, TimeoutError):
            return LegStats()

    async def _finish(self, ended: CallEnded, stats: LegStats) -> None:
        now = self._line.clock.now()
        dialogue = self._dialogue
        outcome = outcome_of(
            ended, dialogue, with_agent=self._connected is not None, handing_over=self._context is not None
        )
        if dialogue is not None and outcome == "abandoned" and self._acted:
            self._keep_place(dialogue, now)
        canonical = canonical_line(
            ended,
            dialogue,
            stats,
            outcome=outcome,
            seconds=round(self._line.clock.monotonic() - self._started, 2),
            answered=self._answered,
            turns=self._turns,
            barge_ins=self._conductor.barge_ins if self._conductor else 0,
            handoff_reason=self._context.reason if self._context else "",
            seconds_to_human=self._to_human_s,
            journal_lost=self._journal.lost,
        )
        await self._journal.finish(outcome, now, canonical)
        log.info("call.end", **canonical)

    def _keep_place(self, dialogue: Dialogue, now: datetime) -> None:
        snapshot, member = dialogue.snapshot(), dialogue.facts.get("member.number")
        if snapshot is not None and member:
            self._journal.save_resume_point(str(member), snapshot, now)


def _served(engines: Sequence[EngineStatus]) -> frozenset[str]:
    return frozenset(language for engine in engines if engine.healthy for language in engine.languages)


def _first_end(group: BaseExceptionGroup[CallEnded]) -> CallEnded:
    first = group.exceptions[0]
    return _first_end(first) if isinstance(first, BaseExceptionGroup) else first
