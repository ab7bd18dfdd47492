"""What a bridge adds to the delay of a voice: packets relayed as they come, next to the tick's mix of the same run.

``python -m tests.bench.media_relay --bridges 30 --seconds 10``: both legs of every bridge talk, each at a moment of its
own within the 20 ms. The mix is what the same legs go through with a third, mute one in the conversation.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.description import MediaDescription
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg

AIM_P95_MS = 2.0
_TICK_S = 0.02
_FRAME = 160
_SO_TIMESTAMPNS = 35  # Linux; Python's socket module has no name for it
_TIMESTAMP = struct.Struct("qq")
_HEADER = struct.Struct("!BBHII")
_SENT = struct.Struct("!Q4s")
_MAGIC = b"\x5a\xa5\x5a\xa5"


@dataclass(frozen=True, slots=True)
class Delays:
    """Of every packet that came through, in ms; ``missing``: those sent that never came."""

    median: float
    p95: float
    largest: float
    packets: int
    missing: int

    def line(self, name: str, cpu_ms: float) -> str:
        return (
            f"{name:8} delay median {self.median:6.2f} ms  p95 {self.p95:6.2f} ms  max {self.largest:6.2f} ms"
            f"   packets {self.packets}, missing {self.missing}   CPU {cpu_ms:5.2f} ms per call-second"
        )


class _Peer:
    """A far end that says when: each of its packets carries the moment it was sent at."""

    def __init__(self, number: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)  # the kernel's time: our tardiness counts not
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.target = ("127.0.0.1", 9)
        self.sent = 0
        self.delays: list[float] = []
        self._number = number
        self._rest = bytes(np.random.default_rng(number).integers(0x60, 0xA0, _FRAME - _SENT.size, dtype=np.uint8))

    def talk(self) -> None:
        self.sent += 1
        header = _HEADER.pack(0x80, 0, self.sent & 0xFFFF, self.sent * _FRAME & 0xFFFFFFFF, self._number + 1)
        with suppress(OSError):
            self.socket.sendto(header + _SENT.pack(time.time_ns(), _MAGIC) + self._rest, self.target)

    def drain(self) -> None:
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(2048, 64)
            except OSError:
                return
            if len(data) != 12 + _FRAME or data[20:24] != _MAGIC:
                continue
            for level, kind, value in extra:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESTAMP.unpack(value[:16])
                    sent, _ = _SENT.unpack_from(data, 12)
                    self.delays.append((seconds * 1_000_000_000 + nanoseconds - sent) / 1e6)


def _peers(count: int, pipe: Connection) -> None:
    """All far ends: ``pipe`` gets their ports, takes where to send, then "begin" and "end" of each measurement."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)  # telephones are not delayed by what else a machine does
    peers = [_Peer(number) for number in range(count)]
    pipe.send([peer.port for peer in peers])
    for peer, port in zip(peers, pipe.recv(), strict=True):
        peer.target = ("127.0.0.1", port)
    # Evenly spread over the 20 ms, neighbours apart: no two legs of a bridge speak at the same moment.
    order = np.random.default_rng(7).permutation(count)
    start = time.monotonic() + 0.1
    turn = 0
    while True:
        due = start + (turn // count + (turn % count) / count) * _TICK_S
        time.sleep(max(0.0, due - time.monotonic()))
        peer = peers[order[turn % count]]
        peer.talk()
        peer.drain()
        turn += 1
        if turn % count or not pipe.poll():
            continue
        if pipe.recv() == "begin":
            for one in peers:
                one.delays.clear()
                one.sent = 0
            pipe.send(None)
        else:
            delays = np.array([delay for one in peers for delay in one.delays] or [1e9])
            sent = sum(one.sent for one in peers)
            median, p95, largest = np.percentile(delays, [50, 95, 100])
            missing = max(0, sent - len(delays) - 4 * count)  # up to 80 ms of each are under way
            pipe.send(Delays(float(median), float(p95), float(largest), len(delays), missing))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _open(engine: ProcessMediaEngine, ports: Sequence[int]) -> list[ProcessMediaLeg]:
    return [
        await engine.open(f"leg-{port}", MediaDescription("127.0.0.1", port, (PCMU_FORMAT,)), caller=False)
        for port in ports
    ]


async def _measure(engine: ProcessMediaEngine, pipe: Connection, seconds: float, bridges: int) -> tuple[Delays, float]:
    await asyncio.sleep(2.5)  # for what was said until now, and what is waited for at a turn
    await asyncio.to_thread(_ask, pipe, "begin")
    assert engine.pid is not None
    cpu, began = _cpu_seconds(engine.pid), time.monotonic()
    await asyncio.sleep(seconds)
    cpu_s, took = _cpu_seconds(engine.pid) - cpu, time.monotonic() - began
    found = await asyncio.to_thread(_ask, pipe, "end")
    assert isinstance(found, Delays)
    return found, cpu_s * 1000 / (took * bridges)


def _ask(pipe: Connection, what: str) -> object:
    pipe.send(what)
    answer: object = pipe.recv()
    return answer


async def _bench(bridges: int, seconds: float, pipe: Connection) -> bool:
    ports: list[int] = pipe.recv()
    engine = ProcessMediaEngine("127.0.0.1", (30000, 30000 + 8 * len(ports) + 40), ("PCMU",), timeout_s=3600.0)
    await engine.start()
    try:
        legs = await _open(engine, ports)
        pipe.send([leg.local.port for leg in legs])
        [mute] = await _open(engine, [9])
        pairs = list(zip(legs[::2], legs[1::2], strict=True))
        for one, other in pairs:
            await one.hear([other, mute])
            await other.hear([one, mute])
        mixed, mixed_cpu = await _measure(engine, pipe, seconds, bridges)
        for one, other in pairs:
            await one.bridge(other)
        relayed, relayed_cpu = await _measure(engine, pipe, seconds, bridges)
        lost = sum([(await leg.stats()).packets_lost for leg in legs])
    finally:
        await engine.stop()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{bridges} bridges, {seconds:g} s each, {os.cpu_count()} cores, load {load}; lost on the way in: {lost}")
    print(mixed.line("mixed", mixed_cpu))
    print(relayed.line("relayed", relayed_cpu))
    met = relayed.p95 <= AIM_P95_MS
    print(f"aim: p95 of {AIM_P95_MS:g} ms: {'met' if met else 'missed'}")
    return met


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bridges", type=int, default=30)
    options.add_argument("--seconds", type=float, default=10.0)
    chosen = options.parse_args()
    here, there = multiprocessing.Pipe()
    peers = multiprocessing.get_context("spawn").Process(target=_peers, args=(2 * chosen.bridges, there), daemon=True)
    peers.start()
    there.close()  # so that its end is noticed
    try:
        return 0 if asyncio.run(_bench(chosen.bridges, chosen.seconds, here)) else 1
    finally:
        peers.kill()
        peers.join()


if __name__ == "__main__":
    sys.exit(main())
