"""Browser legs joined with plain ones, against plain ones joined: frames delivered, their delay, the process's CPU.

``python -m tests.bench.browser_legs --pairs 30 --seconds 10``. The far ends live in a process of their own."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ivr.events import Connected
from ivr.media.description import PCMU, MediaDescription
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.rtp import Packet, build, parse, sequence_ahead
from tests.bench.media_pacing import _cpu_seconds as cpu_seconds
from tests.wire.media.browser_peer import BrowserPeer

TICK_S = 0.02
AIM_MS = 3.0  # of CPU per call-second more than plain legs
NOISE = np.random.default_rng(1).choice([0x60, 0xE0, 0x55, 0xD5], 156).astype(np.uint8).tobytes()  # somebody talks


class FarEnd:
    """One far end on a socket: it says a number in each frame, and notes which numbers it hears."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.target = ("127.0.0.1", 9)
        self.said = 0
        self.sequences: list[int] = []
        self.heard: list[tuple[int, float]] = []  # number, when

    def offer(self) -> str:
        return str(self.socket.getsockname()[1])

    def answered(self, answer: str) -> None:
        self.target = ("127.0.0.1", int(answer))

    @property
    def up(self) -> bool:
        return True

    def say(self) -> None:
        self.said += 1
        with suppress(OSError):
            self.socket.sendto(self.packet(self.said.to_bytes(4, "big") + NOISE), self.target)

    def packet(self, payload: bytes) -> bytes:
        return build(Packet(0, False, self.said, self.said * 160, self.number + 1, payload))

    def read(self) -> None:
        while True:
            try:
                data, _ = self.socket.recvfrom(2048)
            except OSError:
                return
            clear = self.clear(data)
            packet = parse(clear) if clear else None
            if packet is not None and packet.payload_type == 0:
                self.sequences.append(packet.sequence)
                if packet.payload[4:] == NOISE:
                    self.heard.append((int.from_bytes(packet.payload[:4], "big"), time.monotonic()))

    def clear(self, data: bytes) -> bytes | None:
        return data


