"""Far ends of many calls in a process of their own: they note when the kernel got each packet, and talk back.

with Sinks.open(100) as sinks: ... sinks.ports ...; sinks.begin(); sleep; report = sinks.end()
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from tests.bench.talking_callers import sounds

TICK_S = 0.02
FRAME = 160
_SO_TIMESTAMPNS = 35  # Linux; Python's socket module has no name for it
_TIMESTAMP = struct.Struct("qq")
_HEADER = struct.Struct("!BBHII")
_SILENCE = b"\xff" * FRAME


@dataclass(frozen=True, slots=True)
class Report:
    """Gaps between packets of one call, over all calls, in ms. ``missing``: numbers skipped, or never begun.

    ``audible``: the share of packets that were not digital silence. ``heard_at``: by port, when its first sound came
    (the kernel's clock, seconds since 1970)."""

    p50: float
    p99: float
    largest: float
    packets: int
    missing: int
    silent_calls: int
    audible: float
    heard_at: Mapping[int, float] = field(default_factory=dict)

    def line(self, name: str) -> str:
        return (
            f"{name:14} gap p50 {self.p50:6.2f} ms  p99 {self.p99:6.2f} ms  max {self.largest:7.2f} ms"
            f"   packets {self.packets}, missing {self.missing}, calls without any {self.silent_calls}"
        )


class Sinks:
    """``ports`` are where to send, one a call."""

    def __init__(self, process: BaseProcess, pipe: Connection, ports: Sequence[int]) -> None:
        self._process = process
        self._pipe = pipe
        self.ports = ports
        self.pid = process.pid or 0

    @classmethod
    @contextmanager
    def open(cls, count: int) -> Iterator[Sinks]:
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(count, there), daemon=True)
        process.start()
        try:
            yield cls(process, here, here.recv())
        finally:
            process.kill()
            process.join()

    def begin(self) -> None:
        """Forget what came so far."""
        self._pipe.send("begin")
        self._pipe.recv()

    def end(self) -> Report:
        """Of everything since ``begin``."""
        self._pipe.send("end")
        report: Report = self._pipe.recv()
        return report


class _Far:
    """One call's far end."""

    def __init__(self, number: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)  # the kernel's time: our tardiness counts not
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.number = number
        self.seen: list[tuple[float, int]] = []  # kernel's time, sequence number
        self.audible = 0
        self.heard_at: float | None = None
        self._source: Any = None
        self._sent = 0

    def drain(self) -> None:
        while True:
            try:
                data, extra, _, source = self.socket.recvmsg(2048, 64)
            except OSError:  # nothing more, or the far end has gone
                return
            if len(data) != 12 + FRAME or data[1] & 0x7F:
                continue
            self._source = source
            self.audible += data[12:] != _SILENCE
            for level, kind, value in extra:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESTAMP.unpack(value[:16])
                    at = seconds + nanoseconds / 1e9
                    self.seen.append((at, int.from_bytes(data[2:4], "big")))
                    if self.heard_at is None and sounds(data[12:]):
                        self.heard_at = at

    def talk(self, payload: bytes) -> None:
        """To wherever packets come from: symmetric RTP, as phones do it."""
        if self._source is None:
            return
        self._sent += 1
        header = _HEADER.pack(0x80, 0, self._sent & 0xFFFF, self._sent * FRAME & 0xFFFFFFFF, self.number + 1)
        with suppress(OSError):
            self.socket.sendto(header + payload, self._source)


def _run(count: int, pipe: Connection) -> None:
    far_ends = [_Far(number) for number in range(count)]
    pipe.send([far.socket.getsockname()[1] for far in far_ends])
    # A quiet room in µ-law: the smallest steps around zero, which no voice gate takes for speech.
    rooms = [bytes(row) for row in np.random.default_rng(1).choice([0xFF, 0x7F, 0xFE, 0x7E], (16, FRAME)).tolist()]
    due = time.monotonic()
    tick = 0
    while True:
        due = max(due + TICK_S, time.monotonic() - 5 * TICK_S)
        time.sleep(max(0.0, due - time.monotonic()))
        tick += 1
        for far in far_ends:
            far.drain()
            far.talk(rooms[tick % 16])
        if not pipe.poll():
            continue
        if pipe.recv() == "begin":
            for far in far_ends:
                far.seen.clear()
                far.audible = 0
            pipe.send(None)
        else:
            pipe.send(_report(far_ends))


def _report(far_ends: Sequence[_Far]) -> Report:
    gaps: list[float] = []
    missing = 0
    for far in far_ends:
        far.seen.sort()
        for (earlier, number), (later, following) in pairwise(far.seen):
            gaps.append((later - earlier) * 1000)
            missing += max(0, ((following - number) & 0xFFFF) - 1) if (following - number) & 0x8000 == 0 else 0
    packets = sum(len(far.seen) for far in far_ends)
    p50, p99, largest = np.percentile(np.array(gaps or [0.0]), [50, 99, 100])
    return Report(
        p50=float(p50),
        p99=float(p99),
        largest=float(largest),
        packets=packets,
        missing=missing,
        silent_calls=sum(not far.seen for far in far_ends),
        audible=sum(far.audible for far in far_ends) / max(packets, 1),
        heard_at={far.socket.getsockname()[1]: far.heard_at for far in far_ends if far.heard_at is not None},
    )


def bare_loop(ports: Sequence[int], seconds: float) -> float:
    """The floor: a timer and ``sendto``, nothing else. CPU seconds it took. For a process of its own."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packet = bytearray(12 + FRAME)
    packet[0] = 0x80
    targets = [("127.0.0.1", port) for port in ports]
    due, end, number = time.monotonic(), time.monotonic() + seconds, 0
    cpu = time.process_time()
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        number += 1
        struct.pack_into("!H", packet, 2, number & 0xFFFF)
        for target in targets:
            sender.sendto(packet, target)
        due += TICK_S
    return time.process_time() - cpu
