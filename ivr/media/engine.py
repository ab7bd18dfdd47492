"""The media process, seen from the line: starts it, restarts it when it dies, speaks with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from ivr.errors import MediaUnavailable
from ivr.events import DigitSource
from ivr.media import wire
from ivr.media.clip import Clip
from ivr.media.description import MediaDescription
from ivr.media.leg import ProcessMediaLeg
from ivr.media.negotiation import NoCommonCodec
from ivr.media.wire import REQUEST, Kind

_START_S = 15.0
_REPLY_S = 5.0
_PING_S = 1.0
_LONGEST_BACK_OFF_S = 10.0
_SOCKET_BUFFER = 1 << 20
_SOURCE = str(Path(__file__).resolve().parents[2])  # where the package ivr is found, also when it isn't installed

_log = structlog.get_logger(__name__)


class _Wire(asyncio.Protocol):
    """The line's end of the control socket."""

    def __init__(self, engine: ProcessMediaEngine) -> None:
        self._engine = engine
        self._splitter = wire.Splitter()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        for kind, leg, body in self._splitter.feed(data):
            self._engine.received(kind, leg, body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


class ProcessMediaEngine:
    """Implements ``ivr.ports.MediaEngine``.

    ``host`` is bound and, unless ``advertise`` names another address (NAT, 0.0.0.0), written into descriptions.
    ``port_range`` is inclusive; ``codecs`` in order of preference; ``timeout_s`` of silence make a MediaTimeout.
    ``clip_bytes`` bounds the PCM that the process keeps of clips (it holds up to twice that, with the encoded form).
    A process that answers no ping for ``hung_after_s`` is replaced like one that died.
    """

    def __init__(
        self,
        host: str,
        port_range: tuple[int, int],
        codecs: Sequence[str] = ("PCMU", "PCMA", "G722"),
        timeout_s: float = 30.0,
        *,
        advertise: str = "",
        clip_bytes: int = 128 << 20,
        hung_after_s: float = 10.0,
    ) -> None:
        self._setup = {
            "bind": host,
            "host": advertise or host,
            "low": port_range[0],
            "high": port_range[1],
            "codecs": list(codecs),
            "timeout_s": timeout_s,
        }
        self._clip_bytes = clip_bytes
        self._hung_after_s = hung_after_s
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._stopping = False
        self._heard_at = 0.0
        self._legs: dict[int, ProcessMediaLeg] = {}
        self._last_leg = 0
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._last_request = 0
        self._clips: OrderedDict[str, tuple[int, int]] = (
            OrderedDict()
        )  # number and bytes by key, as the process has them
        self._clips_held = 0
        self._last_clip = 0

    @property
    def pid(self) -> int | None:
        """Of the media process, None while there is none."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Spawn the process and wait until it serves. Raises MediaUnavailable."""
        wire = await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(wire), name="media-supervisor")

    def healthy(self) -> bool:
        return self._up.is_set() and time.monotonic() - self._heard_at < self._hung_after_s

    async def open(self, leg: str, remote: MediaDescription | None) -> ProcessMediaLeg:
        """Bind a port pair and negotiate. Raises NoCommonCodec (answer 488), or MediaUnavailable."""
        if not self._up.is_set() and not self._stopping:
            with contextlib.suppress(TimeoutError):  # a restart is under way
                await asyncio.wait_for(self._up.wait(), _REPLY_S)
        self._last_leg += 1
        number = self._last_leg
        try:
            value = await self.request(Kind.OPEN, number, wire.described(remote))
        except asyncio.CancelledError:
            self.send(Kind.CLOSE, number, REQUEST.pack(0))
            raise
        local = wire.description(value)
        assert local is not None
        opened = self._legs[number] = ProcessMediaLeg(self, number, leg, local)
        return opened

    async def preload(self, clips: Sequence[Clip]) -> None:
        """Ship clips ahead of their first use."""
        for clip in clips:
            self._ship(clip)
            await asyncio.sleep(0)  # megabytes may go: let calls have their turn
        self._trim()

    async def stop(self) -> None:
        """End the process; legs still open get MediaLost."""
        self._stopping = True
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor
        await self._reap("the service stops")

    # --- for legs (Link) -------------------------------------------------------------------------------------

    def send(self, kind: Kind, leg: int, body: bytes = b"") -> None:
        """Tell the process; nothing happens when there is none (its legs know already, or will at once)."""
        if self._transport is not None:
            self._transport.write(wire.frame(kind, leg, body))

    async def request(self, kind: Kind, leg: int, value: object = None) -> Any:
        """Ask the process. Raises MediaUnavailable (or NoCommonCodec) when it refuses, dies or hangs."""
        if self._transport is None or not (self._up.is_set() or kind is Kind.SETUP):
            raise MediaUnavailable(
                "the media process is down", remedy="it restarts by itself; see media.lost in the log"
            )
        self._last_request = number = (self._last_request + 1) & 0xFFFFFFFF
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[number] = future
        self.send(kind, leg, REQUEST.pack(number) + wire.pack(value))
        try:
            async with asyncio.timeout(_START_S if kind is Kind.SETUP else _REPLY_S):
                return await future
        except TimeoutError as error:
            raise MediaUnavailable(f"the media process did not answer {kind.name}") from error
        finally:
            self._requests.pop(number, None)

    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None:
        """Ship what the process lacks, then the order to play it."""
        numbers = [self._ship(clip) for clip in clips]
        self.send(Kind.PLAY, leg, wire.play(token, numbers, stop_on_key=stop_on_key, gap_ms=gap_ms))
        for clip, number in zip(clips, numbers, strict=True):
            if not clip.key:
                self.send(Kind.FORGET, number)
        self._trim()

    def forget_leg(self, leg: int) -> None:
        self._legs.pop(leg, None)

    # --- clips -----------------------------------------------------------------------------------------------

    def _ship(self, clip: Clip) -> int:
        """The process's number for ``clip``. A clip without a key is never shared."""
        known = self._clips.get(clip.key) if clip.key else None
        if known is not None:
            self._clips.move_to_end(clip.key)
            return known[0]
        self._last_clip += 1
        if clip.key and self._transport is not None:
            self._clips[clip.key] = (self._last_clip, len(clip.pcm))
            self._clips_held += len(clip.pcm)
        self.send(Kind.CLIP, self._last_clip, clip.pcm)
        return self._last_clip

    def _trim(self) -> None:
        # Which clips the process keeps is decided here, and told in order: it never lacks one that is to be played.
        while self._clips_held > self._clip_bytes and self._clips:
            _, (number, size) = self._clips.popitem(last=False)
            self._clips_held -= size
            self.send(Kind.FORGET, number)

    # --- what the process says -------------------------------------------------------------------------------

    def received(self, kind: int, number: int, body: bytes) -> None:
        """One frame from the process."""
        if kind == Kind.AUDIO:
            for target, at, pcm in wire.parse_audio(body):
                leg = self._legs.get(target)
                if leg is not None:
                    leg.on_audio(pcm, at)
            return
        if kind in (Kind.REPLY, Kind.READY, Kind.REFUSED):
            self._answered(kind, REQUEST.unpack_from(body)[0], wire.unpack(body[REQUEST.size :]))
            return
        if kind == Kind.PONG:
            self._heard_at = time.monotonic()
            return
        leg = self._legs.get(number)
        if leg is None:
            return
        if kind == Kind.DIGIT:
            key, source, at = wire.parse_digit(body)
            how: DigitSource = "rtp" if source == "rtp" else "tone"
            leg.on_digit(key, how, at)
        elif kind == Kind.DONE:
            leg.on_done(*wire.parse_done(body))
        elif kind == Kind.TIMEOUT:
            leg.on_timeout(wire.SECONDS.unpack(body)[0])
        elif kind == Kind.BROKEN:
            _log.error("media.leg_broken", leg=leg.name, error=body.decode())
            del self._legs[number]
            leg.on_lost(body.decode())

    def _answered(self, kind: int, number: int, value: Any) -> None:
        future = self._requests.get(number)
        if future is None or future.done():
            return
        if kind != Kind.REFUSED:
            future.set_result(value)
            return
        refusal = NoCommonCodec if value["kind"] == NoCommonCodec.__name__ else MediaUnavailable
        future.set_exception(refusal(value["message"], remedy=value["remedy"]))

    # --- the process's life ----------------------------------------------------------------------------------

    async def _spawn(self) -> _Wire:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        ours.setblocking(False)
        path = os.pathsep.join(filter(None, (_SOURCE, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ivr.media.process",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise MediaUnavailable(f"cannot start the media process: {error}") from error
        finally:
            theirs.close()
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_unix_connection(lambda: _Wire(self), sock=ours)
        self._transport = transport
        ready = asyncio.create_task(self.request(Kind.SETUP, 0, self._setup))
        ended = asyncio.create_task(wire.ended.wait())
        try:
            await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise MediaUnavailable("the media process ended while it started", remedy="see its standard error")
            codecs = (await ready)["codecs"]
        except BaseException:
            await self._reap("the media process did not start")
            raise
        finally:
            ready.cancel()
            ended.cancel()
        self._heard_at = time.monotonic()
        self._up.set()
        _log.info("media.started", pid=self._process.pid, codecs=codecs, host=self._setup["host"])
        return wire

    async def _supervise(self, wire: _Wire) -> None:
        """Watch the process; put a new one in its place when it dies or hangs."""
        back_off = 0.0
        while True:
            began = time.monotonic()
            reason = await self._watch(wire)
            lost = len(self._legs)
            await self._reap(reason)
            _log.error("media.lost", reason=reason, legs=lost)
            if time.monotonic() - began > 4 * _LONGEST_BACK_OFF_S:
                back_off = 0.0
            while True:
                await asyncio.sleep(back_off)
                back_off = min(max(0.25, 2 * back_off), _LONGEST_BACK_OFF_S)
                try:
                    wire = await self._spawn()
                    break
                except MediaUnavailable as error:
                    _log.error("media.restart_failed", error=str(error), retry_in_s=back_off)

    async def _watch(self, wire: _Wire) -> str:
        """Why the process is of no use any more, once it isn't."""
        while True:
            self.send(Kind.PING, 0)
            try:
                async with asyncio.timeout(_PING_S):
                    await wire.ended.wait()
                return "the media process died"
            except TimeoutError:
                if time.monotonic() - self._heard_at > self._hung_after_s:
                    return "the media process hung"

    async def _reap(self, reason: str) -> None:
        """Leave the process behind: its legs are lost, its requests fail, it is ended if it wasn't."""
        self._up.clear()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        self._clips.clear()
        self._clips_held = 0
        for future in self._requests.values():
            if not future.done():
                future.set_exception(MediaUnavailable(reason))
        legs, self._legs = self._legs, {}
        for leg in legs.values():
            leg.on_lost(reason)
        process, self._process = self._process, None
        if process is None:
            return
        if not self._stopping:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        try:
            async with asyncio.timeout(3.0):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
