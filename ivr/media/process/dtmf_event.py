"""DTMF as RTP telephone-events (RFC 4733): receiving them once a press, and sending them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from ivr.media.process.rtp import sequence_ahead, timestamp_ahead
from ivr.media.wire import KEYS

_BODY = Struct("!BBH")
_FRAME = 160
_END = 0x80
_VOLUME = 10  # -10 dBm0, what handsets send
_SILENT_TICKS = 10  # a press whose end got lost is over after 200 ms without a packet
_REMEMBERED = 8  # presses
_REORDERED = 64  # packets; a number further back belongs to a new numbering
_SHORTEST, _LONGEST = 5, 400  # ticks of a press that we send, whenever the far end lets go
_PAUSE = 3  # ticks between two of them

# What tells a press from the one before it, when the far end's timestamps don't. Clock ticks are 1/8000 s, and nobody,
# machines included, presses a key again in less than 40 ms of tone and 40 ms of pause.
_SLACK = 2 * _FRAME  # ticks by which a held key's next timestamp may miss the end of what was reported
_SLACK_ENDED = 240  # ... and the end packets' after it
_LONG = 0xC000  # a duration from which it may wrap, or a new segment begin (section 2.5.1.3)
_REPEATED_S = (0.01, 0.045)  # an end this long after the same key's last packet repeats it, whatever its timestamp
_STRAGGLING_S = 0.3
_FORGOTTEN_S = 1.0


class KeyChange(NamedTuple):
    """``began``: a press to report, exactly once each. ``ended``: its end, for whoever must know how long it lasts."""

    key: str
    began: bool
    ended: bool


class EventReceiver:
    """One press is one ``began``, whatever the sender's habits.

    No marker bit is needed, any packet of a press will do, and neither lost, repeated, late nor restamped ones count
    again. Sequence numbers tell what is late; timestamp, duration and arrival what is a press of its own."""

    __slots__ = (
        "_at",
        "_duration",
        "_ended",
        "_key",
        "_moving",
        "_reach",
        "_recent",
        "_sequence",
        "_silent",
        "_start",
        "_timestamp",
        "held",
    )

    def __init__(self) -> None:
        self._recent: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self._key = ""
        self._sequence = 0
        self._start = 0
        self._timestamp = 0
        self._duration = 0
        self._moving = False  # its timestamps do, and say where the press is rather than where it began
        self._reach = 0  # the timestamp that the press has come to
        self._at = 0.0
        self.held = False  # a press is under way
        self._ended = False  # its end was seen, not only missed
        self._silent = 0

    def packet(self, timestamp: int, payload: bytes, sequence: int, now: float) -> Sequence[KeyChange]:
        """What ``payload`` changes; nothing for a repetition or anything that isn't a key (flash, garbage)."""
        if len(payload) < _BODY.size:
            return ()
        event, flags, duration = _BODY.unpack_from(payload)
        if event >= len(KEYS):
            return ()
        key, end = KEYS[event], bool(flags & _END)
        if self._key and -_REORDERED <= sequence_ahead(sequence, self._sequence) <= 0:
            return self._late(key, timestamp)
        gap = now - self._at
        if key == self._key and self._continues(timestamp, duration, end, gap):
            self._sequence, self._at = sequence, now
            return self._go_on(timestamp, duration, end)
        stands_still = timestamp == self._timestamp and (key == self._key or not end)
        if (timestamp, key) in self._recent and gap < _FORGOTTEN_S and not stands_still:
            return ()  # an earlier press once more, under a new number
        changes = [KeyChange(self._key, False, True)] if self.held else []
        self._recent.append((timestamp, key))
        self._key, self._sequence, self._at = key, sequence, now
        self._start = self._timestamp = timestamp
        self._duration, self._reach = duration, timestamp + max(duration, _FRAME)
        self.held, self._ended, self._moving, self._silent = not end, end, False, 0
        return [*changes, KeyChange(key, True, end)]

    def tick(self) -> KeyChange | None:
        """Call every 20 ms: ends a press whose end packets were lost."""
        if self.held:
            self._silent += 1
            if self._silent >= _SILENT_TICKS:
                return self.give_up()
        return None

    def give_up(self) -> KeyChange | None:
        """End the press that is held, if any."""
        if not self.held:
            return None
        self.held = False
        return KeyChange(self._key, False, True)

    def _late(self, key: str, timestamp: int) -> Sequence[KeyChange]:
        """A copy or a straggler; or all that was left of a press that the next one has overtaken."""
        if (timestamp, key) in self._recent:
            return ()
        after, beyond = timestamp_ahead(timestamp, self._start), timestamp_ahead(timestamp, self._reach)
        if key == self._key and after > -_SLACK and beyond <= _SLACK:
            return ()  # of the press under way, whose timestamps move
        self._recent.append((timestamp, key))
        return (KeyChange(key, True, True),)

    def _go_on(self, timestamp: int, duration: int, end: bool) -> Sequence[KeyChange]:
        reach = timestamp + duration
        if timestamp != self._timestamp:
            self._recent.append((timestamp, self._key))
            self._moving = self._duration < _LONG  # else it is a new segment
        if self._moving:
            reach = timestamp + min(duration, _FRAME)
        if timestamp_ahead(reach, self._reach) > 0:
            self._reach = reach
        self._timestamp, self._silent = timestamp, 0
        self._duration = duration or self._duration
        if self._ended:
            return ()
        self.held, self._ended = not end, end
        return (KeyChange(self._key, False, True),) if end else ()  # told again, where it was given up for lost before

    def _continues(self, timestamp: int, duration: int, end: bool, gap: float) -> bool:
        """Whether a packet in order, of the same key, belongs to the press before it."""
        step = timestamp_ahead(timestamp, self._timestamp)
        beyond = timestamp_ahead(timestamp, self._reach)
        if not self._ended:
            in_time = gap < _FORGOTTEN_S
            if step == 0:
                grows = duration > self._duration or self._duration >= _LONG
                return grows or (in_time and (end or duration == self._duration))
            if end and gap < _REPEATED_S[1]:
                return True
            counted_on = abs(step - (duration - self._duration)) <= _FRAME // 2
            near = step <= 0x10000 + _SLACK if self._duration >= _LONG else beyond <= _SLACK
            return step > 0 and (counted_on or (in_time and near))
        if gap >= _FORGOTTEN_S:
            return False
        if step == 0:  # an end once more, or the far end's clock stands still
            return end or duration > self._duration
        if end:
            repeated = _REPEATED_S[0] <= gap < _REPEATED_S[1]
            return repeated or (gap < _STRAGGLING_S and beyond <= _SLACK_ENDED)
        if self._duration >= _LONG:
            return step > 0 and beyond <= _SLACK_ENDED
        return gap < _STRAGGLING_S and step > 0 and beyond < 0


