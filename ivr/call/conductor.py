"""The conductor: what happens on the line becomes dialogue events, the dialogue's effects become things that happen.

One inbox, one loop: everything that concerns the dialogue passes through here in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from ivr.call.agitation import Agitation
from ivr.call.awaited_recognition import AwaitedRecognition
from ivr.call.barge_in import BargeIn
from ivr.call.connecting import Connecting
from ivr.call.dtmf_filter import KeyFilter
from ivr.call.ears import CallEars
from ivr.call.handoff import Handoff
from ivr.call.inbox import EarsBehind, Inbox, InboxEvent, TimerExpired
from ivr.call.input_timers import RECOGNITION_LATE_S, InputTimers
from ivr.call.invocation import Invocation
from ivr.call.journal import Recorder, resume_point
from ivr.call.message import MessageRecording
from ivr.call.mouth import Mouth
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
    PartFailed,
    Perform,
    PlaceTold,
    RecognitionLate,
    Record,
    ResumeLoaded,
    Said,
    Say,
    SpeechHeard,
    SpeechLost,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded
from ivr.events import (
    HANDOFF_CONTEXT,
    MESSAGE_LEAVE,
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
from ivr.phones.participant import Participant
from ivr.ports import MediaChanged, TransferAsked

log = structlog.get_logger(__name__)

MOST_RESTORED = 3  # losses of media in a minute, after which a person is the better company


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
        self._timing = TurnTiming(services.clock)
        self._mouth = Mouth(caller.media, services.speech, inbox, lambda: dialogue.filler, self._timing)
        self._ears = CallEars(caller.media, services.speech, call_id, inbox, deaf=deaf)
        self._timers = InputTimers(inbox)
        self._barge_in = BargeIn(self._mouth, recorder)
        self._tasks = asyncio.TaskGroup()
        self._keys = KeyFilter()
        self._agitation = Agitation()
        self._invocation = Invocation(call_id, recorder, services, inbox)
        self._listen: Listen | None = None
        self._recognition = AwaitedRecognition(
            *(self._ears, self._timers, inbox, services.clock),
            spawn=lambda work: self._tasks.create_task(work),
            hangover_s=lambda: self._listen.hangover_s if self._listen is not None else 0.0,
        )
        self._coming = False  # an agent is being joined with the caller
        self._music = WaitingMusic(caller.media, services.speech)
        self._connecting = Connecting(
            *(handoff, inbox, self._music, services),
            spawn=lambda work: self._tasks.create_task(work),
            paused=self.paused,
            quiet=lambda: self._hears_nothing,
        )
        handoff.attend(self._inbox.put_nowait, lambda: self._may_be_told)
        self._message = MessageRecording(call_id, caller.media, services, recorder, inbox)
        self._ending: End | None = None
        self._paused = False
        self._lost = False  # the caller's media are: nothing is heard, nobody waits for an answer

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
            self._recognition.stop()
            await self._ears.close()
            await self._message.close()

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
            self._paused = self._coming = False

    # -- what happened -------------------------------------------------------------------------------------

    async def _signals(self) -> None:
        async for event in self._caller.signals():
            if not isinstance(event, MediaChanged | TransferAsked):
                self._inbox.put_nowait(event)

    async def _audio(self) -> None:
        async for event in self._caller.audio():
            if isinstance(event, Audio):
                self._message.feed(event)
                self._ears.feed(event)
                self._recognition.frame(event.pcm)
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
                await self._media_lost()
            case MediaRestored():
                await self._media_restored(event)
            case SpeechStarted():
                await self._speech_started(event)
            case SpeechEnded():
                self._timing.ended()
                self._recognition.ended()
            case EarsBehind():
                await self._ears_behind()
            case Heard():
                await self._heard(event)
            case RecogniserFailed():
                await self._recogniser_failed(event)
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
                self._await_input()
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
        return not (self._mouth.speaking or self._paused or self._lost or self._coming)

    @property
    def _may_be_told(self) -> bool:
        """Whether the caller may be told something now, unasked."""
        return self._hears_nothing and not self._recognition.under_way

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
        if not self._keys.admit(digit, now) or self._paused:
            return
        if await self._message.key(digit.key):
            return
        await self._barge_in.by_key()
        self._timers.stop("no-input")
        self._recognition.keyed()
        entering = self._listen is not None and self._listen.interdigit_s > 0 and digit.key.isdecimal()
        agitated = self._agitation.key(now, entering=entering)
        await self._tell(KeyPressed(digit.key))
        if agitated is not None:
            await self._tell(agitated)
        self._timers.await_key(self._listen)

    async def _ears_behind(self) -> None:
        if self._paused or self._listen is None or self._mouth.speaking or not self._recognition.unheard():
            return
        await self._recognition_late(0)

    async def _speech_started(self, started: SpeechStarted) -> None:
        if not self._paused and self._recognition.begun(started) and await self._barge_in.by_speech(self._listen):
            self._agitation.talked_over()

    async def _heard(self, heard: Heard) -> None:
        wanted = self._recognition.read(heard)
        if self._message.heard(heard) or self._paused or self._listen is None or not wanted:
            return
        self._timing.heard(heard)
        agitated = None
        if not self._barge_in.mistaken(heard.recognition):
            agitated = self._agitation.heard(heard.recognition, self._services.clock.monotonic())
            await self._tell(SpeechHeard(heard.recognition, self._listen.token))
        elif self._barge_in.taken_back():
            await self._tell(Interrupted(by_noise=True))
        if agitated is not None:
            await self._tell(agitated)
        self._await_input()

    async def _media_lost(self) -> None:
        self._lost = True
        self._keys.lost(self._services.clock.monotonic())
        self._recognition.lost()
        self._timers.stop()
        await self._listen_anew()

    async def _media_restored(self, restored: MediaRestored) -> None:
        """What was being said begins anew by itself; a question that had been asked is asked again."""
        self._lost = False
        if self._paused:
            return
        if restored.count >= MOST_RESTORED:
            await self._tell(PartFailed("media", f"lost {restored.count} times"))
        elif not self._mouth.speaking:
            await self._tell(Interrupted())
        self._await_input()

    async def _timer_expired(self, expired: TimerExpired) -> None:
        listen = self._listen
        if expired.timer == "recognition":
            await self._recognition_late(expired.token)
        elif listen is not None and expired.token == listen.token and not self._paused:
            await self._tell(NoInput(expired.token) if expired.timer == "no-input" else KeysPaused())

    async def _recognition_late(self, step: int) -> None:
        """First a word; then keys, which the reading may still come before; then, once all is said, a human."""
        last = step == len(RECOGNITION_LATE_S) - 1
        if self._paused or self._listen is None or self._message.active:
            self._recognition.under_way = False
            return
        if last and self._mouth.speaking:
            self._timers.await_recognition(step)
            return
        log.warning("recognition.late", step=step)
        if step == 0:
            await self._mouth.murmur()
        else:
            await self._tell(RecognitionLate(given_up=last))
        if not last:
            self._timers.await_recognition(step + 1)
        else:
            self._recognition.given_up()
            self._await_input()

    async def _recogniser_failed(self, failed: RecogniserFailed) -> None:
        """Whoever was speaking is asked to say it again where another worker hears them, once; else it is a failure."""
        lost = self._recognition.lost()
        if self._paused or not await self._ears.recover(self._listen):
            await self._tell(PartFailed("recogniser", failed.reason))
            return
        log.info("recogniser.replaced")
        if lost:
            await self._tell(SpeechLost())
        self._await_input()

    # -- effects -------------------------------------------------------------------------------------------

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say():
                    await self._music.stop()
                    await self._mouth.say(effect)
                case Listen():
                    await self._start_listening(effect)
                case Perform(name=name) if name == MESSAGE_LEAVE:
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
                    self._listen = None
                case Record(what):
                    self._recorder.record(what)
        self._recorder.settled(self._dialogue)
        self._await_input()

    @property
    def _facts(self) -> Mapping[str, object]:
        """What actions know of the call: what the dialogue does, and which story goes with it."""
        token = self._handoff.story.token
        return {**self._dialogue.facts, HANDOFF_CONTEXT: token} if token else self._dialogue.facts

    async def _start_listening(self, listen: Listen) -> None:
        self._timers.stop("no-input", "inter-digit")
        self._listen = listen
        self._deaf(await self._ears.listen(listen))

    async def _listen_anew(self) -> None:
        """Half a sentence is in the ears, and the rest is lost."""
        self._deaf(await self._ears.renew(None if self._paused else self._listen))

    def _deaf(self, deaf_because: str) -> None:
        if deaf_because and not self._dialogue.keys_led:
            self._inbox.put_nowait(PartFailed("recogniser", deaf_because))

    def _await_input(self) -> None:
        if self._listen is None or self._paused or self._lost or self._mouth.speaking or self._recognition.under_way:
            return
        self._timers.await_input(self._listen)

    async def _load_resume(self, load: LoadResume) -> None:
        services = self._services
        found = await resume_point(services.records, load.caller_id, services.clock.now())
        self._inbox.put_nowait(ResumeLoaded(load.token, found))
