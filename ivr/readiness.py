"""Readiness (/readyz): whether new calls can be served, and why not: the service's life, and every part calls need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import structlog

from ivr.errors import StoreUnavailable
from ivr.log_sink import SinkStatus
from ivr.media.load import MediaLoad
from ivr.ports import (
    EngineStatus,
    MediaEngine,
    RegistrationStatus,
    SignallingLoad,
    SipEndpoint,
    SpeechLoad,
    SpeechService,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PING_S = 2.5  # whoever asks is told so late at the latest
FRESH_S = 0.2
LOOK_S = 1.0
NOT_SERVED_WITHOUT = frozenset({"media", "speech"})
"""Parts of its own that a line says it misses when it is probed by SIP. Database and trunks are those of every line: a
proxy that took all of them out would refuse callers whom each could serve (RFC 3261 section 11.2: the answer to OPTIONS
is the one to an INVITE). A drain is no part: whoever refuses calls then knows it."""


class Life(StrEnum):
    """Where the service is between its start and its end. It never goes back, but for a drain that is taken back."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done at the start: "rendering prompts", 120 of 480; no ``total`` where nothing is counted."""

    name: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"{self.name}, {self.done} of {self.total}" if self.total else self.name


class Lifecycle:
    """``life`` and, while starting, ``step``. ``tell`` hears of each step."""

    def __init__(self, tell: Callable[[Step], None] = lambda step: None) -> None:
        self.life = Life.STARTING
        self.step = Step("")
        self._tell = tell

    def begin(self, name: str, done: int = 0, total: int = 0) -> None:
        """The next step of the start, or how far it is."""
        self.step = Step(name, done, total)
        self._tell(self.step)

    def reach(self, life: Life) -> None:
        """Later stages are never undone by reaching an earlier one."""
        order = list(Life)
        self.life = max(self.life, life, key=order.index)

    def resume(self) -> None:
        """A drain is taken back."""
        if self.life is Life.DRAINING:
            self.life = Life.SERVING


