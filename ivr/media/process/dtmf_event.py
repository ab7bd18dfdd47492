"""DTMF as RTP telephone-events (RFC 4733): receiving them once a press, and sending them."""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import NamedTuple

from ivr.media.process.rtp import timestamp_ahead
from ivr.media.wire import KEYS

_BODY = Struct("!BBH")
_FRAME = 160
_END = 0x80
_VOLUME = 10  # -10 dBm0, what handsets send
_SILENT_TICKS = 10  # a press whose end got lost is over after 200 ms without a packet
_REMEMBERED = 8
_SHORTEST, _LONGEST = 5, 400  # ticks of a press that we send, whenever the far end lets go
_PAUSE = 3  # ticks between two of them


class KeyChange(NamedTuple):
    """``began``: a press to report, exactly once each. ``ended``: its end, also once (for a bridge to pass on)."""

    key: str
    began: bool
    ended: bool


class EventReceiver:
    """De-duplicates by RTP timestamp; needs no marker bit, and takes a press even from its last packet only."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._key = ""
        self._timestamp = 0
        self._duration = 0
        self._held = False
        self._silent = 0

    def packet(self, timestamp: int, payload: bytes) -> KeyChange | None:
        """What ``payload`` changes, None for a repetition or anything that isn't a key (flash, garbage)."""
        if len(payload) < 4:
            return None
        event, flags, duration = _BODY.unpack_from(payload)
        if event >= len(KEYS):
            return None
        key, end = KEYS[event], bool(flags & _END)
        if timestamp in self._recent:
            if timestamp != self._timestamp:
                return None  # a straggler of an earlier press
            self._silent = 0
            self._duration = max(self._duration, duration)
            if end and self._held:
                self._held = False
                return KeyChange(key, False, True)
            return None
        continued = self._continues(key, timestamp, duration)
        self._recent.append(timestamp)
        self._key, self._timestamp, self._duration, self._silent = key, timestamp, duration, 0
        self._held = not end
        if continued:
            return KeyChange(key, False, True) if end else None
        return KeyChange(key, True, end)

    def tick(self) -> KeyChange | None:
        """Call every 20 ms: ends a press whose end packets were lost."""
        if self._held:
            self._silent += 1
            if self._silent >= _SILENT_TICKS:
                self._held = False
                return KeyChange(self._key, False, True)
        return None

    def _continues(self, key: str, timestamp: int, duration: int) -> bool:
        """A later segment of one long press (section 2.5.1.3), or a far end that wrongly moves its timestamp on."""
        if not self._held or key != self._key:
            return False
        ahead = timestamp_ahead(timestamp, self._timestamp)
        return 0xFFFF - 2 * _FRAME <= ahead <= 0x10000 + 2 * _FRAME or (
            0 < ahead <= 5 * _FRAME and duration > self._duration
        )


class EventPacket(NamedTuple):
    """What to send in this tick instead of audio; ``timestamp`` is that of the press's beginning."""

    payload: bytes
    marker: bool
    timestamp: int


class EventSender:
    """Keys to send, one after the other: 20 ms updates, three end packets, a pause between presses."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, int]] = deque()  # key, ticks (0: until released)
        self._key = ""
        self._ticks_wanted = 0
        self._ticks = 0
        self._start = 0
        self._ends = 0
        self._quiet = 0

    @property
    def busy(self) -> bool:
        """Whether a press is being sent, or waits."""
        return bool(self._key or self._waiting or self._quiet)

    def press(self, key: str, ticks: int = 5) -> None:
        """Send ``key`` for ``ticks`` of 20 ms."""
        self._waiting.append((key, max(1, ticks)))

    def hold(self, key: str) -> None:
        """Send ``key`` until ``release``."""
        self._waiting.append((key, 0))

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
