"""The RTP media engine, seen from the line: its process supervised, legs opened and closed, clips shipped once."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import structlog

from ivr.errors import MediaUnavailable
from ivr.media import wire
from ivr.media.browser_sdp import read_offer
from ivr.media.candidates import candidates, listening
from ivr.media.clip import Clip
from ivr.media.description import (
    NEW,
    MediaDescription,
    NoCommonCodec,
    Resumption,
    hosts_by_version,
    ip_version,
    is_concrete,
    literal,
)
from ivr.media.leg import ProcessMediaLeg
from ivr.media.load import MediaLoad
from ivr.media.resolution import resolved
from ivr.media.wire import Kind
from ivr.sealing import Confidential
from ivr.workers.frames import REQUEST
from ivr.workers.process import REPLY_S, Role, Worker

_ROLE = Role(
    name="media",
    title="the media process",
    module=("ivr.media.process",),
    errors=(MediaUnavailable, NoCommonCodec),
    remedy="it restarts by itself; see media.lost in the log",
    start_s=15.0,
    hung_after_s=4.0,  # nobody hears anything meanwhile; its calls go on in the next one
    socket_buffer=1 << 20,  # clips are megabytes
    longest_pause_s=1.0,  # callers wait in silence for the next one, which is there in half a second
    variables={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
)

_STALE_S = 15.0  # after that, what a process told of its ticks is of the past: it has no legs
_MOST_LIVES = 3  # of the process, that opening a leg may cost

Gather: TypeAlias = Callable[[Collection[ProcessMediaLeg]], Awaitable[None]]  # see ``leg.Commands.together``

_log = structlog.get_logger(__name__)


class ProcessMediaEngine:
    """Implements ``ivr.ports.MediaEngine``.

    ``hosts``, one address of each IP version, are bound and, unless ``advertise`` names another of that version (NAT,
    0.0.0.0), written into descriptions; which of them a leg has, the far end's description says. "::" means both.
    ``port_range`` is inclusive; ``codecs`` in order of preference; ``timeout_s`` of silence make a MediaTimeout.
    ``clip_bytes`` bounds the PCM that the process keeps of clips (it holds up to twice that, with the encoded form).
    Browsers find their legs at ``browser_addresses`` (without any: at ``hosts`` and ``advertise``); they send all the
    time, ``browser_timeout_s`` of silence are enough.
    A process that answers no ping for ``hung_after_s`` is replaced like one that died.
    ``number``: of this process among those of a pool, whose legs and clips are all numbered by ``numbers`` and which
    brings legs together (``gather``)."""

    def __init__(
        self,
        hosts: str | Sequence[str],
        port_range: tuple[int, int],
        codecs: Sequence[str] = ("PCMU", "PCMA", "G722"),
        timeout_s: float = 30.0,
        *,
        advertise: Sequence[str] = (),
        browser_addresses: Sequence[str] = (),
        browser_timeout_s: float = 2.0,
        clip_bytes: int = 128 << 20,
        hung_after_s: float = _ROLE.hung_after_s,
        number: int = 1,
        numbers: Iterator[int] | None = None,
        gather: Gather | None = None,
    ) -> None:
        self.number = number
        bound = hosts_by_version([hosts] if isinstance(hosts, str) else hosts)
        home = next(iter(bound.values())) if len(bound) == 1 or any(map(is_concrete, bound.values())) else "::"
        shown = bound | {ip_version(each): each for each in advertise if literal(each) and ip_version(each) in bound}
        self.versions = tuple(bound)
        self._settings = {
            "bind": list(bound.values()),
            "hosts": list(shown.values()),
            "low": port_range[0],
            "high": port_range[1],
            "codecs": list(codecs),
            "timeout_s": timeout_s,
            "browser_bind": listening(home, browser_addresses),
            "browser_timeout_s": browser_timeout_s,
        }
        self._candidates = (home, tuple(advertise), tuple(browser_addresses))
        self.worker = self._worker = Worker(replace(_ROLE, hung_after_s=hung_after_s), self)
        self._serving = False
        self._last_port = 0  # that a new leg got
        self._life = 0  # how many processes were lost
        self._members: dict[int, ProcessMediaLeg] = {}  # open, being opened, or lost and waiting to be reopened
        self._of_calls: Counter[str] = Counter()  # how many of these each call has
        self.callers = 0  # how many of these are callers'
        self._legs: dict[int, ProcessMediaLeg] = {}  # that the process has
        self._numbers = numbers or itertools.count(1)  # of legs and clips
        self._gather = gather
        self._empty = asyncio.Event()
        self._empty.set()
        self._pace = (0, 0, 0.0, 0.0)  # ticks, late ones, how late the latest was, when that was told
        self._clip_bytes = clip_bytes
        self._clips: OrderedDict[str, tuple[int, int]] = OrderedDict()  # number and bytes by key, as the process has it
        self._clips_held = 0

    @property
    def pid(self) -> int | None:
        """Of the media process, None while there is none."""
        return self._worker.pid

    async def start(self) -> None:
        """Spawn the process and wait until it serves. Raises MediaUnavailable."""
        problem = await self._worker.start()
        if problem:
            await self._worker.stop()
            raise MediaUnavailable(problem, remedy="see its standard error")

    def healthy(self) -> bool:
        """Whether it serves now, and has answered lately."""
        return self._worker.healthy

    @property
    def legs(self) -> Collection[ProcessMediaLeg]:
        """Those that are its own: open, being opened, or lost and waiting for its next life."""
        return self._members.values()

    def legs_of(self, call: str) -> int:
        """How many of its legs are that call's."""
        return self._of_calls.get(call, 0)

    async def emptied(self) -> None:
        """Waits until it has no legs."""
        await self._empty.wait()

    @property
    def load(self) -> MediaLoad:
        """As of now."""
        ticks, late, worst_s, at = self._pace
        stale = asyncio.get_running_loop().time() - at > _STALE_S
        up, restarts = self._worker.up, self._worker.restarts
        return MediaLoad(self.number, up, len(self._members), restarts, ticks, late, 0.0 if stale else worst_s)

    def loads(self) -> Sequence[MediaLoad]:
        """Of the one."""
        return [self.load]

    def share(self, low: int, high: int) -> None:
        """These ports are its own from now on; legs that are open keep theirs."""
        self._settings |= {"low": low, "high": high}
        if self._worker.up:
            self.send(Kind.PORTS, 0, [low, high, self._last_port])

    async def open(
        self,
        leg: str,
        remote: MediaDescription | None,
        *,
        caller: bool = True,
        call: str = "",
        kept: Confidential | None = None,
    ) -> ProcessMediaLeg:
        """Bind a port pair and negotiate; ``caller``: for one, who may not have the ports kept for who joins them.
        ``call``: what the leg is a part of; ``kept``: by another process, of the far end's session with that: its keys
        go on being the ones.

        A process that is lost over this is followed by one that is asked again. Raises NoCommonCodec (answer 488), or
        MediaUnavailable."""
        remote, resumed = _resumed(leg, remote, kept)
        for lives_left in reversed(range(_MOST_LIVES)):
            opened = ProcessMediaLeg(
                self, next(self._numbers), leg, remote, caller=caller, call=call or leg, resumed=resumed
            )
            life = self._life
            try:
                await opened.open()
                break
            except BaseException as error:
                self.forget_leg(opened.number)
                if not isinstance(error, MediaUnavailable):
                    raise
                if self._life == life or not lives_left:
                    raise
                _log.info("media.unopened", leg=leg, why=str(error))
                resumed = replace(resumed, processes=resumed.processes + 1)
        return opened

    async def open_browser(self, leg: str, offer: str) -> tuple[ProcessMediaLeg, str]:
        """A leg to the browser that made ``offer``; our answer. Connected follows on the leg.

        Raises ValueError for what is no browser's offer, NoCommonCodec, or MediaUnavailable."""
        browser = read_offer(offer)
        opened = await self.open(leg, browser.remote, caller=False)
        return opened, opened.answer(browser)

    async def preload(self, clips: Sequence[Clip]) -> None:
        """Ship clips ahead of their first use."""
        for clip in clips:
            self._ship(clip)
            await asyncio.sleep(0)  # megabytes may go: let calls have their turn
        self._trim()

    async def stop(self) -> None:
        """End the process; legs still open get MediaLost."""
        await self._worker.stop()

    # --- for legs (Commands) ---------------------------------------------------------------------------------

    async def bind(
        self, leg: ProcessMediaLeg, remote: MediaDescription | None, port: int, resumed: Resumption
    ) -> MediaDescription:
        """Ports for ``leg``, waiting for a restart under way: ``port`` and the next where they are free. Raises
        NoCommonCodec or MediaUnavailable."""
        number = leg.number
        if number not in self._members:
            self._members[number] = leg
            self._of_calls[leg.call] += 1
            self.callers += leg.caller
        self._empty.clear()
        await self._worker.wait_up(REPLY_S)
        remote = None if remote is None else await resolved(remote, self.versions)
        self._legs[number] = leg
        life = self._life
        try:
            order = [wire.described(remote), leg.caller, port, wire.resumption(resumed)]
            local = wire.description(await self.request(Kind.OPEN, number, order))
        except BaseException as error:
            self._legs.pop(number, None)
            if isinstance(error, asyncio.CancelledError):
                self._worker.send(Kind.CLOSE, number, REQUEST.pack(0) + wire.pack(None))
            raise
        if self._life != life or local is None:  # it answered, and died before we came to read that
            raise MediaUnavailable("the media process died", remedy=_ROLE.remedy)
        if not port:
            self._last_port = local.port
        return local

    def send(self, kind: Kind, leg: int, value: object = None) -> None:
        """Tell the process; nothing happens when there is none (its legs know already, or will at once)."""
        self._worker.send(kind, leg, wire.pack(value))

    async def request(self, kind: Kind, leg: int, value: object = None) -> Any:
        """Ask the process. Raises MediaUnavailable (or NoCommonCodec) when it refuses, dies or hangs."""
        return wire.unpack(await self._worker.request(kind, leg, wire.pack(value)))

    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None:
        """Ship what the process lacks, then the order to play it."""
        numbers = [self._ship(clip) for clip in clips]
        self.send(Kind.PLAY, leg, [token, stop_on_key, gap_ms, numbers])
        for clip, number in zip(clips, numbers, strict=True):
            if not clip.key:
                self.send(Kind.FORGET, number)
        self._trim()

    def candidates(self) -> list[str]:
        """Where a browser reaches our ports: looked up each time, machines get and lose addresses."""
        return candidates(*self._candidates)

    def forget_leg(self, leg: int) -> None:
        """The leg is closed, or another process's: what still comes of it is nobody's."""
        self._legs.pop(leg, None)
        member = self._members.pop(leg, None)
        if member is not None:
            self.callers -= member.caller
            self._of_calls[member.call] -= 1
            if not self._of_calls[member.call]:
                del self._of_calls[member.call]
        if not self._members:
            self._empty.set()

    async def together(self, legs: Collection[ProcessMediaLeg]) -> None:
        """See ``leg.Commands``: by the pool that this process is in."""
        if all(leg.commands is self for leg in legs):
            return
        if self._gather is None:
            raise TypeError("only legs of one media engine can hear each other")
        await self._gather(legs)

    # --- clips -----------------------------------------------------------------------------------------------

    def _ship(self, clip: Clip) -> int:
        """The process's number for ``clip``. A clip without a key is never shared."""
        known = self._clips.get(clip.key) if clip.key else None
        if known is not None:
            self._clips.move_to_end(clip.key)
            return known[0]
        number = next(self._numbers)
        if self._worker.send(Kind.CLIP, number, clip.pcm) and clip.key:
            self._clips[clip.key] = (number, len(clip.pcm))
            self._clips_held += len(clip.pcm)
        return number

    def _trim(self) -> None:
        # Which clips the process keeps is decided here, and told in order: it never lacks one that is to be played.
        while self._clips_held > self._clip_bytes and self._clips:
            _, (number, size) = self._clips.popitem(last=False)
            self._clips_held -= size
            self.send(Kind.FORGET, number)

    # --- for the worker (Owner) ------------------------------------------------------------------------------

    def setup(self) -> bytes:
        """What the process is to know: where to bind, what to offer."""
        return wire.pack(self._settings | {"after": self._last_port})

    def ready(self, body: bytes) -> bool:
        """It serves; ``body`` names its codecs."""
        self._serving = True
        _log.info(
            "media.started",
            process=self.number,
            pid=self.pid,
            codecs=wire.unpack(body)["codecs"],
            hosts=self._settings["hosts"],
        )
        return True

    def received(self, kind: int, number: int, body: bytes) -> None:
        """One frame from the process."""
        if kind == Kind.AUDIO:
            for target, at, pcm in wire.parse_audio(body):
                leg = self._legs.get(target)
                if leg is not None:
                    leg.on_audio(pcm, at)
            return
        if kind == Kind.PACE:
            ticks, late, worst_s = wire.unpack(body)
            before = self._pace
            self._pace = (before[0] + ticks, before[1] + late, worst_s, asyncio.get_running_loop().time())
            return
        leg = self._legs.get(number)
        if leg is None:
            return
        if kind == Kind.TAPPED:
            leg.on_tapped(*wire.parse_tapped(body))
            return
        value = wire.unpack(body)
        if kind == Kind.BROKEN:
            _log.error("media.leg_broken", leg=leg.name, error=value)
            del self._legs[number]
            leg.on_lost(value)
        else:
            leg.received(kind, value)

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        """Its legs are lost until they are opened again, its clips gone with it."""
        self._life += 1
        self._clips.clear()
        self._clips_held = 0
        legs, self._legs = self._legs, {}
        served, self._serving = self._serving, False
        for leg in legs.values():
            leg.on_lost(reason)
        if restart_in_s is None:
            return
        if served:
            _log.error("media.lost", process=self.number, reason=reason, legs=len(legs))
        else:
            _log.error("media.restart_failed", process=self.number, error=reason, retry_in_s=restart_in_s)


def _resumed(
    leg: str, remote: MediaDescription | None, kept: Confidential | None
) -> tuple[MediaDescription | None, Resumption]:
    """``remote`` with the keys that were ``kept``, and what its session goes on with."""
    if kept is None or remote is None or remote.secure is None:
        return remote, NEW
    try:
        secure, resumed = wire.parse_kept(kept.value)
    except (KeyError, TypeError, ValueError) as error:
        _log.warning("media.keys_unreadable", leg=leg, error=type(error).__name__)
        return remote, NEW
    if type(secure) is not type(remote.secure):
        return remote, NEW
    return replace(remote, secure=secure), resumed
