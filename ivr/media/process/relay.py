"""The relay of an RTP stream: how packets that are sent on as they come are numbered in the stream of another leg.

An RTP translator (RFC 3550 section 7.1) between two legs of one codec: losses and reordering pass through, source and
numbering are ours and go on without a break when the tick's own packets (a prompt, a key, a conference) take turns
with what is sent on.
"""

from __future__ import annotations

from typing import NamedTuple

from ivr.media.process.codec import FRAME
from ivr.media.process.rtp import Packet, sequence_ahead, timestamp_ahead

_LATEST = 4  # ticks without a packet; then the far end pauses, and the tick sends silence
_PATIENCE_S = 1.0  # how long a pause in speech is waited for, to take over from the mix
_FAR = 4000  # 0.5 s: clock ticks; a timestamp this far off what time says is a jump of the far end's clock
_JUMP = 100  # packets; likewise for numbers
_EARLY, _LATE = 3 * FRAME, -2 * FRAME  # of a stream's packet after a pause, against what time says


class Placed(NamedTuple):
    """A packet's numbers in our stream. ``begins``: what comes follows nothing (RFC 3551 section 4.1's marker)."""

    sequence: int
    timestamp: int
    begins: bool


class Relay:
    """Of one sender, which passes its own counters in. Pure: ``now`` is monotonic seconds.

    ``active``: packets are sent on instead of the tick's; ``fresh``: one was since the last tick."""

    def __init__(self) -> None:
        self.active = False
        self.fresh = False
        self._ssrc: int | None = None  # of the stream that ``_ahead`` is about
        self._sequence_shift = 0
        self._timestamp_shift = 0
        self._newest = 0  # sequence number as it came
        self._oldest = 0  # ... of the first packet since the last turn
        self._frames = 1  # in the last packet
        self._missing = 0  # ticks
        self._patient_until = 0.0

    def begin(self, now: float, *, heard: bool) -> None:
        """Another leg is sent on from now on. ``heard``: it was in the mix already, so what the jitter buffer holds of
        it is skipped, in a pause of speech if there is one soon."""
        self.active, self._ssrc = False, None
        self._patient_until = now + _PATIENCE_S if heard else 0.0

    def leave(self, now: float) -> None:
        """The tick's own packets take over."""
        if self.active:
            self.active = False
            self._patient_until = now + _PATIENCE_S

    def waits(self, now: float) -> bool:
        """At a tick without a fresh packet: whether it is but late or lost. Else the tick takes over."""
        self._missing += 1
        if self._missing <= _LATEST + self._frames:
            return True
        self.leave(now)
        return False

    def skip(self, packet: Packet) -> None:
        """A packet that isn't sent on must leave no hole in the numbers: it is no loss."""
        if self.active and packet.ssrc == self._ssrc and 0 < sequence_ahead(packet.sequence, self._newest) < _JUMP:
            self._newest = packet.sequence
            self._sequence_shift -= 1

    def place(
        self, packet: Packet, placed: int, sequence: int, timestamp: int, now: float, *, quiet: bool
    ) -> Placed | None:
        """``packet``, whose timestamp in payload bytes is ``placed``, after the sender's last ``sequence`` number and
        the ``timestamp`` of its last 20 ms. None: it isn't to be sent on. ``quiet``: nobody speaks right now."""
        lead = timestamp_ahead((placed + self._timestamp_shift) & 0xFFFFFFFF, timestamp)
        same = packet.ssrc == self._ssrc
        begins = packet.marker
        if not self.active:
            patient = now < self._patient_until
            if patient and (not quiet or (same and _LATE - _FAR < lead <= _LATE)):
                return None  # in a word; or what it brings was made up for already, and more on time follows
            self.active = True
            self._begin(packet, sequence)
            if not (same and 0 < lead <= _EARLY):
                begins = self._anchor(placed, timestamp)
        else:
            ahead = sequence_ahead(packet.sequence, self._newest)
            jumped = not same or not -_JUMP < ahead < _JUMP
            if jumped:
                self._begin(packet, sequence)
            elif sequence_ahead(packet.sequence, self._oldest) < 0:
                return None  # of before the turn: its number has been given to another
            if jumped or not -_FAR < lead < _FAR:
                begins = self._anchor(placed, timestamp)
        self._ssrc = packet.ssrc
        if sequence_ahead(packet.sequence, self._newest) >= 0:
            self._newest = packet.sequence
            self._frames = max(1, len(packet.payload) // FRAME)
            self._missing = 0
            self.fresh = True
        return Placed(
            (packet.sequence + self._sequence_shift) & 0xFFFF, (placed + self._timestamp_shift) & 0xFFFFFFFF, begins
        )

    def _begin(self, packet: Packet, sequence: int) -> None:
        self._oldest = self._newest = packet.sequence
        self._sequence_shift = sequence + 1 - packet.sequence

    def _anchor(self, placed: int, timestamp: int) -> bool:
        """It follows what was sent last, whatever the far end's clock says."""
        self._timestamp_shift = timestamp + FRAME - placed
        return True
