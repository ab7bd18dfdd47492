"""The conductor: what happens on the line becomes dialogue events, the dialogue's effects become things that happen.

One inbox, one loop: everything that concerns the dialogue passes through here in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from ivr.call.agitation import Agitation
from ivr.call.barge_in import BargeIn
from ivr.call.dtmf_filter import KeyFilter
from ivr.call.ears import CallEars
from ivr.call.handoff import Handoff
from ivr.call.inbox import Inbox, InboxEvent, TimerExpired
from ivr.call.input_timers import InputTimers
from ivr.call.journal import Recorder, resume_point
from ivr.call.mouth import Mouth
from ivr.call.participant import Participant
from ivr.call.registry import CallServices
from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    Connect,
    DialogueEvent,
    Effect,
    End,
    HandoffDone,
    KeyPressed,
    KeysPaused,
    Listen,
    LoadResume,
    NoInput,
    PartFailed,
    Perform,
    Record,
    ResumeLoaded,
    Said,
    Say,
    SpeechHeard,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded, IvrError
from ivr.events import (
    ActionResult,
    Audio,
    Digit,
    Heard,
    KeyReleased,
    PlayDone,
    RecogniserFailed,
    SpeechEnded,
    SpeechStarted,
    TransferProgress,
)
from ivr.ports import ActionCall
from ivr.record import Performed

log = structlog.get_logger(__name__)

SLOW_ACTION_S = 1.0


class Conductor:
    """The loop of one call. What takes time runs in tasks beside it, which end with it."""

    def __init__(
        self,
        call_id: str,
        caller: Participant,
        dialogue: Dialogue,
        handoff: Handoff,
        recorder: Recorder,
        services: CallServices,
    ) -> None:
        self._call_id = call_id
        self._caller = caller
        self._dialogue = dialogue
        self._handoff = handoff
        self._recorder = recorder
        self._services = services
        self._inbox = inbox = Inbox()
        self._mouth = Mouth(caller.media, services.speech, inbox)
        self._ears = CallEars(caller.media, services.speech, call_id, inbox)
        self._timers = InputTimers(inbox)
        self._barge_in = BargeIn(self._mouth, recorder)
        self._tasks = asyncio.TaskGroup()
        self._keys = KeyFilter()
        self._agitation = Agitation()
        self._listen: Listen | None = None
        self._user_speaking = False
        self._ending: End | None = None
        self._paused = False

    async def run(self) -> None:
        """Returns never: raises CallEnded, in a group."""
        try:
            async with self._tasks:
                for work in (self._signals(), self._audio(), self._ears.run(), self._mouth.run()):
                    self._tasks.create_task(work)
                await self._carry_out(self._dialogue.begin(self._services.local_time()))
                while True:
                    await self._take(await self._inbox.get())
        finally:
            self._timers.stop()
            await self._ears.close()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """A human has the call, and the dialogue hears nothing; afterwards it listens again when it wants to."""
        self._paused = True
        self._timers.stop()
        self._listen = None
        try:
            await self._ears.listen(None)
            yield
        finally:
            self._paused = False

    # -- what happened -------------------------------------------------------------------------------------

    async def _signals(self) -> None:
        async for event in self._caller.signals():
            self._inbox.put_nowait(event)

    async def _audio(self) -> None:
        async for event in self._caller.audio():
            if isinstance(event, Audio):
                self._ears.feed(event)
            else:
                self._inbox.put_nowait(event)

    async def _take(self, event: InboxEvent) -> None:
        match event:
            case CallEnded():
                raise event
            case Digit():
                await self._digit(event)
            case KeyReleased():
                self._keys.released(event.key, self._services.clock.monotonic())
            case PlayDone():
                self._mouth.played(event)
            case SpeechStarted():
                await self._speech_started()
            case SpeechEnded():
                self._timers.await_recognition()
            case Heard():
                await self._heard(event)
            case RecogniserFailed():
                self._user_speaking = False
                await self._tell(PartFailed("recogniser", event.reason))
            case TransferProgress():
                self._handoff.progress(event)
            case TimerExpired():
                await self._timer_expired(event)
            case Said():
                await self._tell(event)
                self._await_input()
            case _:
                await self._tell(event)
        if self._ending is not None and not self._mouth.speaking:
            raise CallEnded("service", self._ending.outcome)

    async def _tell(self, event: DialogueEvent) -> None:
        await self._carry_out(self._dialogue.handle(event, self._services.local_time()))

    async def _digit(self, digit: Digit) -> None:
        now = self._services.clock.monotonic()
        if not self._keys.admit(digit, now) or self._paused:
            return
        await self._barge_in.by_key()
        self._timers.stop("no-input")
        entering = self._listen is not None and self._listen.interdigit_s > 0 and digit.key.isdecimal()
        agitated = self._agitation.key(now, entering=entering)
        await self._tell(KeyPressed(digit.key))
        if agitated is not None:
            await self._tell(agitated)
        self._timers.await_key(self._listen)

    async def _speech_started(self) -> None:
        if self._paused:
            return
        self._user_speaking = True
        self._timers.stop("no-input")
        if await self._barge_in.by_speech(self._listen):
            self._agitation.talked_over()

    async def _heard(self, heard: Heard) -> None:
        self._user_speaking = False
        self._timers.stop("recognition")
        now = self._services.clock.monotonic()
        recognition = heard.recognition
        best = recognition.nbest[0] if recognition.nbest else None
        log.info(
            "recognition.done",
            cause=recognition.cause.value,
            engine=recognition.engine,
            confidence=best and round(best.confidence, 3),
            verdict=best and best.verdict.value,
            hypotheses=len(recognition.nbest),
            speech_s=round(recognition.duration_s, 2),
            took_s=round(recognition.took_s, 3),
            since_speech_s=round(now - heard.speech_ended_at, 3),
        )
        if self._paused or self._listen is None:
            return
        agitated = self._agitation.heard(recognition, now)
        await self._tell(SpeechHeard(recognition, self._listen.token))
        if agitated is not None:
            await self._tell(agitated)
        self._await_input()

    async def _timer_expired(self, expired: TimerExpired) -> None:
        listen = self._listen
        if expired.timer == "recognition":
            log.warning("recognition.overdue")
            self._user_speaking = False
            self._await_input()
        elif listen is not None and expired.token == listen.token and not self._paused:
            await self._tell(NoInput(expired.token) if expired.timer == "no-input" else KeysPaused())

    # -- effects -------------------------------------------------------------------------------------------

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say():
                    await self._mouth.say(effect)
                case Listen():
                    await self._start_listening(effect)
                case Perform():
                    self._tasks.create_task(self._perform(effect, self._dialogue.facts))
                case Connect():
                    self._tasks.create_task(self._connect(effect))
                case LoadResume():
                    self._tasks.create_task(self._load_resume(effect))
                case End():
                    self._ending = effect
                    self._listen = None
                case Record(what):
                    self._recorder.record(what)
        self._recorder.settled(self._dialogue)
        self._await_input()

    async def _start_listening(self, listen: Listen) -> None:
        self._timers.stop("no-input", "inter-digit")
        self._listen = listen
        deaf_because = await self._ears.listen(listen)
        if deaf_because and not self._dialogue.keys_led:
            self._inbox.put_nowait(PartFailed("recogniser", deaf_because))

    def _await_input(self) -> None:
        if self._listen is None or self._paused or self._mouth.speaking or self._user_speaking:
            return
        self._timers.await_input(self._listen)

    async def _perform(self, perform: Perform, facts: Mapping[str, object]) -> None:
        """Posts ActionDone, and ActionSlow before it where it takes longer than SLOW_ACTION_S. Raises nothing."""
        token = perform.token
        slow = asyncio.get_running_loop().call_later(SLOW_ACTION_S, lambda: self._inbox.put_nowait(ActionSlow(token)))
        clock = self._services.clock
        started = clock.monotonic()
        result, error = ActionResult("failed"), ""
        language = str(facts.get("call.language", "en-US"))
        call = ActionCall(perform.name, perform.arguments, perform.key, self._call_id, facts, language)
        try:
            async with asyncio.timeout(perform.timeout_s):
                result = await self._services.actions.perform(call)
        except TimeoutError:
            result, error = ActionResult("timeout"), "timeout"
        except (IvrError, OSError) as failure:
            error = str(failure)
        except Exception as failure:
            # An action is a plug-in's code: whatever it raises, the caller takes the failed edge, not the fall.
            log.exception("action.raised", action=perform.name)
            error = type(failure).__name__
        finally:
            slow.cancel()
        took_s = round(clock.monotonic() - started, 4)
        self._recorder.record(Performed(perform.name, result.outcome, took_s, error))
        self._inbox.put_nowait(ActionDone(token, result))

    async def _connect(self, connect: Connect) -> None:
        self._inbox.put_nowait(HandoffDone(connect.token, await self._handoff.run(connect, self.paused)))

    async def _load_resume(self, load: LoadResume) -> None:
        services = self._services
        found = await resume_point(services.records, load.caller_id, services.clock.now())
        self._inbox.put_nowait(ResumeLoaded(load.token, found))
