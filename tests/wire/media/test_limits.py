"""What runs out, and what goes wrong inside: it costs one leg or one packet, never the media process."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Digit
from ivr.media.description import G722, NEW, PCMU
from ivr.media.engine import ProcessMediaEngine
from ivr.media.process import ticker
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp_session import RtpSession
from ivr.media.wire import KEYS, Kind, described, pack, resumption, unpack
from ivr.workers.frames import REQUEST, Life, Splitter, frame
from tests.wire.media.conftest import Connect, Line
from tests.wire.media.far_end import FarEnd

pytestmark = pytest.mark.wire


def open_files(pid: int) -> set[int]:
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}


def limit_with(spare: int, pid: int) -> int:
    """The limit that leaves ``spare`` descriptors."""
    used = open_files(pid)
    return [number for number in range(len(used) + spare + 1) if number not in used][spare]


async def still_talks(line: Line) -> None:
    """Both ways, and keys too."""
    line.far.forget()
    await line.far.keep_silent(10)
    await line.far.received(8)
    before = len(line.log.of(Digit))
    line.far.press(KEYS.index("7"))
    assert (await line.log.first(Digit, before + 1))[-1].key == "7"


@pytest.mark.parametrize("spare", [0, 1])
async def test_a_call_without_a_descriptor_is_refused_and_the_others_go_on(
    engine: ProcessMediaEngine, connect: Connect, spare: int
) -> None:
    lines = [await connect() for _ in range(3)]
    first = engine.pid
    assert first is not None
    _, hard = resource.prlimit(first, resource.RLIMIT_NOFILE)
    resource.prlimit(first, resource.RLIMIT_NOFILE, (limit_with(spare, first), hard))
    far = await FarEnd.at_loopback()
    held = open_files(first)
    for codec in (PCMU, G722, PCMU):
        with pytest.raises(MediaUnavailable, match="open files"):
            await engine.open("one too many", far.description(codecs=(codec,)))
    with pytest.raises(MediaUnavailable, match="open files"):
        await engine.open("an agent's", None, caller=False)
    assert open_files(first) == held, "what was half open is closed again"
    await asyncio.gather(*(still_talks(line) for line in lines))
    assert engine.pid == first
    await lines[0].leg.close()
    again = await connect()
    await still_talks(again)
    resource.prlimit(first, resource.RLIMIT_NOFILE, (hard, hard))
    await still_talks(await connect())
    assert engine.pid == first
    far.close()


async def test_callers_are_refused_before_the_ports_of_those_who_join_them() -> None:
    low = 28_000
    engine = ProcessMediaEngine("127.0.0.1", (low, low + 7))
    await engine.start()
    callers = [await engine.open(f"caller-{n}", None) for n in range(2)]
    for _ in range(3):
        with pytest.raises(MediaUnavailable, match="kept for the agents"):
            await engine.open("one too many", None)
    agents = [await engine.open(f"agent-{n}", None, caller=False) for n in range(2)]
    assert len({leg.local.port for leg in callers + agents}) == 4
    with pytest.raises(MediaUnavailable, match="no free RTP port"):
        await engine.open("a third agent", None, caller=False)
    await callers[0].close()
    await (await engine.open("another caller", None)).close()
    await engine.stop()


# --- faults of our own, in a media process that is a thread here -------------------------------------------


class Inside:
    """A media process in a thread, and the line's end of its socket."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(30)
        self._splitter = Splitter()
        self._frames: list[tuple[int, int, bytes]] = []
        self._thread = threading.Thread(target=ticker.MediaProcess(theirs).run)
        self._thread.start()
        settings = {
            "bind": ["127.0.0.1"],
            "hosts": ["127.0.0.1"],
            "low": 29_000,
            "high": 29_399,
            "after": 0,
            "codecs": ["PCMU"],
            "timeout_s": 30.0,
            "browser_bind": "127.0.0.1",
            "browser_timeout_s": 2.0,
        }
        self.say(Life.SETUP, 0, pack(settings))
        self.hear(Life.READY)

    def say(self, kind: int, number: int, body: bytes) -> None:
        self._ours.sendall(frame(kind, number, body))

    def hear(self, kind: int) -> bytes:
        """The body of the next frame of ``kind``."""
        while True:
            for index, (found, _, body) in enumerate(self._frames):
                if found == kind:
                    del self._frames[index]
                    return body
            self._frames += self._splitter.feed(self._ours.recv(65536))

    def ask(self, kind: int, number: int, value: object) -> object:
        self.say(kind, number, REQUEST.pack(1) + pack(value))
        return unpack(self.hear(Life.REPLY)[REQUEST.size :])

    def refused(self, kind: int, number: int, value: object) -> str:
        self.say(kind, number, REQUEST.pack(1) + pack(value))
        return self.hear(Life.REFUSED)[REQUEST.size :].decode()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self._ours.close()
        self._thread.join(5)


