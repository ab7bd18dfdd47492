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
from ivr.call.connecting import Connecting
from ivr.call.dtmf_filter import KeyFilter
from ivr.call.ears import CallEars
from ivr.call.gather import CallGather
from ivr.call.handoff import Handoff
from ivr.call.inbox import EarsBehind, Inbox, InboxEvent, TimerExpired
from ivr.call.invocation import Invocation
from ivr.call.journal import Recorder, resume_point
from ivr.call.message import MessageRecording
from ivr.call.mouth import Mouth
from ivr.call.recovery import Recovery
from ivr.call.registry import CallServices
from ivr.call.turn_timing import TurnTiming
from ivr.call.waiting_music import WaitingMusic
from ivr.dialogue.engine.contract import (
    ActionDone,
    AgentComing,
    AskPlace,
    Connect,
    DialogueEvent,
    Disconnect,
    Effect,
    End,
    HandoffDone,
    HandoffSlow,
    Interrupted,
    KeyPressed,
    KeysPaused,
    Listen,
    LoadResume,
    Music,
    NoInput,
    Perform,
    PlaceTold,
    Record,
    ResumeLoaded,
    Said,
    Say,
    SpeechHeard,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded
from ivr.events import (
    HANDOFF_CONTEXT,
    RECORDED,
    Audio,
    Digit,
    Heard,
    KeyReleased,
    MediaHeard,
    MediaLost,
    MediaRestored,
    PlayDone,
    RecogniserFailed,
    SpeechEnded,
    SpeechStarted,
    TransferProgress,
)
from ivr.media.description import held
from ivr.phones.participant import Participant
from ivr.ports import MediaChanged, TransferAsked

log = structlog.get_logger(__name__)


class Conductor:
    """The loop of one call. What takes time runs in tasks beside it, which end with it. ``deaf``: led by keys."""

    def __init__(
        self,
        call_id: str,
        caller: Participant,
        dialogue: Dialogue,
        handoff: Handoff,
        recorder: Recorder,
        services: CallServices,
        *,
        deaf: bool = False,
    ) -> None:
        self._caller = caller
        self._dialogue = dialogue
        self._handoff = handoff
        self._recorder = recorder
        self._services = services
        self._inbox = inbox = Inbox()
        self._timing = TurnTiming(services.clock, recorder.tell)
        self._mouth = Mouth(caller.media, services.speech, inbox, lambda: dialogue.filler, self._timing)
        self._barge_in = BargeIn(self._mouth, recorder)
        self._tasks = asyncio.TaskGroup()
        self._keys = KeyFilter()
        self._agitation = Agitation()
        self._invocation = Invocation(call_id, recorder, services, inbox)
        self._gather = CallGather(
            CallEars(caller.media, services.speech, call_id, inbox, deaf=deaf),
            *(self._mouth, inbox, services.clock),
            spawn=self._tasks.create_task,
            keys_led=lambda: dialogue.keys_led,
        )
        self._coming = False  # an agent is being joined with the caller
        self._music = WaitingMusic(caller.media, services.speech)
        self._connecting = Connecting(
            *(handoff, inbox, self._music, services),
            spawn=self._tasks.create_task,
            paused=self.paused,
            quiet=lambda: self._hears_nothing,
        )
        handoff.attend(self._inbox.put_nowait, lambda: self._may_be_told)
        self._message = MessageRecording(call_id, caller.media, services, recorder, inbox)
        self._recovery = Recovery(self._gather, self._mouth, self._keys, self._message, services.clock, self._tell)
        self._ending: End | None = None

    async def run(self) -> None:
        """Returns never: raises CallEnded, in a group."""
        try:
            async with self._tasks:
                for work in (self._signals(), self._audio(), self._gather.ears.run(), self._mouth.run()):
                    self._tasks.create_task(work)
                await self._carry_out(self._dialogue.begin(self._services.local_time()))
                while True:
                    await self._take(await self._inbox.get())
        finally:
            await self._gather.close()
            await self._message.close()
            # What knows this knows it no more: a call that is over waits for no garbage collector.
            self._handoff.unattended()
            del self._connecting, self._recovery

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """A human has the call, and the dialogue hears nothing; afterwards it listens again when it wants to."""
        try:
            async with self._gather.pause():
                yield
        finally:
            self._coming = False

    # -- what happened -------------------------------------------------------------------------------------

    async def _signals(self) -> None:
        async for event in self._caller.signals():
            if not isinstance(event, TransferAsked):
                self._inbox.put_nowait(event)

    async def _audio(self) -> None:
        async for event in self._caller.audio():
            if isinstance(event, Audio):
                self._message.feed(event)
                self._gather.feed(event)
                self._timing.frame(event.pcm, event.at)
            elif isinstance(event, CallEnded) and event.by == "service":
                await self._handoff.without_media()
                raise event
            elif not isinstance(event, MediaHeard):
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
                self._timing.played(event)
                self._mouth.played(event)
            case MediaLost():
                await self._recovery.media_lost()
            case MediaRestored():
                await self._recovery.media_restored(event)
            case MediaChanged(remote=remote):
                await self._recovery.holds(held(remote))
            case SpeechStarted():
                await self._speech_started(event)
            case SpeechEnded():
                self._timing.ended()
                self._gather.recognition.ended()
            case EarsBehind():
                await self._recovery.ears_behind()
            case Heard():
                await self._heard(event)
            case RecogniserFailed():
                await self._recovery.recogniser_failed(event)
            case TransferProgress():
                self._handoff.progress(event)
            case HandoffSlow():
                if self._hears_nothing:
                    await self._tell(event)
            case TimerExpired():
                await self._timer_expired(event)
            case AgentComing():
                await self._agent_coming()
            case PlaceTold() | HandoffDone():
                self._coming = False
                await self._tell(event)
            case Said():
                await self._tell(event)
                self._gather.await_input()
            case _:
                await self._tell(event)
        if self._ending is not None and not self._mouth.speaking:
            raise CallEnded("service", self._ending.outcome)
        if not self._mouth.speaking:
            self._message.may_begin()
        if self._hears_nothing and not self._message.active:
            self._music.start()

    @property
    def _hears_nothing(self) -> bool:
        """Whether the caller does, who could."""
        return not (self._mouth.speaking or self._gather.paused or self._gather.lost or self._coming)

    @property
    def _may_be_told(self) -> bool:
        """Whether the caller may be told something now, unasked."""
        return self._hears_nothing and not self._gather.recognition.under_way

    async def _agent_coming(self) -> None:
        """Nothing more is said or played to the caller."""
        self._coming = True
        await self._music.stop()
        await self._mouth.stop()
        await self._tell(AgentComing(self._connecting.token))

    async def _tell(self, event: DialogueEvent) -> None:
        if isinstance(event, ActionDone):
            self._timing.acted()
        began = self._services.clock.monotonic()
        effects = self._dialogue.handle(event, self._services.local_time())
        self._timing.understood(self._services.clock.monotonic() - began)
        await self._carry_out(effects)

    async def _digit(self, digit: Digit) -> None:
        now = self._services.clock.monotonic()
        if not self._keys.admit(digit, now) or self._gather.paused:
            return
        if await self._message.key(digit.key):
            return
        await self._barge_in.by_key()
        gather = self._gather
        gather.timers.stop("no-input")
        gather.recognition.keyed()
        entering = gather.listen is not None and gather.listen.interdigit_s > 0 and digit.key.isdecimal()
        agitated = self._agitation.key(now, entering=entering)
        await self._tell(KeyPressed(digit.key))
        if agitated is not None:
            await self._tell(agitated)
        gather.timers.await_key(gather.listen)

    async def _speech_started(self, started: SpeechStarted) -> None:
        gather = self._gather
        if not gather.paused and gather.recognition.begun(started) and await self._barge_in.by_speech(gather.listen):
            self._agitation.talked_over()

    async def _heard(self, heard: Heard) -> None:
        listen, wanted = self._gather.listen, self._gather.recognition.read(heard)
        if self._message.heard(heard) or self._gather.paused or listen is None or not wanted:
            return
        self._timing.heard(heard)
        agitated = None
        if not self._barge_in.mistaken(heard.recognition):
            agitated = self._agitation.heard(heard.recognition, self._services.clock.monotonic())
            await self._tell(SpeechHeard(heard.recognition, listen.token))
        elif self._barge_in.taken_back():
            await self._tell(Interrupted(by_noise=True))
        if agitated is not None:
            await self._tell(agitated)
        self._gather.await_input()

    async def _timer_expired(self, expired: TimerExpired) -> None:
        listen = self._gather.listen
        if expired.timer == "recognition":
            await self._recovery.recognition_late(expired.token)
        elif listen is not None and expired.token == listen.token and not self._gather.paused:
            await self._tell(NoInput(expired.token) if expired.timer == "no-input" else KeysPaused())

    # -- effects -------------------------------------------------------------------------------------------

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say():
                    await self._music.stop()
                    await self._mouth.say(effect)
                case Listen():
                    await self._gather.start(effect)
                case Perform(name=name) if name in RECORDED:
                    self._message.prepare()
                    self._tasks.create_task(self._message.run(effect, self._facts, self._dialogue.language))
                case Perform():
                    self._timing.acting()
                    self._tasks.create_task(self._invocation.run(effect, self._facts))
                case Connect():
                    await self._connecting.start(effect, self._dialogue.language)
                case Disconnect():
                    await self._connecting.stop(effect)
                case AskPlace():
                    self._connecting.ask_place(effect)
                case Music(on=on):
                    await (self._music.on() if on else self._music.off(quiet=True))
                case LoadResume():
                    self._tasks.create_task(self._load_resume(effect))
                case End():
                    self._ending = effect
                    self._gather.listen = None
                case Record(what):
                    self._recorder.record(what)
        self._recorder.settled(self._dialogue)
        self._gather.await_input()

    @property
    def _facts(self) -> Mapping[str, object]:
        """What actions know of the call: what the dialogue does, and which story goes with it."""
        token = self._handoff.story.token
        facts = self._dialogue.facts_for_actions
        return {**facts, HANDOFF_CONTEXT: token} if token else facts

    async def _load_resume(self, load: LoadResume) -> None:
        services = self._services
        found = await resume_point(services.records, load.caller_id, services.clock.now())
        self._inbox.put_nowait(ResumeLoaded(load.token, found))
