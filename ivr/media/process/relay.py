"""The relay of an RTP stream: how packets that are sent on as they come are numbered in the stream of another leg.

An RTP translator (RFC 3550 section 7.1) between two legs of one codec: losses and reordering pass through, source and
numbering are ours and go on without a break when the tick's own packets (a prompt, a key, a conference) take turns
with what is sent on.
"""

from __future__ import annotations

from typing import Protocol

from ivr.media.process.codec import FRAME, Coder
from ivr.media.process.rtp import Packet, sequence_ahead

_LATEST = 4  # ticks without a packet; then the far end pauses, and the tick sends silence
_PATIENCE_S = 1.0  # how long a pause in speech is waited for, to take over from the mix
_FAR = 4000  # 0.5 s: clock ticks; a timestamp this far off what time says is a jump of the far end's clock
_JUMP = 100  # packets; likewise for numbers
_EARLY, _LATE = 3 * FRAME, -2 * FRAME  # of a stream's packet after a pause, against what time says


class Source(Protocol):
    """The receiver whose packets are sent on."""

    coder: Coder | None

    @property
    def quiet(self) -> bool: ...


class Relay:
    """Of one sender, which passes its own counters in. Pure: ``now`` is monotonic seconds.

    ``active``: packets are sent on instead of the tick's; ``fresh``: one was since the last tick; ``newest``: the last
    one that was placed goes before all others."""

    __slots__ = (
        "_frames",
        "_missing",
        "_newest",
        "_oldest",
        "_patient_until",
        "_sequence_shift",
        "_ssrc",
        "_timestamp_shift",
        "active",
        "fresh",
        "newest",
    )

    def __init__(self) -> None:
        self.active = False
        self.fresh = False
        self.newest = False
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

    def enter(self, packet: Packet, placed: int, timestamp: int, now: float, *, quiet: bool) -> bool:
        """Whether ``packet`` may be the first to be sent on, with the sender's last 20 ms at ``timestamp``.

        Not within a word (``quiet``: nobody speaks now), for a second at most; and not what comes so late that it was
        made up for already, while more on time may follow."""
        if now >= self._patient_until:
            return True
        late = packet.ssrc == self._ssrc and _LATE - _FAR < self._lead(placed, timestamp) <= _LATE
        return quiet and not late

    def place(self, packet: Packet, placed: int, sequence: int, timestamp: int) -> tuple[int, int, bool] | None:
        """``packet``, whose timestamp in payload bytes is ``placed``, after the sender's last ``sequence`` number and
        the ``timestamp`` of its last 20 ms: its number and timestamp in our stream, and whether it begins something
        (RFC 3551 section 4.1's marker). None: it is of before, and its number has been given to another."""
        _, begins, number, _, ssrc, payload = packet
        ahead = ((number - self._newest + 0x8000) & 0xFFFF) - 0x8000
        lead = self._lead(placed, timestamp)
        if not (self.active and ssrc == self._ssrc and -_JUMP < ahead < _JUMP):
            again = ssrc == self._ssrc and not self.active and 0 < lead <= _EARLY  # its clock ran on in the pause
            self.active = True
            self._ssrc = ssrc
            self._oldest, ahead = number, 1
            self._sequence_shift = sequence + 1 - number
            if not again:
                begins = self._anchor(placed, timestamp)
        elif ahead <= 0 and sequence_ahead(number, self._oldest) < 0:
            return None
        elif not -_FAR < lead < _FAR:
            begins = self._anchor(placed, timestamp)
        self.newest = ahead > 0
        if ahead > 0:
            self._newest = number
            self._frames = len(payload) // FRAME
            self._missing = 0
            self.fresh = True
        return (number + self._sequence_shift) & 0xFFFF, (placed + self._timestamp_shift) & 0xFFFFFFFF, begins

    def _lead(self, placed: int, timestamp: int) -> int:
        """How far ahead of the sender's last 20 ms what is ``placed`` begins; 20 ms where everything runs evenly."""
        return ((placed + self._timestamp_shift - timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def _anchor(self, placed: int, timestamp: int) -> bool:
        """It follows what was sent last, whatever the far end's clock says."""
        self._timestamp_shift = timestamp + FRAME - placed
        return True
