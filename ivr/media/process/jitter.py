"""The jitter buffer (packets in any order in, one 20 ms frame a tick out, with adaptive delay) and loss concealment.

Pure: no clock. A tick is one ``pull``. The buffer works on payload bytes, of which one is one RTP clock tick in G.711
and G.722, so that far ends may packetise in any length.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ivr.media.process.codec import FRAME, SILENCE, Samples, clipped
from ivr.media.process.rtp import timestamp_ahead

_FRAME = 160
_FAR = 8000  # 1 s: a timestamp this far off is believed only when a second packet confirms it
_CAPACITY = 64  # packets
_START, _MOST = 2, 10  # frames of delay: at first, at most
_LATE_IN_A_ROW = 4
_AGREEING = 3  # steps in a row
_IDLE = 100  # pulls without audio after which the stream starts afresh


class PayloadClock:
    """Timestamps that count payload bytes, as the jitter buffer wants them, also of far ends that count otherwise.

    Some count G.711 or G.722 at 16 kHz, some not at all: what a timestamp is worth is judged by the lengths of packets
    in a row."""

    __slots__ = (
        "_even",
        "_placed",
        "_scale_size",
        "_seen",
        "_sequence",
        "_size",
        "_step",
        "_suspect",
        "_timestamp",
        "turned",
    )

    def __init__(self) -> None:
        self.turned = False  # by the last ``place``: what was placed before fits no more
        self._even = False  # the far end counts bytes, as far as is known
        self._sequence = -1
        self._timestamp = 0
        self._placed = 0
        self._size = 0
        self._step = 0  # of timestamps, a packet of ``_scale_size`` bytes; none: the far end counts bytes
        self._scale_size = 0
        self._suspect = (0, 0)
        self._seen = 0

    def even(self, sequence: int) -> bool:
        """Whether the packet of this number was placed last, of a far end that counts bytes: the next one, of the same
        size, will be placed where it says."""
        return self._even and sequence == self._sequence

    def went_on(self, sequence: int, timestamp: int) -> None:
        """Packets came of which each was the next one; this is the last."""
        self._sequence = sequence
        self._timestamp = self._placed = timestamp

    def place(self, sequence: int, timestamp: int, size: int) -> int:
        """The timestamp of a packet of ``size`` bytes, in bytes: what the far end wrote, where that is right."""
        self.turned = False
        ahead = ((sequence - self._sequence + 0x8000) & 0xFFFF) - 0x8000 if self._size else 0
        if ahead == 1:
            step = (timestamp - self._timestamp) & 0xFFFFFFFF
            if step != self._size or self._scale_size:
                self._judge(step)
            elif self._seen:
                self._seen = 0
        elif self._size and -_CAPACITY < ahead <= 0:
            return self._scaled(ahead, timestamp)  # late, or a copy
        placed = self._scaled(ahead, timestamp) if self._scale_size else timestamp
        self._sequence, self._timestamp, self._placed, self._size = sequence, timestamp, placed, size
        self._even = not (self._scale_size or self._seen)
        return placed

    def _judge(self, step: int) -> None:
        """Two packets in a row are ``step`` apart: after four that agree, it is how the far end counts."""
        kind = (step if step <= 0x7FFFFFFF else 0, self._size)  # backwards is no clock at all
        if kind == (self._step, self._scale_size):
            self._seen = 0
            return
        self._seen = self._seen + 1 if kind == self._suspect else 1
        self._suspect = kind
        if self._seen >= _AGREEING:
            self._seen = 0
            self.turned = True
            self._step, self._scale_size = kind if step != self._size else (0, 0)

    def _scaled(self, ahead: int, timestamp: int) -> int:
        if not self._scale_size:
            return timestamp
        passed = timestamp_ahead(timestamp, self._timestamp)
        passed = passed * self._scale_size // self._step if self._step else ahead * self._scale_size
        return (self._placed + passed) & 0xFFFFFFFF


class JitterBuffer:
    """``late`` counts packets that came after their turn; ``target`` is the delay aimed at, in frames."""

    __slots__ = (
        "_empty_run",
        "_end",
        "_grow",
        "_head",
        "_late_run",
        "_packets",
        "_patience",
        "_pulls",
        "_ready",
        "_slack",
        "_suspect",
        "_wait",
        "late",
    )

    def __init__(self) -> None:
        self.late = 0
        self.reset()

    def reset(self) -> None:
        """Forget the stream (new source, new codec); the next packet starts one."""
        self._ready: deque[bytes] = deque()  # whole frames in a row, from the head on
        self._packets: dict[int, bytes] = {}  # all else, by timestamp
        self._head: int | None = None
        self._end = 0
        self._wait = 0
        self._suspect: int | None = None
        self._late_run = 0
        self._empty_run = 0
        self._grow = False
        self._slack = _MOST
        self._pulls = 0
        self._patience = 100  # pulls of unused slack before the delay shrinks

    @property
    def playing(self) -> bool:
        """Whether a stream runs: a missing frame is then a loss, not a silence before the start."""
        return self._head is not None and self._wait == 0

    def delay_frames(self) -> int:
        """Frames in hand that have not been pulled."""
        if self._head is None:
            return 0
        ahead = (self._end - self._head) & 0xFFFFFFFF
        return ahead // _FRAME if ahead < 0x80000000 else 0

    def push(self, timestamp: int, payload: bytes) -> None:
        """Take one packet; costs the same whatever its timestamp."""
        size = len(payload)
        if size == 0:
            return
        head, ready = self._head, self._ready
        if head is not None and size == _FRAME and not self._packets:
            ahead = (timestamp - head) & 0xFFFFFFFF
            if ahead == _FRAME * len(ready) and ahead < _FAR:  # the next one, which is the rule
                ready.append(payload)
                self._late_run = 0
                self._suspect = None
                end = (timestamp + _FRAME) & 0xFFFFFFFF
                if 0 < (end - self._end) & 0xFFFFFFFF < 0x80000000:
                    self._end = end
                return
        if ready:
            self._spill()
        if head is None:
            self._begin(timestamp)
        elif (timestamp - head) & 0xFFFFFFFF >= _FAR:
            late = self._late(timestamp, size)
            if late is None:
                return
            if late:  # its beginning has been played (or concealed) already
                payload = payload[late:]
                timestamp = (timestamp + late) & 0xFFFFFFFF
        self._late_run = 0
        self._suspect = None
        if len(self._packets) >= _CAPACITY:
            return
        self._packets[timestamp] = payload
        end = (timestamp + len(payload)) & 0xFFFFFFFF
        if 0 < (end - self._end) & 0xFFFFFFFF < 0x80000000:
            self._end = end

    def _late(self, timestamp: int, size: int) -> int | None:
        """How many bytes are over of a packet whose turn has begun, or that is a jump of the far end's clock. 0: the
        stream starts afresh with it; None: it is not to be played."""
        late = -timestamp_ahead(timestamp, self._head or 0)
        if not -_FAR < late < _FAR:
            expected, self._suspect = self._suspect, (timestamp + size) & 0xFFFFFFFF
            if expected is None or not 0 <= timestamp_ahead(timestamp, expected) <= 4 * _FRAME:
                return None
        elif late < size:
            return late
        else:
            self.late += 1
            self._late_run += 1
            if self._late_run < _LATE_IN_A_ROW:
                self._grow = True
                return None
            # The far end paused without counting on, or the network's delay moved for good.
        self._begin(timestamp)
        return 0

    def pull(self, *, quiet: bool = True) -> bytes | None:
        """The next 20 ms, or None when it isn't there. ``quiet``: nobody would notice a frame skipped now."""
        head = self._head
        if head is None:
            return None
        if self._wait:
            self._wait -= 1
            return None
        if self._grow:
            self._grow = False
            if self.delay_frames() < _MOST:
                self._patience = min(2 * self._patience, 1500)
                self._slack, self._pulls = _MOST, 0
                return None  # one frame later from now on
        frame: bytes | None
        if self._ready:
            frame = self._ready.popleft()
            self._head = head = (head + _FRAME) & 0xFFFFFFFF
        else:
            frame = self._take()
            head = self._gather()
        if frame is None:
            self._empty_run += 1
            if self._empty_run >= _IDLE:
                self.reset()
            return None
        self._empty_run = 0
        self._pulls += 1
        slack = ((self._end - head) & 0xFFFFFFFF) // _FRAME
        if slack < self._slack:
            self._slack = slack
        if self._pulls >= self._patience or slack > _MOST + 5:
            self._tighten(quiet)
        return frame

    def _gather(self) -> int:
        """What is whole and in a row again is ready. The head."""
        packets, head = self._packets, self._head or 0
        at = head
        while packets and len(packets.get(at, b"")) == _FRAME:
            self._ready.append(packets.pop(at))
            at = (at + _FRAME) & 0xFFFFFFFF
        return head

    def _spill(self) -> None:
        """What is ready goes to the others, for whatever is to be sorted in among it."""
        at = self._head or 0
        while self._ready:
            self._packets[at] = self._ready.popleft()
            at = (at + _FRAME) & 0xFFFFFFFF

    def _begin(self, timestamp: int) -> None:
        self._ready.clear()
        self._packets.clear()
        self._head = timestamp
        self._end = timestamp
        self._wait = _START
        self._late_run = 0
        self._grow = False
        self._slack, self._pulls = _MOST, 0

    def _take(self) -> bytes | None:
        self._spill()
        head = self._head or 0
        self._head = (head + _FRAME) & 0xFFFFFFFF
        payload = self._packets.pop(head, None)
        if payload is not None and len(payload) == _FRAME:
            return payload
        if payload is not None and len(payload) > _FRAME:
            self._packets[self._head] = payload[_FRAME:]
            return payload[:_FRAME]
        return self._assemble(head, payload or b"") if payload or self._packets else None

    def _assemble(self, head: int, begun: bytes) -> bytes | None:
        """A frame from packets that don't line up with it; the gap before a later one is filled by repeating."""
        pieces = bytearray(begun)
        for start in sorted(self._packets, key=lambda t: timestamp_ahead(t, head)):
            offset = timestamp_ahead(start, head)
            if offset >= _FRAME:
                break
            payload = self._packets.pop(start)
            if offset < 0:
                payload = payload[-offset:]
                offset = 0
            if not payload:
                continue
            if offset > len(pieces):
                pieces += payload[:1] * (offset - len(pieces))
            room = _FRAME - len(pieces)
            fresh = payload[len(pieces) - offset :]
            pieces += fresh[:room]
            if len(fresh) > room:
                self._packets[(head + _FRAME) & 0xFFFFFFFF] = fresh[room:]
                break
        if not pieces:
            return None
        return bytes(pieces) + pieces[-1:] * (_FRAME - len(pieces))

    def _tighten(self, quiet: bool) -> None:
        """Give back delay that was never needed."""
        slack = self.delay_frames()
        if slack > _MOST + 5:
            for _ in range(slack - _START):
                self._take()
            self._slack, self._pulls = _MOST, 0
        elif self._pulls >= self._patience:
            if self._slack < _START:
                self._slack, self._pulls = _MOST, 0
            elif quiet or self._pulls >= 2 * self._patience:
                self._take()
                self._slack, self._pulls = _MOST, 0


