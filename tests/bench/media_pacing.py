"""How evenly the media process sends, next to the floor: a bare timer loop that sends the same packets.

``python -m tests.bench.media_pacing --legs 100 --seconds 10``
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
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ivr.media.clip import Clip
from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.description import MediaDescription
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.codec import FRAME, PCMU, RATE, clipped
from ivr.media.process.rtp import sequence_ahead
from tests.bench.figures import Figure, tell

AIM_P99_MS, AIM_CPU_MS = 21.0, 1.6
_TICK = 0.02
_TIMESTAMP = struct.Struct("qq")
_SO_TIMESTAMPNS = 35  # Linux; Python's socket module has no name for it


@dataclass(frozen=True)
class Pacing:
    """Gaps in ms over all streams; ``missing`` counts packets that should have come within the measured time."""

    p50: float
    p99: float
    largest: float
    received: int
    missing: int
    cpu_ms: float  # per call-second

    def line(self, name: str) -> str:
        return (
            f"{name:14} gap p50 {self.p50:6.2f} ms  p99 {self.p99:6.2f} ms  max {self.largest:7.2f} ms"
            f"  packets {self.received} missing {self.missing}  CPU {self.cpu_ms:5.2f} ms per call-second"
        )


def _sinks(count: int) -> list[socket.socket]:
    sinks = []
    for _ in range(count):
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)  # the kernel's time: our own tardiness must not count
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sink.setblocking(False)
        sink.bind(("127.0.0.1", 0))
        sinks.append(sink)
    return sinks


def _drain(sink: socket.socket) -> Iterable[tuple[float, int]]:
    """(arrival in seconds, RTP sequence number) of everything waiting."""
    while True:
        try:
            data, extra, _, _ = sink.recvmsg(2048, 64)
        except BlockingIOError:
            return
        if data[1] & 0x7F:
            continue  # RTCP of the stream one port below
        for level, kind, value in extra:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESTAMP.unpack(value[:16])
                yield seconds + nanoseconds / 1e9, int.from_bytes(data[2:4], "big")


def _measure(sinks: list[socket.socket], seconds: float, cpu_s: float) -> Pacing:
    gaps: list[float] = []
    received = missing = 0
    for sink in sinks:
        packets = sorted(_drain(sink))
        received += len(packets)
        if not packets:
            missing += round(seconds / _TICK)
            continue
        first = packets[0][1]
        numbers = {sequence_ahead(number, first) for _, number in packets}
        missing += max(numbers) - min(numbers) + 1 - len(numbers)
        missing += max(0, round((seconds - 0.1) / _TICK) - len(numbers))
        gaps += [(b[0] - a[0]) * 1000 for a, b in pairwise(packets)]
    ordered = np.sort(np.array(gaps or [0.0]))
    p50, p99 = np.percentile(ordered, [50, 99])
    cpu_ms = cpu_s * 1000 / (len(sinks) * seconds)
    return Pacing(float(p50), float(p99), float(ordered[-1]), received, missing, cpu_ms)


def _empty(sinks: list[socket.socket]) -> None:
    for sink in sinks:
        for _ in _drain(sink):
            pass


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _bare_loop(ports: list[int], seconds: float, pipe: Connection) -> None:
    """The floor: a timer and ``sendto``, nothing else."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packet = bytearray(12 + FRAME)
    targets = [("127.0.0.1", port) for port in ports]
    due, end, number = time.monotonic(), time.monotonic() + seconds, 0
    cpu = time.process_time()
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        number += 1
        struct.pack_into("!H", packet, 2, number & 0xFFFF)
        for target in targets:
            sender.sendto(packet, target)
        due += _TICK
    pipe.send(time.process_time() - cpu)


def _far_ends(sinks: list[socket.socket], targets: list[int], seconds: float) -> None:
    """Every caller talks to its leg, from the port it listens at, as callers do."""
    noise = np.random.default_rng(1).normal(0, 300, FRAME)
    payload = PCMU.encode(clipped(noise))
    due, end, number = time.monotonic(), time.monotonic() + seconds, 0
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        number += 1
        for index, sink in enumerate(sinks):
            header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * FRAME, index + 1)
            sink.sendto(header + payload, ("127.0.0.1", targets[index]))
        due += _TICK