@dataclass(frozen=True, slots=True)
class Readiness:
    """``store``: "ok", or what is wrong with it; ``spooled``: how many writes wait for it; ``unkept``: how many
    will never be written; ``calls``: how many are in progress; ``flows``: what serves; ``log``: whether its lines are
    written; ``endpoints``: recognisers and voices that are asked elsewhere; ``unpurged``: why retention failed last;
    no caller depends on these three. ``open_trunk``: calls come by a trunk that needs no registration, too; ``died``:
    parts of the line that run no more, by a fault of ours; ``stale``: vocabularies whose service
    did not answer, and why: callers are understood by what it said last; ``refusal``: why the last leg that was asked
    for could not be opened, "" where it was."""

    calls: int
    media: bool
    store: str
    recognisers: Sequence[EngineStatus]
    synthesisers: Sequence[EngineStatus]
    registrations: Sequence[RegistrationStatus]
    flows: Mapping[str, Any]
    sip: SignallingLoad = field(default_factory=SignallingLoad)
    speech: SpeechLoad = field(default_factory=SpeechLoad)
    life: Life = Life.SERVING
    step: str = ""
    log: SinkStatus = field(default_factory=SinkStatus)
    spooled: int = 0
    unkept: int = 0
    endpoints: Sequence[EngineStatus] = ()
    unpurged: str = ""
    open_trunk: bool = False
    media_processes: Sequence[MediaLoad] = ()
    died: Sequence[str] = ()
    stale: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def ready(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> Sequence[str]:
        """Why new calls can't be served, each with the part it is about; empty when they can."""
        return tuple(reason for _, reason in self._faults())

    @property
    def state(self) -> str:
        """ "ready", "starting", "draining", "stopping", or the first part that is missing: "media", "store", "speech",
        "trunk"."""
        return next((state for state, _ in self._faults()), "ready")

    @property
    def warnings(self) -> Sequence[str]:
        """What somebody should look at, though new calls are served."""
        died = tuple(
            f"{part}: it died, by a fault of ours; restart this line when it may be drained" for part in self.died
        )
        stale = tuple(f"vocabulary {name}: {why}" for name, why in self.stale.items())
        refused = (f"media: the last caller or agent got no audio: {self.refusal}",) if self.refusal else ()
        unregistered = () if self._cut_off else tuple(self._unregistered())
        return (*died, *stale, *refused, *unregistered)

    def _faults(self) -> Iterator[tuple[str, str]]:
        """(state, reason) of each."""
        match self.life:
            case Life.STARTING:
                yield self.life.value, f"starting: {self.step}"
                return
            case Life.DRAINING:
                yield self.life.value, f"draining: no new calls; {self.calls} in progress may end by themselves"
            case Life.STOPPING:
                yield self.life.value, "stopping"
                return
        if not self.media:
            yield "media", "media: restarting"
        if self.store != "ok":
            yield "store", f"store: {self.store}"
        if not any(recogniser.healthy for recogniser in self.recognisers):
            details = {r.detail for r in self.recognisers if r.detail}
            yield "speech", "recognisers: " + ("; ".join(sorted(details)) or "there is none")
        if self.speech.refuses:
            yield "speech", f"speech: {self.speech.refuses}"
        if self._cut_off:
            yield from (("trunk", reason) for reason in self._unregistered())

    @property
    def _cut_off(self) -> bool:
        """Every trunk is lost. One of several leaves the others, and who calls by them."""
        lost = [each.state != "registered" for each in self.registrations]
        return bool(lost) and all(lost) and not self.open_trunk

    def _unregistered(self) -> Iterator[str]:
        for each in self.registrations:
            if each.state != "registered":
                where = f" at {each.by}" if each.by else ""
                yield f"trunk {each.trunk}: {each.state}{where}" + (f", {each.detail}" if each.detail else "")

    def verdict(self) -> dict[str, Any]:
        """For everybody: whether, which kind of part is missing, how far the start is; of no trunk or call anything."""
        starting = {"reasons": list(self.reasons)} if self.life is Life.STARTING else {}
        return {"status": "ready" if self.ready else "not ready", "state": self.state, **starting}

    def to_json(self) -> dict[str, Any]:
        ends = self.sip.certificate_ends
        return {
            **self.verdict(),
            "reasons": list(self.reasons),
            **({"warnings": list(self.warnings)} if self.warnings else {}),
            "calls": self.calls,
            "media": "ok" if self.media else "restarting",
            "media_processes": [
                {"process": each.number, "up": each.up, "legs": each.legs} for each in self.media_processes
            ],
            "store": self.store + (f"; {self.spooled} writes wait in the spool" if self.spooled else ""),
            **({"writes_lost": self.unkept} if self.unkept else {}),
            "retention": self.unpurged or "ok",
            "log": str(self.log),
            "log_lines_lost": self.log.lost,
            "recognisers": [_engine(status) for status in self.recognisers],
            "synthesisers": [_engine(status) for status in self.synthesisers],
            **({"endpoints": [_engine(status) for status in self.endpoints]} if self.endpoints else {}),
            "registrations": [
                {**asdict(r), "expires_at": r.expires_at and r.expires_at.isoformat()} for r in self.registrations
            ],
            "sip": {**asdict(self.sip), "certificate_ends": ends and ends.isoformat()},
            "speech": asdict(self.speech),
            "flow_version": self.flows.get("version", ""),
            "flows": self.flows,
        }


def _engine(status: EngineStatus) -> dict[str, Any]:
    return {"name": status.name, "healthy": status.healthy, "detail": status.detail}


class KeptStore(Protocol):
    """A database, and what waits for it: ``waiting`` writes; ``lost`` are those that will never be written;
    ``unpurged``: why what is old was not deleted, "" when it was."""

    @property
    def waiting(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def unpurged(self) -> str: ...
    async def ping(self) -> None:
        """Raises StoreUnavailable."""


class StoreProbe:
    """Whether the store can be written to, asked once for however many want to know.

    An answer is good for FRESH_S. A ping that hangs is not asked again beside itself."""

    def __init__(self, store: KeptStore) -> None:
        self.store = store
        self._asking: asyncio.Task[str] | None = None
        self._answered_at = 0.0

    async def __call__(self) -> str:
        """ "ok", or what is wrong; within PING_S."""
        loop = asyncio.get_running_loop()
        if self._asking is None or (self._asking.done() and loop.time() - self._answered_at > FRESH_S):
            self._asking = loop.create_task(self._ask(), name="store ping")
        await asyncio.wait({self._asking}, timeout=PING_S)
        return self._asking.result() if self._asking.done() else "it does not answer"

    async def settle(self) -> None:
        """Nothing is asked any more, before the store closes."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> str:
        try:
            await self.store.ping()
        except StoreUnavailable as error:
            return str(error)
        finally:
            self._answered_at = asyncio.get_running_loop().time()
        return "ok"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a call needs, to be asked how it is. ``calls`` are those in progress; ``flows`` says what serves;
    ``open_trunk``: whether calls come by a trunk that needs no registration; ``died``: see ``Readiness``."""

    lifecycle: Lifecycle
    calls: Sized
    store: StoreProbe
    media: MediaEngine
    speech: SpeechService
    endpoint: SipEndpoint
    flows: Callable[[], Mapping[str, Any]]
    log: Callable[[], SinkStatus]
    open_trunk: Callable[[], bool] = lambda: False
    died: Sequence[str] = ()
    stale: Callable[[], Mapping[str, str]] = dict
    refusal: Callable[[], str] = str

    async def readiness(self) -> Readiness:
        life = self.lifecycle.life
        up = life in (Life.SERVING, Life.DRAINING)  # before and after, not every part can be asked
        return Readiness(
            len(self.calls),
            self.media.healthy(),
            await self.store() if up else life.value,
            self.speech.recognisers(),
            self.speech.synthesisers(),
            self.endpoint.registrations(),
            self.flows() if life is not Life.STARTING else {},
            self.endpoint.load(),
            self.speech.load(len(self.calls)),
            life,
            str(self.lifecycle.step),
            self.log(),
            self.store.store.waiting,
            self.store.store.lost,
            self.speech.endpoints(),
            self.store.store.unpurged,
            self.open_trunk(),
            self.media.loads(),
            tuple(self.died),
            self.stale(),
            self.refusal(),
        )


class ReadinessWatch:
    """Asks every LOOK_S, so that a probe by SIP needs not wait; a change is logged. ``told`` hears of each answer."""

    def __init__(self, ask: Callable[[], Awaitable[Readiness]]) -> None:
        self._ask = ask
        self.state = "ready"
        self.told: Callable[[Readiness], None] = lambda readiness: None

    def unready(self) -> str:
        """The state of /readyz, for probes by SIP; "" where a call would be served."""
        return self.state if self.state in NOT_SERVED_WITHOUT else ""

    async def run(self) -> None:
        while True:
            readiness = await self._ask()
            if readiness.state != self.state:
                write = log.info if readiness.ready else log.warning
                write("readiness.changed", state=readiness.state, before=self.state, reasons=readiness.reasons)
                self.state = readiness.state
            self.told(readiness)
            await asyncio.sleep(LOOK_S)
