"""Stand-ins for the ports, for sessions in virtual time. They keep the Protocols' promises and nothing more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ivr.call.registry import CallRegistry, CallServices
from ivr.call.waiting import USUAL, WaitingRules
from ivr.call_search import CallSearch, CallsFound, CallTotals
from ivr.config import Agent
from ivr.errors import (
    DialFailed,
    MediaUnavailable,
    ModificationRefused,
    SpeechUnavailable,
    StoreUnavailable,
    TransferFailed,
)
from ivr.events import (
    ActionResult,
    Cause,
    Connected,
    Digit,
    EarEvent,
    Heard,
    LegEnded,
    Manner,
    MediaEvent,
    MediaHeard,
    MediaLost,
    MediaTimeout,
    PlayDone,
    RecogniserFailed,
    Recognition,
    SpeechEnded,
    SpeechStarted,
    Term,
    TransferProgress,
)
from ivr.media.description import PCMU, MediaDescription, SrtpPolicy
from ivr.media.load import MediaLoad
from ivr.phones.floor import AgentFloor
from ivr.phones.switchboard import Switchboard
from ivr.ports import (
    ActionCall,
    Actions,
    CallOpening,
    CallRecords,
    Clip,
    Clock,
    Desk,
    Destination,
    Ears,
    EngineStatus,
    HandoffContext,
    LegEvent,
    LegStats,
    Line,
    ListenRequest,
    MediaChanged,
    MediaEngine,
    Messages,
    Party,
    RegistrationStatus,
    SignallingLoad,
    SipEndpoint,
    SpeechLoad,
    SpeechService,
)
from ivr.record import Entry
from ivr.sealing import Confidential
from ivr.sip.traffic import SipTraffic
from tests.call.line import FakeLine

SDP = MediaDescription("127.0.0.1", 4000, (PCMU,))
EPOCH = datetime(2026, 3, 3, 18, 0, tzinfo=UTC)


class VirtualClock:
    """ports.Clock on the loop's time."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeLeg:
    """A SIP leg that answers at once. ``end`` is the far end's BYE."""

    def __init__(self, name: str = "leg-1", number: str = "5035550101", refer_result: int = 202) -> None:
        self.id = name
        self.sip_call_id = f"{name}@test"
        self.caller = Party(number)
        self.called = Party("ivr")
        self.headers: Mapping[str, str] = {}
        self.trunk = "test"
        self.transport = "udp"
        self.remote: MediaDescription | None = SDP
        self.rejected: int | None = None
        self.hung_up = ""
        self.refers: list[tuple[str, Mapping[str, str]]] = []
        self.reinvited: list[MediaDescription] = []
        self.reinvite_result = 200
        self.alive = True
        self._refer_result = refer_result
        self.allowed: Callable[[str], bool] | None = None
        self.notified: list[int] = []
        self.left = False
        self._queue: asyncio.Queue[LegEvent] = asyncio.Queue()

    async def ring(self) -> None:
        return None

    async def answer(self, local: MediaDescription) -> MediaDescription:
        return SDP

    async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None:
        self.rejected = status

    async def reinvite(self, local: MediaDescription) -> MediaDescription:
        self.reinvited.append(local)
        if self.reinvite_result >= 300:
            raise ModificationRefused(self.reinvite_result, "refused")
        assert self.remote is not None
        return self.remote

    async def answers(self) -> bool:
        return self.alive

    async def hangup(self, reason: str = "", *, lost: bool = False) -> None:
        self.hung_up = self.hung_up or reason or "hung up"

    async def refer(self, target: str, headers: Mapping[str, str]) -> None:
        self.refers.append((target, headers))
        if self._refer_result >= 300:
            raise TransferFailed(self._refer_result, "refused")

    def kept(self) -> Mapping[str, Any] | None:
        return {"leg": self.id, "number": self.caller.number}

    def leave(self) -> None:
        self.left = True
        self.end("service", "another process has the call")

    def allow_transfers(self, allowed: Callable[[str], bool]) -> None:
        self.allowed = allowed

    async def notify(self, status: int, reason: str = "") -> None:
        self.notified.append(status)

    def end(self, by: str = "caller", reason: str = "BYE") -> None:
        self._queue.put_nowait(LegEnded(self.id, by, reason))

    def post(self, event: LegEvent) -> None:
        self._queue.put_nowait(event)

    def change(self, remote: MediaDescription) -> None:
        """The far end's re-INVITE."""
        self.remote = remote
        self._queue.put_nowait(MediaChanged(remote))

    def progress(self, status: int) -> None:
        self._queue.put_nowait(TransferProgress(status, "progress"))

    async def events(self) -> AsyncIterator[LegEvent]:
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, LegEnded):
                return


