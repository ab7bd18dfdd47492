"""Turns what happens on the line into dialogue events, and the dialogue's effects into things that happen.

One inbox, one loop: everything that concerns the dialogue passes through here in order. Timers post to the inbox
like everybody else, with the token they were set for, so a stale one is recognised and dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

import structlog

from ivr.call.agitation import Unrest
from ivr.call.dtmf_filter import KeyFilter
from ivr.call.ears import Hearing
from ivr.call.mouth import Mouth
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
from ivr.errors import ActionError, CallEnded, IvrError
from ivr.events import ActionResult, Digit, EarEvent, Heard, PlayDone, RecogniserFailed, SpeechEnded, SpeechStarted
from ivr.ports import ActionCall, Actions, Clock
from ivr.record import Happening, Performed

log = structlog.get_logger(__name__)

SLOW_ACTION_S = 1.0
# A recogniser that started to hear and then says nothing must not leave the caller in silence.
RECOGNITION_GRACE_S = 4.0


class Surroundings(Protocol):
    """What the conductor needs of the session: connecting to humans, snapshots, and the timeline."""

    async def connect(self, connect: Connect) -> str: ...
    async def load_resume(self, member: str) -> Mapping[str, object] | None: ...
    def record(self, what: Happening) -> None: ...


@dataclass(frozen=True, slots=True)
class _Timer:
    kind: str  # "noinput", "interdigit", "recognition"
    token: int


@dataclass(frozen=True, slots=True)
class _Answer:
    event: DialogueEvent


_Inbox = Digit | PlayDone | EarEvent | _Timer | _Answer | CallEnded


class Conductor:
    """The loop of one call. ``run`` returns never: it raises CallEnded."""

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        mouth: Callable[[Callable[[int, bool], None], Callable[[str], None]], Mouth],
        hearing: Hearing,
        actions: Actions,
        clock: Clock,
        time_zone: tzinfo,
        surroundings: Surroundings,
        tasks: asyncio.TaskGroup,
        call_id: str,
    ) -> None:
        self._dialogue = dialogue
        self._hearing = hearing
        self._actions = actions
        self._clock = clock
        self._time_zone = time_zone
        self._surroundings = surroundings
        self._tasks = tasks
        self._call_id = call_id
        self._inbox: asyncio.Queue[_Inbox] = asyncio.Queue()
        self._keys = KeyFilter()
        self._unrest = Unrest()
        self._listen: Listen | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._user_speaking = False
        self._ending: End | None = None
        self._bridged = False
        self.mouth = mouth(self._on_said, self._on_mute)
        self.barge_ins = 0

    # -- the outside world posts here -------------------------------------------------------------------

    def post(self, event: Digit | PlayDone | EarEvent | CallEnded) -> None:
        self._inbox.put_nowait(event)

    def answer(self, event: DialogueEvent) -> None:
        self._inbox.put_nowait(_Answer(event))

    def _on_said(self, token: int, completed: bool) -> None:
        self._inbox.put_nowait(_Answer(Said(token, completed)))

    def _on_mute(self, reason: str) -> None:
        self._inbox.put_nowait(_Answer(PartFailed("synthesiser", reason)))

    # -- the loop ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        await self._carry_out(self._dialogue.begin(self._now()))
        while True:
            await self._take(await self._inbox.get())

    async def _take(self, event: _Inbox) -> None:
        match event:
            case CallEnded():
                raise event
            case Digit():
                await self._digit(event)
            case PlayDone():
                self.mouth.played(event)
            case SpeechStarted():
                await self._speech_started()
            case SpeechEnded():
                self._set("recognition", RECOGNITION_GRACE_S, 0)
            case Heard():
                await self._heard(event)
            case RecogniserFailed():
                self._user_speaking = False
                await self._tell(PartFailed("recogniser", event.reason))
            case _Timer():
                await self._timer(event)
            case _Answer(Said() as said):
                await self._tell(said)
                self._arm()
            case _Answer(answer):
                await self._tell(answer)
        if self._ending is not None and not self.mouth.speaking:
            raise CallEnded("service", self._ending.outcome)

    def _now(self) -> datetime:
        return self._clock.now().astimezone(self._time_zone)

    async def _tell(self, event: DialogueEvent) -> None:
        await self._carry_out(self._dialogue.handle(event, self._now()))

    async def _digit(self, digit: Digit) -> None:
        if self._bridged or not self._keys.admit(digit, self._clock.monotonic()):
            return
        await self.mouth.stop()
        self._cancel("noinput")
        entering = self._listen is not None and self._listen.interdigit_s > 0 and digit.key.isdecimal()
        agitated = self._unrest.key(self._clock.monotonic(), entering=entering)
        await self._tell(KeyPressed(digit.key))
        if agitated is not None:
            await self._tell(agitated)
        if self._listen is not None and self._listen.interdigit_s:
            self._set("interdigit", self._listen.interdigit_s, self._listen.token)

    async def _speech_started(self) -> None:
        if self._bridged:
            return
        self._user_speaking = True
        self._cancel("noinput")
        if self.mouth.speaking and self._listen is not None and not self._listen.hotword and self.mouth.bargein:
            self.barge_ins += 1
            self._unrest.talked_over()
            await self.mouth.stop()

    async def _heard(self, heard: Heard) -> None:
        self._user_speaking = False
        self._cancel("recognition")
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
            since_speech_s=round(self._clock.monotonic() - heard.speech_ended_at, 3),
        )
        if self._bridged or self._listen is None:
            return
        agitated = self._unrest.heard(recognition, self._clock.monotonic())
        await self._tell(SpeechHeard(heard.recognition, self._listen.token))
        if agitated is not None:
            await self._tell(agitated)
        self._arm()

    async def _timer(self, timer: _Timer) -> None:
        listen = self._listen
        if timer.kind == "recognition":
            log.warning("recognition.overdue")
            self._user_speaking = False
            self._arm()
        elif listen is not None and timer.token == listen.token and not self._bridged:
            await self._tell(NoInput(timer.token) if timer.kind == "noinput" else KeysPaused())

    # -- effects -------------------------------------------------------------------------------------------

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say():
                    await self.mouth.say(effect)
                case Listen():
                    await self._start_listening(effect)
                case Perform():
                    self._tasks.create_task(self._perform(effect))
                case Connect():
                    self._tasks.create_task(self._connect(effect))
                case LoadResume():
                    self._tasks.create_task(self._load_resume(effect))
                case End():
                    self._ending = effect
                    self._listen = None
                case Record(what):
                    self._surroundings.record(what)
        self._arm()

    async def _start_listening(self, listen: Listen) -> None:
        for kind in ("noinput", "interdigit"):
            self._cancel(kind)
        self._listen = listen
        deaf_because = await self._hearing.listen(listen)
        if deaf_because and not self._dialogue.keys_led:
            self.answer(PartFailed("recogniser", deaf_because))

    def _arm(self) -> None:
        """Start the silence timer once nothing is being said by either side."""
        listen = self._listen
        if listen is None or listen.timeout_s is None or self._bridged:
            return
        if self.mouth.speaking or self._user_speaking or {"noinput", "interdigit"} & self._timers.keys():
            return
        self._set("noinput", listen.timeout_s, listen.token)

    def _set(self, kind: str, seconds: float, token: int) -> None:
        self._cancel(kind)

        def ring() -> None:
            self._timers.pop(kind, None)
            self._inbox.put_nowait(_Timer(kind, token))

        self._timers[kind] = asyncio.get_running_loop().call_later(seconds, ring)

    def _cancel(self, kind: str) -> None:
        handle = self._timers.pop(kind, None)
        if handle is not None:
            handle.cancel()

    def close(self) -> None:
        for kind in tuple(self._timers):
            self._cancel(kind)

    async def _perform(self, perform: Perform) -> None:
        slow = asyncio.get_running_loop().call_later(SLOW_ACTION_S, lambda: self.answer(ActionSlow(perform.token)))
        started = self._clock.monotonic()
        result = ActionResult("failed")
        error = ""
        try:
            async with asyncio.timeout(perform.timeout_s):
                result = await self._actions.perform(
                    ActionCall(
                        name=perform.name,
                        arguments=perform.arguments,
                        key=perform.key,
                        call_id=self._call_id,
                        facts=self._dialogue.facts,
                        language=str(self._dialogue.facts.get("call.language", "en-US")),
                    )
                )
        except TimeoutError:
            result, error = ActionResult("timeout"), "timeout"
        except (ActionError, IvrError, OSError) as failure:
            error = str(failure)
        except Exception as failure:
            # An action is a plug-in's code: whatever it raises, the caller takes the failed edge, not the fall.
            log.exception("action.raised", action=perform.name)
            error = type(failure).__name__
        finally:
            slow.cancel()
        took = round(self._clock.monotonic() - started, 4)
        self._surroundings.record(Performed(perform.name, result.outcome, took, error))
        self.answer(ActionDone(perform.token, result))

    async def _connect(self, connect: Connect) -> None:
        try:
            outcome = await self._surroundings.connect(connect)
        except CallEnded:
            raise
        except Exception:
            # Whatever breaks on the way to a human, the flow goes on trying: never silence, never a dead call.
            log.exception("handoff.crashed")
            outcome = "failed"
        self.answer(HandoffDone(connect.token, outcome))

    async def _load_resume(self, load: LoadResume) -> None:
        self.answer(ResumeLoaded(load.token, await self._surroundings.load_resume(load.member)))

    async def bridged(self, on: bool) -> None:
        """While a human has the call the dialogue hears nothing; afterwards it listens again."""
        self._bridged = on
        if on:
            for kind in tuple(self._timers):
                self._cancel(kind)
            self._listen = None
            await self._hearing.listen(None)