async def _engine(sinks: list[socket.socket], seconds: float, busy: int) -> Pacing:
    """Calls that hear prompts and talk at the same time, all of them listened to."""
    context = multiprocessing.get_context("fork")  # the talkers share our sockets
    low = 30000
    engine = ProcessMediaEngine("127.0.0.1", (low, low + 4 * len(sinks) + 40), ("PCMU",), timeout_s=3600.0)
    await engine.start()
    assert engine.pid is not None
    legs: list[ProcessMediaLeg] = []
    for index, sink in enumerate(sinks):
        remote = MediaDescription("127.0.0.1", sink.getsockname()[1], (PCMU_FORMAT,))
        legs.append(await engine.open(f"leg-{index}", remote))
    rate = np.arange(int(RATE * 3.5)) / RATE
    clips = [
        Clip(f"prompt-{index}", clipped(6000 * np.sin(2 * np.pi * (300 + 20 * index) * rate)).tobytes())
        for index in range(10)
    ]
    await engine.preload(clips)
    talkers = context.Process(
        target=_far_ends, args=(sinks, [leg.local.port for leg in legs], seconds + 3), daemon=True
    )
    talkers.start()
    burners = [context.Process(target=_burn, args=(seconds + 3,), daemon=True) for _ in range(busy)]
    for burner in burners:
        burner.start()
    for index, leg in enumerate(legs):
        await leg.listen(True)
        await leg.play([clips[(index + n) % 10] for n in range(int(seconds / 3.5) + 2)], token=1)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(_empty, sinks)
    cpu, began = _cpu_seconds(engine.pid), time.monotonic()
    await asyncio.sleep(seconds)
    cpu = _cpu_seconds(engine.pid) - cpu
    took = time.monotonic() - began
    pacing = await asyncio.to_thread(_measure, sinks, took, cpu)
    stats = [await leg.stats() for leg in legs]
    received = sum(one.packets_received for one in stats)
    print(f"{'':14} the process received {received} packets of its callers meanwhile")
    await engine.stop()
    for process in (talkers, *burners):
        process.kill()
        process.join()
    return pacing


def _burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--legs", type=int, default=100)
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--busy", type=int, default=0, help="processes that burn CPU meanwhile, like recognition does")
    chosen = options.parse_args()
    sinks = _sinks(chosen.legs)
    here, there = multiprocessing.Pipe()
    ports = [sink.getsockname()[1] for sink in sinks]
    floor_process = multiprocessing.get_context("spawn").Process(
        target=_bare_loop, args=(ports, chosen.seconds, there), daemon=True
    )
    floor_process.start()
    there.close()  # so that its end is noticed
    floor_cpu: float = here.recv()
    floor_process.join()
    floor = _measure(sinks, chosen.seconds, floor_cpu)
    engine = asyncio.run(_engine(sinks, chosen.seconds, chosen.busy))
    print(f"{chosen.legs} calls, {chosen.seconds:g} s, {chosen.busy} busy processes, {os.cpu_count()} cores")
    print(floor.line("bare loop"))
    print(engine.line("media process"))
    print(f"p99 gap: {engine.p99 / floor.p99:.2f} x the floor; CPU: {engine.cpu_ms / max(floor.cpu_ms, 1e-9):.1f} x")
    figure = Figure(f"gap p99 of {chosen.legs} legs", engine.p99, "ms", AIM_P99_MS, note=f"bare loop {floor.p99:.2f}")
    tell(figure, Figure("CPU of a call-second, media alone", engine.cpu_ms, "ms", AIM_CPU_MS))
    met = engine.p99 <= AIM_P99_MS and engine.cpu_ms <= AIM_CPU_MS and not engine.missing
    print(f"aims of {AIM_P99_MS:g} ms, {AIM_CPU_MS:g} ms of CPU, nothing missing: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