class FakeMediaLeg:
    """Plays clips in (virtual) real time, in order, and keeps what was played. Its far end is heard as soon as we aim
    at it, unless ``silent``."""

    def __init__(self, name: str, resumed: Confidential | None = None) -> None:
        self.name = name
        self.resumed = resumed  # of another process
        self.secret: Confidential | None = None  # for another
        self.local = SDP
        self.heard: list[str] = []
        self.cut: list[str] = []
        self.hears: list[FakeMediaLeg] = []
        self.pressed = ""
        self.tapped = False
        self.listening = False
        self.closed = False
        self.silent = False
        self.lost = False
        self.gone_s = 0.5  # how long a lost process takes to come back
        self.moves = False  # its old ports are taken then
        self.aimed: list[MediaDescription] = []
        self._playing: list[tuple[int, Clip, bool]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._queue: asyncio.Queue[MediaEvent] = asyncio.Queue()

    async def update(self, remote: MediaDescription) -> MediaDescription:
        self.aimed.append(remote)
        if not self.silent and len(self.aimed) == 1:
            self._queue.put_nowait(MediaHeard(self.name))
        return self.local

    def lose(self) -> None:
        """The media process dies."""
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queue.put_nowait(MediaLost(self.name, "killed"))

    async def reopen(self) -> MediaDescription:
        await asyncio.sleep(self.gone_s)
        if self.gone_s > 10:
            raise MediaUnavailable("no process")
        self.lost = False
        if self.moves:
            self.local = replace(self.local, port=self.local.port + 2)
        self._next()
        return self.local

    @property
    def bridged_to(self) -> FakeMediaLeg | None:
        """The one whom its far end hears, where there is but one."""
        return self.hears[0] if len(self.hears) == 1 else None

    @property
    def sounding(self) -> bool:
        """Whether the far end hears anything of ours."""
        return self._timer is not None or bool(self.hears)

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False) -> None:
        for i, clip in enumerate(clips):
            self._playing.append((token, clip, i == len(clips) - 1))
        self._next()

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        await self.play(clips, token=token)

    def _next(self) -> None:
        if self._timer is None and self._playing and not self.lost:
            self.heard.append(self._playing[0][1].key)
            self._timer = asyncio.get_running_loop().call_later(self._playing[0][1].seconds, self._done)

    def _done(self) -> None:
        self._timer = None
        token, clip, last = self._playing.pop(0)
        if last:
            self._queue.put_nowait(PlayDone(token, True, clip.seconds))
        self._next()

    async def stop_playing(self, token: int | None = None) -> None:
        stopped = [each for each in self._playing if token is None or each[0] == token]
        if self._timer is not None and self._playing[0] in stopped:
            self._timer.cancel()
            self._timer = None
            self.cut.append(self._playing[0][1].key)
        for each in dict.fromkeys(number for number, _, _ in stopped):
            self._queue.put_nowait(PlayDone(each, False))
        self._playing = [each for each in self._playing if each not in stopped]
        self._next()

    async def listen(self, on: bool) -> None:
        self.listening = on

    async def bridge(self, other: Any) -> None:
        self.hears = [] if other is None else [other]

    async def hear(self, others: Sequence[Any]) -> None:
        if self.closed:
            raise MediaUnavailable("closed")
        self.hears = list(others)

    def kept(self) -> Confidential | None:
        return self.secret

    async def tap(self, on: bool) -> None:
        self.tapped = on

    async def press(self, keys: str) -> None:
        self.pressed += keys

    async def reoffer(self, offer: str) -> str:
        return f"answer to {offer}"

    def key(self, keys: str) -> None:
        """The far end presses keys."""
        for key in keys:
            self._queue.put_nowait(Digit(key, "rtp"))

    def post(self, event: MediaEvent) -> None:
        self._queue.put_nowait(event)

    def connect(self) -> None:
        """A browser's transport is up."""
        self._queue.put_nowait(Connected(self.name, "up"))

    def fail(self, how: str) -> None:
        """A browser: "closed" by its page, "failed", or "frozen": noticed by its silence."""
        if how == "frozen":
            self._queue.put_nowait(MediaTimeout(self.name, 2.0))
        else:
            self._queue.put_nowait(Connected(self.name, "closed" if how == "closed" else "failed", how))

    async def events(self) -> AsyncIterator[MediaEvent]:
        while not self.closed:
            yield await self._queue.get()

    async def close(self) -> LegStats:
        self.closed = True
        return LegStats(codec="PCMU")


