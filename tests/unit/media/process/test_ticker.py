"""The ticker's own work, with real sockets in this process: what every leg is due in a tick, and that a fault in one is
that one's."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ivr.media import wire
from ivr.media.description import NEW, PCMA, PCMU, Codec, MediaDescription
from ivr.media.process import codec
from ivr.media.process.codec import FRAME, RATE, Samples, clipped
from ivr.media.process.rtp import Packet, build, parse
from ivr.media.process.rtp_session import RtpSession
from ivr.media.process.ticker import MediaProcess
from ivr.media.wire import Kind
from ivr.workers.frames import REQUEST, Life, Splitter

BOUND = "127.0.0.1"


def tone(frequency: float, frames: int, level: float = 8000) -> Samples:
    return clipped(level * np.sin(2 * np.pi * frequency * np.arange(frames * FRAME) / RATE))


class Far:
    """A telephone."""

    def __init__(self, number: int, spoken: Codec) -> None:
        self.number, self.spoken = number, spoken
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(1.0)
        self.socket.bind((BOUND, 0))
        self.leg = (BOUND, 9)
        self.sent = 0

    def says(self, signal: Samples) -> None:
        """20 ms."""
        self.sent += 1
        payload = codec.coder(self.spoken.name).encode(signal)
        packet = Packet(self.spoken.payload_type, False, self.sent, self.sent * FRAME, self.number + 1, payload)
        self.socket.sendto(build(packet), self.leg)

    def hears(self) -> Packet:
        """The next packet of audio."""
        while True:
            packet = parse(self.socket.recv(2048))
            assert packet is not None
            if packet.payload_type == self.spoken.payload_type:
                return packet


class Process:
    """A media process without a loop; ``said``: what the line was told."""

    def __init__(self) -> None:
        self.line, control = socket.socketpair()
        self.line.setblocking(False)
        self.inner = MediaProcess(control)
        self.said: list[tuple[int, int, bytes]] = []
        self.fars: list[Far] = []
        self._control = control
        self._splitter = Splitter()
        setup = {"bind": [BOUND], "hosts": [BOUND], "low": 41000, "high": 41999, "after": 0, "timeout_s": 30.0}
        setup |= {"codecs": ["PCMU", "PCMA"], "browser_bind": BOUND, "browser_timeout_s": 2.0}
        self.obeys(Life.SETUP, 0, setup)

    def obeys(self, kind: int, leg: int, value: Any) -> None:
        self.inner._orders.obey(kind, leg, wire.pack(value))

    def opens(self, spoken: Codec = PCMU) -> Far:
        far = Far(len(self.fars) + 1, spoken)
        self.fars.append(far)
        remote = MediaDescription(BOUND, far.socket.getsockname()[1], (spoken,))
        order = wire.pack([wire.described(remote), True, 0, wire.resumption(NEW)])
        self.inner._orders.obey(Kind.OPEN, far.number, REQUEST.pack(far.number) + order)
        far.leg = (BOUND, self.session(far).transport.port)
        return far

    def session(self, far: Far) -> RtpSession:
        return self.inner._sessions.known(far.number)

    def tick(self) -> None:
        self.inner._look(0.0)
        self.inner._tick(time.monotonic())
        while True:
            try:
                data = self.line.recv(1 << 20)
            except BlockingIOError:
                return
            self.said += self._splitter.feed(data)

    def told(self, kind: Kind) -> list[tuple[int, bytes]]:
        return [(leg, body) for each, leg, body in self.said if each == kind]

    def close(self) -> None:
        for session in list(self.inner._sessions):
            session.close(time.monotonic())
        for sock in (self.line, self._control, *(far.socket for far in self.fars)):
            sock.close()
        self.inner._poll.close()


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.close()


def test_every_leg_is_sent_a_packet_a_tick_and_its_speech_goes_to_the_line(process: Process) -> None:
    fars = [process.opens(spoken) for spoken in (PCMU, PCMA, PCMU)]
    for far in fars:
        process.obeys(Kind.LISTEN, far.number, True)
    fars.append(process.opens())  # who says nothing
    quiet, loud = tone(300, 1, 4), tone(300, 1)
    before: list[int] = []
    for turn in range(60):
        for far in fars[:3]:
            far.says(loud if turn >= 40 else quiet)
        process.tick()
        numbers = [far.hears().sequence for far in fars]
        before = [(number + 1) & 0xFFFF for number in before] or numbers
        assert numbers == before
    heard: dict[int, int] = {}
    for _, body in process.told(Kind.AUDIO):
        for leg, _, pcm in wire.parse_audio(body):
            heard[leg] = heard.get(leg, 0) + (np.abs(codec.samples(pcm)).max() > 4000)
    assert set(heard) == {1, 2, 3}
    assert all(count >= 15 for count in heard.values()), heard


def test_who_is_heard_is_heard_in_the_same_tick_alone_or_with_others(process: Process) -> None:
    one, two, listener = process.opens(), process.opens(), process.opens(PCMA)
    process.obeys(Kind.HEAR, listener.number, [one.number, two.number])
    for _ in range(6):
        one.says(tone(300, 1))
        two.says(tone(300, 1))
        process.tick()
        packet = listener.hears()
        voices = [process.session(far).receiver.signal for far in (one, two)]
    assert all(voice is not None for voice in voices)
    sums = np.sum([voice for voice in voices if voice is not None], axis=0)
    assert np.abs(codec.coder("PCMA").decode(packet.payload) - sums).max() < 600


def test_a_fault_ends_the_leg_that_has_it(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    fars = [process.opens() for _ in range(5)]
    process.obeys(Kind.HEAR, fars[4].number, [fars[3].number])
    for _ in range(4):
        for far in fars:
            far.says(tone(300, 1, 50))
        process.tick()

    def fails(*_: object, **__: object) -> bool:
        raise RuntimeError("a fault")

    sessions = [process.session(far) for far in fars]
    monkeypatch.setattr(type(sessions[0].receiver.jitter), "pull", _of(sessions[0].receiver.jitter, fails))
    monkeypatch.setattr(type(sessions[1].sender), "tick", _of(sessions[1].sender, fails))
    monkeypatch.setattr(type(sessions[3].receiver), "decoded", _of(sessions[3].receiver, fails))
    for far in fars:
        far.says(tone(300, 1, 50))
    process.tick()
    assert [leg for leg, _ in process.told(Kind.BROKEN)] == [4, 1, 2]
    for far in (fars[2], fars[4]):
        far.says(tone(300, 1, 50))
    process.tick()
    assert len(process.told(Kind.BROKEN)) == 3
    assert {session.number for session in process.inner._sessions} == {3, 5}


def test_a_frame_that_cannot_be_decoded_costs_its_leg_alone(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    fars = [process.opens() for _ in range(3)]
    for _ in range(4):
        for far in fars:
            far.says(tone(300, 1, 50))
        process.tick()
    receiver = process.session(fars[1]).receiver
    pull = type(receiver.jitter).pull

    def short(self: Any, **how: bool) -> bytes | None:
        return b"\xff" * 7 if self is receiver.jitter else pull(self, **how)

    monkeypatch.setattr(type(receiver.jitter), "pull", short)
    for far in fars:
        far.says(tone(300, 1, 50))
    process.tick()
    assert [leg for leg, _ in process.told(Kind.BROKEN)] == [2]
    assert all(process.session(far).receiver.signal is not None for far in (fars[0], fars[2]))


def _of(which: object, instead: Any) -> Any:
    """``instead`` for one instance of its class."""
    name = {"JitterBuffer": "pull", "Sender": "tick", "Receiver": "decoded"}[type(which).__name__]
    usual = getattr(type(which), name)

    def call(self: Any, *given: Any, **named: Any) -> Any:
        return (instead if self is which else usual)(self, *given, **named)

    return call