HISTORY = 3 * FRAME  # samples of the past that concealment looks at
LONGEST = 3  # frames; 60 ms, after which there is silence

_SHORTEST_LAG, _LONGEST_LAG = 32, 160  # 250 Hz to 50 Hz
_HOLD = 80  # samples at full level
_BLEND = 40  # 5 ms


def pitch_lag(history: Samples) -> int:
    """The lag in samples (32..160) at which the last 20 ms resemble what came before them best."""
    past = history.astype(np.float64)
    recent = past[-FRAME:]
    windows = np.lib.stride_tricks.sliding_window_view(past[-FRAME - _LONGEST_LAG : -_SHORTEST_LAG], FRAME)
    likeness = windows @ recent / np.sqrt(np.einsum("ij,ij->i", windows, windows) + 1.0)
    return _LONGEST_LAG - int(np.argmax(likeness))


def conceal(history: Samples, lost: int) -> Samples:
    """The frame to play in place of the ``lost``-th missing one in a row (0 is the first), after ``history``.

    ``history`` holds the last HISTORY good samples. Fades from 10 ms on to nothing at 60 ms."""
    if lost >= LONGEST or len(history) < HISTORY:
        return SILENCE
    lag = pitch_lag(history)
    cycle = history[-lag:].astype(np.float64)
    overlap = lag // 4
    ramp = np.linspace(0.0, 1.0, overlap, endpoint=False)
    before = history[-lag - overlap : -lag]
    cycle[-overlap:] = cycle[-overlap:] * (1.0 - ramp) + before * ramp  # so that the end leads into the start
    place = np.arange(lost * FRAME, (lost + 1) * FRAME)
    gain = np.clip(1.0 - (place - _HOLD) / (LONGEST * FRAME - _HOLD), 0.0, 1.0)
    return clipped(cycle[place % lag] * gain)


def resumed(frame: Samples, synthetic: Samples) -> Samples:
    """``frame``, the first good one after a loss, led into from what concealment would have gone on with."""
    ramp = np.linspace(0.0, 1.0, _BLEND, endpoint=False)
    out = frame.copy()
    out[:_BLEND] = clipped(frame[:_BLEND] * ramp + synthetic[:_BLEND] * (1.0 - ramp))
    return out