class FakeMedia:
    def __init__(self) -> None:
        self.legs: list[FakeMediaLeg] = []

    async def start(self) -> None:
        return None

    async def open(
        self,
        leg: str,
        remote: MediaDescription | None,
        *,
        caller: bool = True,
        call: str = "",
        kept: Confidential | None = None,
    ) -> FakeMediaLeg:
        self.legs.append(self.made(leg, kept))
        return self.legs[-1]

    def made(self, leg: str, kept: Confidential | None) -> FakeMediaLeg:
        """Another kind of leg, for who wants one."""
        return FakeMediaLeg(leg, kept)

    async def open_browser(self, leg: str, offer: str) -> tuple[FakeMediaLeg, str]:
        self.legs.append(FakeMediaLeg(leg))
        return self.legs[-1], f"answer to {offer}"

    async def preload(self, clips: Sequence[Clip]) -> None:
        return None

    def healthy(self) -> bool:
        return True

    def loads(self) -> Sequence[MediaLoad]:
        return [MediaLoad(1, up=True, legs=len(self.legs))]

    async def stop(self) -> None:
        return None


class FakeEars:
    def __init__(self, language: str = "en-US") -> None:
        self.language = language
        self.closed = False
        self.requests: list[ListenRequest | None] = []
        self.saturated = False
        self._queue: asyncio.Queue[EarEvent | None] = asyncio.Queue()

    async def listen(self, request: ListenRequest | None) -> None:
        assert request is None or request.grammar.language == self.language, "a grammar that nobody here can hear"
        assert not self.closed
        self.requests = [*self.requests[-4:], request]

    def feed(self, pcm: bytes, at: float) -> None:
        return None

    async def abreast(self, within_s: float) -> bool:
        if self.saturated:
            await asyncio.sleep(within_s)
        return not self.saturated

    def begin(self) -> None:
        self._queue.put_nowait(SpeechStarted())

    def hear(self, text: str, manner: Manner | None = None) -> None:
        """The caller said ``text``: start, end, and what a perfect free transcription makes of it."""
        self.speak()
        self.read(text, manner)

    def speak(self) -> None:
        """The caller said something that is not read yet."""
        self.begin()
        self._queue.put_nowait(SpeechEnded())

    def noise(self) -> None:
        """What sounded like speech was none."""
        self._queue.put_nowait(Heard(Recognition(Cause.NO_INPUT_TIMEOUT)))

    def read(self, text: str, manner: Manner | None = None) -> None:
        cause = Cause.SUCCESS if text else Cause.NO_MATCH
        self._queue.put_nowait(Heard(Recognition(cause, (), text, 1.0, manner=manner or Manner())))

    def crash(self) -> None:
        self._queue.put_nowait(RecogniserFailed("killed"))

    async def events(self) -> AsyncIterator[EarEvent]:
        while (event := await self._queue.get()) is not None:
            yield event

    async def close(self) -> None:
        self.closed = True
        self._queue.put_nowait(None)


class FakeSpeech:
    """Speaks 0.3 s a word. ``mute``/``deaf``: the engines are gone."""

    def __init__(self) -> None:
        self.ears: list[FakeEars] = []
        self.rendered: deque[tuple[str, str]] = deque(maxlen=100)  # (language, text)
        self.recognised: tuple[str, ...] = ("en-US",)
        self.voices: tuple[str, ...] = ("en-US", "es-ES")
        self.mute = False
        self.raises: Exception | None = None
        self.deaf = False
        self.slow_s = 0.0  # to synthesise what was not synthesised before
        self.talkers = 1000  # beyond, calls are led by keys

    async def start(self) -> None:
        return None

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        if self.deaf or language not in self.recognised:
            raise SpeechUnavailable("no recogniser")
        self.ears.append(FakeEars(language))
        return self.ears[-1]

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
    ) -> Clip:
        if self.mute:
            raise SpeechUnavailable("no synthesiser")
        if self.raises is not None:
            raise self.raises
        if self.slow_s and (language, text) not in self.rendered:
            await asyncio.sleep(self.slow_s)
        self.rendered.append((language, text))
        return Clip(text, bytes(2 * int(8000 * 0.3 * max(len(text.split()), 1))))

    async def recording(self, name: str, language: str) -> Clip | None:
        return None

    async def render_all(
        self, prompts: Sequence[tuple[str, str, str]], progress: Callable[[int, int], None] | None = None
    ) -> Sequence[Clip]:
        return [await self.render(*p) for p in prompts]

    def recognisers(self) -> Sequence[EngineStatus]:
        return [EngineStatus("fake", self.recognised, True)]

    def synthesisers(self) -> Sequence[EngineStatus]:
        return [EngineStatus("fake", self.voices, not self.mute)]

    def load(self, calls: int) -> SpeechLoad:
        return SpeechLoad(calls, self.talkers, crowded=calls > self.talkers)

    def endpoints(self) -> Sequence[EngineStatus]:
        return []

    async def stop(self) -> None:
        return None