@pytest.fixture
def inside() -> Iterator[Inside]:
    running = Inside()
    yield running
    running.close()


@pytest.fixture
async def far() -> AsyncIterator[FarEnd]:
    end = await FarEnd.at_loopback()
    yield end
    end.close()


def opened(inside: Inside, number: int, far: FarEnd) -> tuple[str, int]:
    local = inside.ask(Kind.OPEN, number, [described(far.description()), True, 0, resumption(NEW)])
    assert isinstance(local, dict)
    return local["host"], local["port"]


@pytest.mark.parametrize(
    "fault", [ValueError("odd"), OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)), KeyError(3), MemoryError()]
)
async def test_whatever_goes_wrong_in_opening_a_leg_refuses_that_leg(
    inside: Inside, far: FarEnd, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.target = opened(inside, 1, far)
    held = open_files(os.getpid())
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise fault

        patched.setattr(RtpSession, "aim", fail)
        assert "MediaUnavailable" in inside.refused(
            Kind.OPEN, 2, [described(far.description()), True, 0, resumption(NEW)]
        )
        assert open_files(os.getpid()) == held
    await far.received(5)
    assert inside.alive
    opened(inside, 3, far)


async def test_a_packet_that_nobody_thought_of_costs_itself_and_is_counted(
    inside: Inside, far: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    proper = Receiver.datagram

    def stumbling(self: Receiver, data: bytes, address: tuple[str, int], now: float) -> None:
        if data.endswith(b"boo"):
            raise IndexError("boo")
        proper(self, data, address, now)

    monkeypatch.setattr(Receiver, "datagram", stumbling)
    far.target = opened(inside, 1, far)
    for _ in range(3):
        await far.keep_silent(2)
        far.send(b"boo")
    await far.keep_silent(5)
    stats = inside.ask(Kind.STATS, 1, None)
    assert isinstance(stats, dict)
    assert (stats["packets_failed"], stats["packets_received"]) == (3, 11)
    level, event = unpack(inside.hear(Life.LOG))
    assert (level, event["event"], event["number"]) == ("error", "media.packet_failed", 1)
    assert "IndexError" in event["exception"]
    assert len(far.arrivals) > 5


async def test_a_frame_that_cannot_be_decoded_costs_its_leg_only(
    inside: Inside, far: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await FarEnd.at_loopback()
    far.target, other.target = opened(inside, 1, far), opened(inside, 2, other)
    proper = Receiver.tick

    def short(self: Receiver) -> bool:
        whole = proper(self)
        if whole and self.payload is not None and self.payload[:4] == b"bad!":
            self.payload = self.payload[:100]
        return whole

    monkeypatch.setattr(Receiver, "tick", short)
    await asyncio.gather(far.keep_silent(5), other.keep_silent(5))
    for _ in range(6):
        far.send(b"bad!" * 40)
        await other.keep_silent(1)
    assert "ValueError" in unpack(inside.hear(Kind.BROKEN))
    other.forget()
    await other.received(5)
    stats = inside.ask(Kind.STATS, 2, None)
    assert isinstance(stats, dict) and stats["packets_received"] == 11
    other.close()


async def test_an_order_that_fails_costs_the_leg_it_is_about(inside: Inside, far: FarEnd) -> None:
    other = await FarEnd.at_loopback()
    far.target, other.target = opened(inside, 1, far), opened(inside, 2, other)
    inside.say(Kind.PLAY, 1, pack([7, False, 0, [999]]))  # a clip that was never shipped
    assert "KeyError" in unpack(inside.hear(Kind.BROKEN))
    inside.say(Kind.LISTEN, 99, b"{")  # of no leg at all
    inside.say(200, 99, b"")  # of no kind
    assert "the leg is gone" in inside.refused(Kind.STATS, 1, None)
    other.forget()
    await other.received(5)
    assert inside.alive
    other.close()
