"""Legs without sockets in a time of their own: what a media process does in a tick, and what comes between two."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np

from ivr.media import wire
from ivr.media.description import PCMU, Codec, Direction, MediaDescription
from ivr.media.process.codec import FRAME, RATE, Samples, clipped, coder, power
from ivr.media.process.dtls_srtp import Identities
from ivr.media.process.mixing import Mix, sum_up
from ivr.media.process.play_queue import Recording
from ivr.media.process.rtp import Packet, build, parse, sequence_ahead, timestamp_ahead
from ivr.media.process.rtp_session import RtpSession
from ivr.media.process.udp_transport import UdpTransport
from ivr.media.wire import Kind

TICK_S = 0.02


def tone(frequency: float, frames: int, level: float = 8000) -> Samples:
    return clipped(level * np.sin(2 * np.pi * frequency * np.arange(frames * FRAME) / RATE))


class _Socket:
    """Keeps what is sent."""

    family = socket.AF_INET

    def __init__(self, port: int, sent: list[Packet]) -> None:
        self._port, self._sent = port, sent

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", self._port)

    def sendto(self, data: bytes, address: object) -> int:
        packet = parse(data)
        if packet is not None and self._port % 2 == 0:
            self._sent.append(packet)
        return len(data)

    def close(self) -> None:
        return None


class Party:
    """A leg and its far end. ``sent``: what its far end got."""

    def __init__(self, number: int, codec: Codec, events: int | None, said: Callable[[Kind, int, Any], None]) -> None:
        self.sent: list[Packet] = []
        self.codec = codec
        self.coder = coder(codec.name)
        self.address = ("127.0.0.1", 5000 + 2 * number)
        self.ssrc, self.sequence, self.timestamp = 77 + number, 500, 90_000
        sockets = (_Socket(4000 + 2 * number, self.sent), _Socket(4001 + 2 * number, self.sent))
        self.session = RtpSession(
            number,
            UdpTransport(*cast("tuple[socket.socket, socket.socket]", sockets), Identities()),
            ("PCMU", "PCMA", "G722"),
            {4: "127.0.0.1"},
            30.0,
            lambda kind, leg, body: said(kind, leg, wire.unpack(body)),
            caller=True,
        )
        self._events = events
        self.aim()

    def aim(self, direction: Direction = Direction.SENDRECV) -> None:
        self.session.aim(MediaDescription(*self.address, (self.codec,), self._events, direction), 0.0)

    def play(self, token: int, frames: int, frequency: float = 1500) -> None:
        self.session.sender.queue.add(token, [Recording(tone(frequency, frames).tobytes())])

    def heard(self, last: int) -> Samples:
        """The last so many frames that the far end got."""
        audio = [packet.payload for packet in self.sent if packet.payload_type == self.codec.payload_type]
        decoder = coder(self.codec.name)  # which may have to hear it all
        return np.concatenate([decoder.decode(payload) for payload in audio][-last:])


class Conversation:
    """``now`` moves by ticks; packets come 7 ms after one."""

    def __init__(self) -> None:
        self.now = 100.0
        self.parties: list[Party] = []
        self.said: list[tuple[Kind, int, Any]] = []

    def join(self, codec: Codec = PCMU, events: int | None = 101) -> Party:
        party = Party(len(self.parties), codec, events, lambda *what: self.said.append(what))
        self.parties.append(party)
        return party

    def hear(self, party: Party, *others: Party) -> None:
        party.session.hear([other.session for other in others], self.now)

    def bridge(self, one: Party, other: Party) -> None:
        self.hear(one, other)
        self.hear(other, one)

    def arrives(self, party: Party, payload: bytes, *, kind: int | None = None, marker: bool = False) -> None:
        """The next packet of its far end; audio moves its clock on."""
        party.sequence = (party.sequence + 1) & 0xFFFF
        payload_type = party.codec.payload_type if kind is None else kind
        packet = Packet(payload_type, marker, party.sequence, party.timestamp, party.ssrc, payload)
        if kind is None:
            party.timestamp = (party.timestamp + len(payload)) & 0xFFFFFFFF
        self.delivers(party, packet)

    def delivers(self, party: Party, packet: Packet) -> None:
        party.session.receiver.datagram(build(packet), party.address, self.now + 0.007)

    def loses(self, party: Party) -> None:
        party.sequence, party.timestamp = party.sequence + 1, party.timestamp + FRAME

    def tick(self) -> None:
        self.now += TICK_S
        sessions = [party.session for party in self.parties]
        for session in sessions:
            receiver = session.receiver
            if receiver.tick() and receiver.coder is not None and receiver.payload is not None:
                signal = receiver.coder.decode(receiver.payload)
                receiver.decoded(signal, power(signal))
        sum_up([session.voice for session in sessions if isinstance(session.voice, Mix)])
        for session in sessions:
            session.send(self.now)
            session.receiver.speech(self.now)

    def goes_on(self, frames: int, *speakers: Party, said: Samples | None = None) -> None:
        """So many ticks, ``speakers`` saying ``said`` (a quiet line otherwise)."""
        for index in range(frames):
            for party in speakers:
                signal = tone(3, 1, 20) if said is None else said[index * FRAME : (index + 1) * FRAME]
                self.arrives(party, party.coder.encode(signal))
            self.tick()


def unbroken(packets: Sequence[Packet], *, most: int = FRAME) -> None:
    """One stream: one source, numbers without a hole, and timestamps that go on by at most ``most`` beyond a frame."""
    assert len({packet.ssrc for packet in packets}) == 1
    for before, after in pairwise(packets):
        assert sequence_ahead(after.sequence, before.sequence) == 1, (before, after)
        assert FRAME <= timestamp_ahead(after.timestamp, before.timestamp) <= FRAME + most, (before, after)