TITLES = ("Casablanca", "Vertigo", "Metropolis", "Nosferatu")


class FakeActions:
    """One member with four titles. ``broken`` raises; ``slow_s`` delays."""

    def __init__(self) -> None:
        self.queue = list(TITLES)
        self.calls: list[ActionCall] = []
        self.broken = False
        self.slow_s = 0.0

    def _state(self) -> dict[str, Any]:
        return {
            "facts": {
                "caller.id": "10001",
                "member.number": "10001",
                "member.name": "Rosa Diaz",
                "member.first_name": "Rosa",
                "queue.size": len(self.queue),
                "queue.next": self.queue[0],
                "member.damaged_reports": 0,
            },
            "vocabularies": {
                "queue": tuple(Term(t, t, (t.lower(),)) for t in self.queue),
                "catalogue": tuple(Term(t, t, (t.lower(),)) for t in (*TITLES, "Vampyr")),
                "discs": (Term("Vertigo", "Vertigo", ("vertigo",)),),
            },
        }

    async def perform(self, call: ActionCall) -> ActionResult:
        if call.name == "caller.earlier_calls":
            return ActionResult("ok", {"count": 0}, facts={"caller.calls_on_this": 0})
        self.calls.append(call)
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.broken:
            raise StoreUnavailable("the database is stopped")
        if call.name == "queue.move_to_position":
            title = str(call.arguments["title"])
            self.queue.remove(title)
            self.queue.insert(int(str(call.arguments["position"])) - 1, title)
            return ActionResult("ok", {"title": title, "position": call.arguments["position"]}, **self._state())
        if call.name in {"member.identify_by_caller", "member.identify_by_number"}:
            return ActionResult("found", {}, **self._state())
        if call.name == "callback.request" and not call.facts.get("call.caller"):
            return ActionResult("no_number")
        if call.name == "queue.read":
            return ActionResult("ok", {"titles": ", ".join(self.queue), "count": len(self.queue)}, **self._state())
        return ActionResult("ok", {}, **self._state())

    async def vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        return {}


