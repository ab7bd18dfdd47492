"""What a leg costs the media process a tick, both ways: ``python -m tests.bench.leg_ticks [--legs 300] [--seconds 6]``.

The process's own code in this thread, with real sockets and paced as ever: every far end hears a prompt and talks
back, and speaks up a second in eight. Only the CPU of the code under test counts, so neighbours change little; beside
it the floor of the same run, one ``recvfrom`` and one ``sendto`` a leg.
"""

from __future__ import annotations

import argparse
import gc
import socket
import statistics
import struct
import sys
import time
from collections.abc import Sequence

import numpy as np

from ivr.media import wire
from ivr.media.description import NEW, MediaDescription
from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.process.codec import FRAME, FRAME_S, PCMU, RATE, clipped
from ivr.media.process.pacing import Pacer
from ivr.media.process.ticker import MediaProcess
from ivr.media.wire import Kind
from ivr.workers.frames import REQUEST, Life
from tests.bench.figures import Figure, tell

AIM_US = 32.0  # 1.6 ms a call-second
_WARM_TICKS = 100
_PROMPTS = 10
_HEADER = struct.Struct("!BBHII")


class _FarEnd:
    """One call's; ``leg``: where it sends to."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.leg = ("127.0.0.1", 9)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))

    def talk(self, tick: int, room: bytes, voice: bytes) -> None:
        speaks = (tick // 50 + self.number) % 8 == 0
        header = _HEADER.pack(0x80, 0, tick & 0xFFFF, tick * FRAME & 0xFFFFFFFF, self.number + 1)
        self.socket.sendto(header + (voice if speaks else room), self.leg)

    def drain(self) -> int:
        """How many packets came."""
        count = 0
        try:
            while data := self.socket.recv(2048):
                count += len(data) == 12 + FRAME
        except BlockingIOError:
            pass
        return count


def opened(process: MediaProcess, far_ends: Sequence[_FarEnd], seconds: float) -> None:
    """A leg for each, which plays to it and listens."""
    orders, bound = process._orders, "127.0.0.1"
    setup = {"bind": [bound], "hosts": [bound], "low": 30000, "high": 30000 + 4 * len(far_ends) + 40, "after": 0}
    setup |= {"codecs": ["PCMU"], "timeout_s": 3600.0, "browser_bind": bound, "browser_timeout_s": 2.0}
    orders.obey(Life.SETUP, 0, wire.pack(setup))
    when = np.arange(int(RATE * 3.5)) / RATE
    for number in range(_PROMPTS):
        tone = 6000 * np.sin(2 * np.pi * (300 + 20 * number) * when)
        orders.obey(Kind.CLIP, number, clipped(tone).tobytes())
    for far_end in far_ends:
        leg = far_end.number
        remote = MediaDescription(bound, far_end.socket.getsockname()[1], (PCMU_FORMAT,))
        order = [wire.described(remote), True, 0, wire.resumption(NEW)]
        orders.obey(Kind.OPEN, leg, REQUEST.pack(leg) + wire.pack(order))
        session = process._sessions.known(leg)
        far_end.leg = (bound, session.transport.port)
        clips = [(leg + n) % _PROMPTS for n in range(int(seconds / 3.5) + 2)]
        orders.obey(Kind.LISTEN, leg, wire.pack(True))
        orders.obey(Kind.PLAY, leg, wire.pack([1, False, 0, clips]))


def measure(legs: int, ticks: int) -> tuple[float, float, int]:
    """Microseconds a leg and tick: of the process (median of the ticks), of the floor; packets that came meanwhile."""
    here, there = socket.socketpair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    here.setblocking(False)
    process = MediaProcess(there)
    far_ends = [_FarEnd(number) for number in range(legs)]
    opened(process, far_ends, (ticks + _WARM_TICKS) * FRAME_S)
    noise = np.random.default_rng(1)
    room = bytes(noise.choice([0xFF, 0x7F, 0xFE, 0x7E], FRAME).astype(np.uint8))
    voice = PCMU.encode(clipped(noise.normal(0, 3000, FRAME)))
    gc.collect()
    gc.freeze()
    gc.disable()
    clock = time.thread_time_ns
    spent: list[int] = []
    floor = came = 0
    pacer = Pacer(time.monotonic(), FRAME_S)
    for tick in range(_WARM_TICKS + ticks):
        if tick == _WARM_TICKS:
            spent.clear()
            floor = came = 0
        spent.append(0)
        for quarter in range(4):
            for far_end in far_ends[quarter::4]:
                far_end.talk(tick, room, voice)
            began = clock()
            process._look(0)
            spent[-1] += clock() - began
        time.sleep(max(0.0, pacer.due - time.monotonic()))
        began = clock()
        process._tick(pacer.due)
        process._look(0)
        spent[-1] += clock() - began
        pacer.ticked(time.monotonic())
        for far_end in far_ends:
            came += far_end.drain()
        floor += _floor(far_ends) if tick % 10 == 0 else 0
        try:
            while here.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
    gc.enable()
    gc.unfreeze()
    return statistics.median(spent) / (1000 * legs), floor / (100 * legs * ticks), came


def _floor(far_ends: Sequence[_FarEnd]) -> int:
    """Nanoseconds for a packet each way a far end, with sockets alone."""
    packet, clock = bytes(12 + FRAME), time.thread_time_ns
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        other.bind(("127.0.0.1", 0))
        target = other.getsockname()
        spent = 0
        for far_end in far_ends:
            began = clock()
            far_end.socket.sendto(packet, target)
            other.recvfrom(2048)
            spent += clock() - began
    return spent


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--legs", type=int, default=300)
    options.add_argument("--seconds", type=float, default=6.0)
    chosen = options.parse_args()
    ticks = round(chosen.seconds / FRAME_S)
    cost, floor, came = measure(chosen.legs, ticks)
    print(f"{chosen.legs} legs, {ticks} ticks: {cost:.2f} us a leg and tick ({cost / 20:.2f} ms a call-second),")
    print(f"sockets alone {floor:.2f} us; {came} of {chosen.legs * ticks} packets came")
    tell(Figure("CPU of a leg and tick", cost, "us", AIM_US, note=f"sockets alone {floor:.2f}"))
    return 0 if cost <= AIM_US and came >= 0.99 * chosen.legs * ticks else 1


if __name__ == "__main__":
    sys.exit(main())