class EventPacket(NamedTuple):
    """What to send in this tick instead of audio; ``timestamp`` is that of the press's beginning."""

    payload: bytes
    marker: bool
    timestamp: int


class EventSender:
    """Keys to send, one after the other: 20 ms updates, three end packets, a pause between presses."""

    __slots__ = (
        "_ends",
        "_key",
        "_quiet",
        "_start",
        "_ticks",
        "_ticks_wanted",
        "_waiting",
        "busy",
    )

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, int]] = deque()  # key, ticks (0: until released)
        self._key = ""
        self._ticks_wanted = 0
        self._ticks = 0
        self._start = 0
        self._ends = 0
        self._quiet = 0
        self.busy = False  # a press is being sent, or waits

    def press(self, key: str, ticks: int = 5) -> None:
        """Send ``key`` for ``ticks`` of 20 ms."""
        self._waiting.append((key, max(1, ticks)))
        self.busy = True

    def hold(self, key: str) -> None:
        """Send ``key`` until ``release``."""
        self._waiting.append((key, 0))
        self.busy = True

    def release(self) -> None:
        """End the held key, at the earliest after its shortest duration."""
        for index, (key, ticks) in enumerate(self._waiting):
            if ticks == 0:
                self._waiting[index] = (key, _SHORTEST)
                return
        if self._key and self._ticks_wanted == 0:
            self._ticks_wanted = max(_SHORTEST, self._ticks)

    def next(self, timestamp: int) -> EventPacket | None:
        """The packet of this tick, whose audio would carry ``timestamp``; None: send audio."""
        if not self._key:
            if self._quiet:
                self._quiet -= 1
                self.busy = bool(self._quiet or self._waiting)
                return None
            if not self._waiting:
                return None
            self._key, self._ticks_wanted = self._waiting.popleft()
            self._ticks, self._ends, self._start = 0, 0, timestamp
        code = KEYS.index(self._key)
        wanted = self._ticks_wanted or _LONGEST
        if self._ticks < wanted:
            self._ticks += 1
            body = _BODY.pack(code, _VOLUME, min(0xFFFF, self._ticks * _FRAME))
            return EventPacket(body, self._ticks == 1, self._start)
        body = _BODY.pack(code, _END | _VOLUME, min(0xFFFF, self._ticks * _FRAME))
        self._ends += 1
        if self._ends == 3:
            self._key = ""
            self._quiet = _PAUSE
        return EventPacket(body, False, self._start)