class BrowserEnd(FarEnd):
    """The same, as a browser."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.peer = BrowserPeer()

    def offer(self) -> str:
        return self.peer.offer()

    def answered(self, answer: str) -> None:
        self.peer.answered(answer)
        [self.target] = self.peer.candidates
        self.socket.sendto(self.peer.check(), self.target)

    @property
    def up(self) -> bool:
        return self.peer.up

    def say(self) -> None:
        if self.up:
            super().say()

    def packet(self, payload: bytes) -> bytes:
        return self.peer.rtp(payload)

    def clear(self, data: bytes) -> bytes | None:
        if data[0] < 4:
            self._send(self.peer.dtls())  # the check was answered
        elif data[0] < 64:
            self._send(self.peer.dtls(data))
        else:
            return self.peer.clear(data)
        return None

    def _send(self, datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            self.socket.sendto(datagram, self.target)


def far_ends(kinds: Sequence[type[FarEnd]], pipe: Connection) -> None:
    """The process of the far ends; the one after the other is joined with it."""
    with suppress(OSError):  # telephones are machines of their own
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    ends = [kind(number) for number, kind in enumerate(kinds)]
    pipe.send([end.offer() for end in ends])
    for end, answer in zip(ends, pipe.recv(), strict=True):
        end.answered(answer)
    ready = selectors.DefaultSelector()
    reads: dict[int, Callable[[], None]] = {}
    for end in ends:
        ready.register(end.socket, selectors.EVENT_READ)
        reads[end.socket.fileno()] = end.read
    due = time.monotonic()
    spoken: dict[int, float] = {}  # the same number is said by all at once
    starved = 0
    while not pipe.poll():
        due += TICK_S
        while (left := due - time.monotonic()) > 0:
            for key, _ in ready.select(left):
                reads[key.fd]()
        starved += time.monotonic() - due > TICK_S / 2
        if all(end.up for end in ends):
            spoken[ends[0].said + 1] = time.monotonic()
            for end in ends:
                end.say()
    begun, ended = pipe.recv()
    wanted = [number for number, at in spoken.items() if begun <= at <= ended]
    missing, lost, delays = 0, 0, []
    for end in ends:
        heard = dict(end.heard)
        lost += sum(number not in heard for number in wanted)
        delays += [(heard[number] - spoken[number]) * 1000 for number in wanted if number in heard]
        numbers = sorted({sequence_ahead(each, end.sequences[0]) for each in end.sequences}) if end.sequences else []
        missing += numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else len(wanted)
    median, p95 = np.percentile(np.array(delays or [0.0]), [50, 95])
    pipe.send((len(wanted) * len(ends), lost, missing, float(median), float(p95), starved))


@dataclass(frozen=True, slots=True)
class Result:
    """``lost`` of ``frames`` never came; ``missing``: gaps in our own numbering; delays in ms one way."""

    frames: int
    lost: int
    missing: int
    median_ms: float
    p95_ms: float
    starved: int
    cpu_ms: float

    def line(self, name: str) -> str:
        return (
            f"{name:10} {self.frames} frames, {self.lost} lost, {self.missing} packets missing; one way"
            f" {self.median_ms:.1f} ms, p95 {self.p95_ms:.1f}; CPU {self.cpu_ms:.2f} ms per call-second"
            f" (the far ends were late {self.starved} times)"
        )


async def measure(pairs: int, seconds: float, agent: type[FarEnd]) -> Result:
    """``pairs`` of a plain leg and an ``agent``'s."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    kinds = [FarEnd, agent] * pairs
    process = context.Process(target=far_ends, args=(kinds, there), daemon=True)
    process.start()
    engine = ProcessMediaEngine("127.0.0.1", (30_000, 30_000 + 8 * pairs + 7), ("PCMU",))
    await engine.start()
    assert engine.pid is not None
    legs: list[ProcessMediaLeg] = []
    answers = []
    for number, (kind, offer) in enumerate(zip(kinds, here.recv(), strict=True)):
        if kind is BrowserEnd:
            leg, answer = await engine.open_browser(f"leg-{number}", offer)
        else:
            leg = await engine.open(f"leg-{number}", MediaDescription("127.0.0.1", int(offer), (PCMU,)), caller=False)
            answer = str(leg.local.port)
        legs.append(leg)
        answers.append(answer)
    here.send(answers)
    for kind, leg in zip(kinds, legs, strict=True):
        if kind is BrowserEnd:
            async with asyncio.timeout(20):
                async for event in leg.events():
                    if isinstance(event, Connected):
                        assert event.state == "up", event
                        break
    for caller, joined in zip(legs[::2], legs[1::2], strict=True):
        await caller.bridge(joined)
    await asyncio.sleep(2)  # the jitter buffers have settled
    cpu, begun = cpu_seconds(engine.pid), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, ended = cpu_seconds(engine.pid) - cpu, time.monotonic()
    await asyncio.sleep(0.5)
    here.send((begun, ended - 0.2))
    found: tuple[int, int, int, float, float, int] = await asyncio.to_thread(here.recv)
    await engine.stop()
    process.kill()
    process.join()
    return Result(*found, cpu * 1000 / (pairs * (ended - begun)))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=30)
    options.add_argument("--seconds", type=float, default=10.0)
    chosen = options.parse_args()
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"{chosen.pairs} pairs, {chosen.seconds:g} s, {os.cpu_count()} cores, load {load}")
    plain = asyncio.run(measure(chosen.pairs, chosen.seconds, FarEnd))
    print(plain.line("plain"))
    browsers = asyncio.run(measure(chosen.pairs, chosen.seconds, BrowserEnd))
    print(browsers.line("browsers"))
    more = browsers.cpu_ms - plain.cpu_ms
    print(f"a browser costs {more:.2f} ms of CPU per call-second more than a plain leg (aim: {AIM_MS:g})")
    return 0 if more <= AIM_MS and browsers.missing == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