@dataclass
class FakeEndpoint:
    """Dials FakeLegs. ``answers``: per dial, a status to fail with, or None to answer after ``ring_s``."""

    answers: list[int | None] = field(default_factory=list)
    ring_s: float = 0.5
    dialled: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    legs: list[FakeLeg] = field(default_factory=list)
    restored: list[FakeLeg] = field(default_factory=list)
    under_way: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    async def start(self, on_call: Callable[[Any], None]) -> None:
        return None

    async def dial(
        self,
        target: str,
        local: MediaDescription,
        *,
        caller: Party,
        headers: Mapping[str, str],
        ring_timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
        srtp: SrtpPolicy | None = None,
        of_call: str = "",
    ) -> FakeLeg:
        self.dialled.append((target, headers))
        status = self.answers.pop(0) if self.answers else None
        self.under_way.append(self.dialled[-1])
        try:
            if on_ringing is not None:
                on_ringing()
            await asyncio.sleep(min(self.ring_s, ring_timeout_s))
        finally:
            self.under_way.pop()
        if ring_timeout_s < self.ring_s:
            raise DialFailed(408, "No answer in time")
        if status is not None:
            raise DialFailed(status, "no")
        self.legs.append(FakeLeg(f"agent-{len(self.legs) + 1}"))
        return self.legs[-1]

    def ringing(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        return [{"target": target} for target, _ in self.under_way]

    def cancel(self, kept: Mapping[str, Any]) -> None:
        self.cancelled.append(str(kept["target"]))

    def restore(self, kept: Mapping[str, Any]) -> FakeLeg:
        self.restored.append(FakeLeg(str(kept["leg"]), str(kept["number"])))
        return self.restored[-1]

    def registrations(self) -> Sequence[RegistrationStatus]:
        return []

    def load(self) -> SignallingLoad:
        return SignallingLoad()

    def traffic(self) -> SipTraffic:
        return SipTraffic()

    def refuse_new_calls(self, status: int, retry_after_s: int) -> None:
        return None

    def take_new_calls(self) -> None:
        return None

    async def stop(self) -> None:
        return None


@dataclass
class FakeDesk:
    open: bool = True
    mode: str = "bridge"
    rings_s: float = 20.0
    store_down: bool = False
    contexts: list[HandoffContext] = field(default_factory=list)

    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        return [Destination("desk", "sip:agent@test", self.mode, self.rings_s)] if self.open else []

    async def store_context(self, context: HandoffContext) -> str:
        self.contexts.append(context)
        if self.store_down:
            raise StoreUnavailable("the database is stopped")
        return "http://test/handoff/t"

    def url_of(self, token: str) -> str:
        return f"http://test/handoff/{token}"

    async def context(self, token: str) -> Mapping[str, Any] | None:
        if self.store_down:
            raise StoreUnavailable("the database is stopped")
        return self.contexts[-1].to_json() if self.contexts else None

    def headers(self, context: HandoffContext, url: str) -> Mapping[str, str]:
        return {"X-IVR-Reason": context.reason, "X-IVR-Context": url}

    def whisper(self, context: HandoffContext) -> str:
        return f"whisper {context.reason}"


class FakeRecords:
    """CallRecords in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.finished: dict[str, Mapping[str, Any]] = {}
        self.resume_points: dict[str, Mapping[str, Any]] = {}
        self.known: dict[str, Any] = {}
        self.places: dict[str, str] = {}  # call -> caller
        self.broken = False

    def _work(self) -> None:
        if self.broken:
            raise StoreUnavailable("the database is stopped")

    async def begin(self, call_id: str, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> None:
        self._work()

    async def append_all(self, call_id: str, entries: Sequence[Entry], first: int | None = None) -> None:
        self._work()
        self.entries += entries

    async def update(self, call_id: str, **changes: Any) -> None:
        self._work()
        self.known |= changes

    async def finish(
        self,
        call_id: str,
        outcome: str,
        at: datetime,
        canonical: Mapping[str, Any],
        opening: CallOpening | None = None,
    ) -> None:
        self._work()
        self.finished[call_id] = canonical

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        return None

    async def find(self, asked: CallSearch, without: Collection[str] = ()) -> CallsFound:
        return CallsFound((), CallTotals())

    async def save_resume_point(
        self, caller_id: str, snapshot: Mapping[str, Any], at: datetime, *, call_id: str = ""
    ) -> None:
        self._work()
        self.resume_points[caller_id] = snapshot
        self.places[call_id] = caller_id

    async def forget_resume_point(self, call_id: str) -> None:
        self._work()
        self.resume_points.pop(self.places.pop(call_id, ""), None)

    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        self._work()
        if any(caller == caller_id and call not in self.finished for call, caller in self.places.items()):
            return None  # of a call that goes on
        return self.resume_points.pop(caller_id, None)


class FakeMessages:
    """ivr.ports.Messages in memory. ``broken``: the database is away."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.broken = False

    async def keep(self, call_id: str, wav: bytes, caller_id: str = "") -> str:
        if self.broken:
            raise StoreUnavailable("the database is stopped")
        name = f"message-{len(self.kept) + 1}"
        self.kept[name] = wav
        return name

    async def message(self, name: str) -> bytes | None:
        return self.kept.get(name)


AGENTS = tuple(Agent(name=name, target=f"sip:{name}@test") for name in ("ann", "bob"))


def _away(clock: Clock) -> FakeLine:
    """A line that can't be reached: whoever wants a human gets the configured destinations in turn."""
    line = FakeLine(clock.now)
    line.down = True
    return line


def services(
    *,
    endpoint: SipEndpoint | None = None,
    media: MediaEngine | None = None,
    speech: SpeechService | None = None,
    actions: Actions | None = None,
    desk: Desk | None = None,
    line: Line | None = None,
    records: CallRecords | None = None,
    clock: Clock | None = None,
    registry: CallRegistry | None = None,
    messages: Messages | None = None,
    waiting: WaitingRules = USUAL,
) -> CallServices:
    """What calls share, fake where nothing is given."""
    clock = clock or VirtualClock()
    media, speech, desk = media or FakeMedia(), speech or FakeSpeech(), desk or FakeDesk()
    switchboard = Switchboard(endpoint or FakeEndpoint(), media, speech, desk, "sip:line@test")
    return CallServices(
        media=media,
        speech=speech,
        actions=actions or FakeActions(),
        desk=desk,
        line=line or _away(clock),
        records=records or FakeRecords(),
        clock=clock,
        registry=CallRegistry() if registry is None else registry,
        switchboard=switchboard,
        floor=AgentFloor(AGENTS, switchboard, media),
        messages=messages,
        waiting=lambda: waiting,
    )
