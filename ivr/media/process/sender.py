"""The sender of an RTP session: its play queue; a packet a tick of a prompt, voices, a key, silence; or a relay."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import getrandbits
from typing import TypeAlias

import numpy as np

from ivr.media.description import MediaDescription, held, preferred
from ivr.media.process.codec import (
    FRAME,
    FRAME_S,
    RATE,
    SILENCE,
    Coder,
    Samples,
    clipped,
    coder,
    faded,
    mixed,
    powers,
    samples,
)
from ivr.media.process.dtmf_event import EventSender
from ivr.media.process.dtmf_tone import tones
from ivr.media.process.latch import Address
from ivr.media.process.mixing import Voice
from ivr.media.process.relay import Relay, Source
from ivr.media.process.rtp import HEADER, MARKER, VERSION, Packet

_TONE_S = 0.1
_CUT = 40  # samples, 5 ms: a prompt that is cut short fades instead of clicking
_BOUNDS: tuple[float, ...] = (5, 10, 15, 17, 18, 19, 19.5, 20, 20.5, 21, 21.5, 22, 22.5, 23, 24, 25, 26, 28, 30)  # ms
_BOUNDS += (33, 36, 40, 45, 50, 60, 80, 100, 150, 200, 500)

Send: TypeAlias = Callable[[bytes, Address], object]  # an RTP packet on its way; raises OSError
Done: TypeAlias = Callable[[int, bool, float], None]  # token, completed, seconds played


class Recording:
    """A clip in the media process: faded at its ends, padded to whole frames, its payloads cut ahead of time."""

    def __init__(self, raw: bytes) -> None:
        signal = faded(samples(raw))
        self.frames = -(-len(signal) // FRAME)
        self.signal: Samples = np.pad(signal, (0, self.frames * FRAME - len(signal)))
        self.seconds = len(signal) / RATE
        self.powers: list[float] = powers(self.signal.reshape(-1, FRAME)).tolist() if self.frames else []
        self._payloads: dict[str, list[bytes]] = {}

    def samples(self, index: int) -> Samples:
        """The ``index``-th frame."""
        return self.signal[index * FRAME : (index + 1) * FRAME]

    def payloads(self, coder: Coder) -> list[bytes]:
        """Every frame, encoded; only for stateless codecs."""
        ready = self._payloads.get(coder.name)
        if ready is None:
            whole = coder.encode(self.signal)
            ready = [whole[i : i + FRAME] for i in range(0, len(whole), FRAME)]
            self._payloads[coder.name] = ready
        return ready


@dataclass(slots=True, eq=False)
class _Track:
    """One ``play``: clips in a row with gaps (frames) between them."""

    token: int
    recordings: deque[Recording]
    stop_on_key: bool
    gap: int
    index: int = 0
    left: int = 0  # frames of the gap still to come
    played: float = 0.0


class PlayQueue:
    """Tracks in order. ``done`` is called exactly once for every token, whatever happens to it.

    ``next`` moves on by 20 ms; ``payload`` or ``signal`` then give these 20 ms."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._tracks: deque[_Track] = deque()
        self._tail: Samples | None = None
        self._recording: Recording | None = None
        self._index = 0
        self._filling = SILENCE  # what to play where no recording is

    def __bool__(self) -> bool:
        return bool(self._tracks) or self._tail is not None

    def add(self, token: int, recordings: Sequence[Recording], *, stop_on_key: bool = False, gap_ms: int = 0) -> None:
        """Queue after what is playing."""
        audible = deque(recording for recording in recordings if recording.frames)
        self._tracks.append(_Track(token, audible, stop_on_key, round(gap_ms / 1000 / FRAME_S)))

    def stop(self, token: int | None = None) -> None:
        """Silence from the next frame on (but for 5 ms of fading); ``token``: instead of that track alone."""
        self._cut([track for track in self._tracks if token is None or track.token == token])

    def key(self) -> None:
        """A key was pressed: cut what asked for that."""
        self._cut([track for track in self._tracks if track.stop_on_key])

    def next(self) -> bool:
        """Whether there is something to play in this tick."""
        if self._tail is not None:
            self._recording, self._filling, self._tail = None, self._tail, None
            return True
        while self._tracks:
            track = self._tracks[0]
            if track.left:
                track.left -= 1
                self._recording, self._filling = None, SILENCE
                return True
            if track.recordings:
                self._step(track)
                return True
            self._tracks.popleft()
            self._done(track.token, True, track.played)
        return False

    @property
    def power(self) -> float:
        """Of what is played in these 20 ms, while ``next`` says that there is something."""
        return 0.0 if self._recording is None else self._recording.powers[self._index]

    def payload(self, coder: Coder) -> bytes:
        """These 20 ms in ``coder``'s codec, mostly ready-made."""
        recording = self._recording
        if recording is not None and coder.stateless:
            return recording.payloads(coder)[self._index]
        return coder.encode(self.signal())

    def signal(self) -> Samples:
        """These 20 ms as samples."""
        return self._filling if self._recording is None else self._recording.samples(self._index)

    def _step(self, track: _Track) -> None:
        recording = self._recording = track.recordings[0]
        index = self._index = track.index
        track.index += 1
        if track.index < recording.frames:
            track.played += FRAME_S
            return
        track.recordings.popleft()
        track.played += recording.seconds - index * FRAME_S
        track.index = 0
        if track.recordings:
            track.left = track.gap

    def _cut(self, victims: Sequence[_Track]) -> None:
        if not victims:
            return
        first = self._tracks[0]
        if first in victims and first.index and first.recordings:
            tail = SILENCE.copy()
            end = first.recordings[0].samples(first.index)[:_CUT]
            tail[:_CUT] = clipped(end.astype(np.int32) * np.arange(_CUT, 0, -1) // _CUT)
            self._tail = tail
        for track in victims:
            self._tracks.remove(track)
            self._done(track.token, False, track.played)


class Gaps:
    """A histogram of times between packets, cheap enough for every packet of every call."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._total = 0
        self._last = 0.0

    def sent(self, now: float) -> None:
        """A packet left at ``now`` (seconds)."""
        if self._last:
            self._counts[bisect_left(_BOUNDS, (now - self._last) * 1000.0)] += 1
            self._total += 1
        self._last = now

    def pause(self) -> None:
        """Sending stopped on purpose (hold): the next gap doesn't count."""
        self._last = 0.0

    def percentile(self, share: float) -> float:
        """Upper bound in ms of the bucket that holds the ``share`` quantile; 0 before two packets."""
        wanted, seen = share * self._total, 0
        for count, bound in zip(self._counts, _BOUNDS, strict=False):
            seen += count
            if self._total and seen >= wanted:
                return bound
        return _BOUNDS[-1] if self._total else 0.0


class Sender:
    """What we send. Sequence numbers and timestamps go on for ever, whatever the source of the audio."""

    def __init__(self, send: Send, done: Done, processes: int = 0) -> None:
        """``processes``: how many sent to the far end before this one: by the same key, no SSRC may serve two."""
        self.queue = PlayQueue(done)
        self.gaps = Gaps()
        self.ssrc = getrandbits(24) << 8 | processes & 0xFF
        self.timestamp = getrandbits(32)
        self.packets = 0
        self.octets = 0
        self.held = False
        self.power = 0.0  # of the prompt in this tick
        self.coder: Coder | None = None
        self.relay = Relay()
        self._send = send
        self._sequence = getrandbits(15)  # a loss at the beginning must hide no turn from SRTP (RFC 4568 section 6.4)
        self._payload_type = 0
        self._events_type: int | None = None
        self._events = EventSender()
        self._tones: deque[Samples] = deque()
        self._marker = MARKER

    def aim(self, remote: MediaDescription, preferences: tuple[str, ...]) -> None:
        """Send what ``remote`` takes, or nothing while it holds us. Raises NoCommonCodec."""
        chosen = preferred(remote, preferences)
        if self.coder is None or self.coder.name != chosen.name:
            self.coder = coder(chosen.name)
        self._payload_type = chosen.payload_type
        self._events_type = remote.dtmf_payload_type
        self.held = held(remote)

    def press(self, key: str) -> None:
        """Send one short press, as an event where the far end takes those, else as tones."""
        if self._events_type is not None:
            self._events.press(key)
        else:
            self._tone(key)

    def hold_key(self, key: str, *, audible: bool) -> None:
        """A key goes down on the other leg; ``audible``: its tones come along in the audio anyway."""
        if self._events_type is not None:
            self._events.hold(key)
        elif not audible:
            self._tone(key)

    def release_key(self) -> None:
        """The key goes up again."""
        self._events.release()

    def send_on(self, target: Address | None, source: Source, packet: Packet, placed: int | None, now: float) -> bool:
        """Send ``packet`` of another leg's ``source`` to ``target`` now. False: that is for the ticks to do.

        ``placed``: see ``Relay``. The header is ours, but for losses and the marker. What we have to say ourselves ends
        it at the next tick."""
        relay, coder, ours = self.relay, source.coder, self.coder
        if placed is None:
            relay.skip(packet)
            return relay.active
        if ours is None or coder is None or coder.name != ours.name or self.held or target is None:
            relay.leave(now)
            return False
        if not relay.active and (
            self._busy or not relay.enter(packet, placed, self.timestamp, now, quiet=source.quiet)
        ):
            return False
        numbers = relay.place(packet, placed, self._sequence, self.timestamp)
        if numbers is None:
            return False
        sequence, timestamp, begins = numbers
        if relay.newest:
            self._sequence = sequence
            self.timestamp = (timestamp + len(packet.payload) - FRAME) & 0xFFFFFFFF
        kind = self._payload_type
        if begins or self._marker:
            kind |= MARKER
            self._marker = 0
        self._packet(kind, sequence, timestamp, packet.payload, target)
        return True

    @property
    def _busy(self) -> bool:
        """Whether there is something of our own to send."""
        return bool(self.queue or self._events.busy or self._tones)

    def tick(self, target: Address | None, voice: Voice | None, now: float) -> None:
        """Send this tick's packet to ``target``; ``voice`` is what is heard of other legs."""
        self.power = 0.0
        relay = self.relay
        if relay.fresh:  # these 20 ms have been sent on
            relay.fresh = False
            self.gaps.pause()  # they are the far end's
            self._follow(voice)
            if self._busy:
                relay.leave(now)
            return
        self.timestamp = timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF
        if relay.active:
            if self._busy or self.held or target is None:
                relay.leave(now)
            elif relay.waits(now):
                return
        if self.held or target is None or self.coder is None:
            self._marker = MARKER
            self.gaps.pause()
            return
        payload_type, marker = self._payload_type, self._marker
        event = self._events.next(timestamp) if self._events.busy else None
        if event is not None and self._events_type is not None:
            payload, timestamp = event.payload, event.timestamp
            payload_type = self._events_type
            marker = MARKER if event.marker else 0
        else:
            payload = self._audio(self.coder, voice)
            self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self._packet(payload_type | marker, self._sequence, timestamp, payload, target):
            self.gaps.sent(now)

    def _packet(self, kind: int, sequence: int, timestamp: int, payload: bytes, target: Address) -> bool:
        try:
            self._send(HEADER.pack(VERSION, kind, sequence, timestamp, self.ssrc) + payload, target)
        except OSError:  # no route, or the socket's buffer is full: as lost as on the network
            return False
        self.packets += 1
        self.octets += len(payload)
        return True

    def _audio(self, coder: Coder, voice: Voice | None) -> bytes:
        if self._tones:
            return coder.encode(self._tones.popleft())
        queue = self.queue
        if queue.next():
            self.power = queue.power
            if voice is not None and voice.signal is not None:
                return coder.encode(mixed(queue.signal(), voice.signal))
            return queue.payload(coder)
        if voice is not None and voice.signal is not None:
            if voice.payload is not None and voice.coder is not None and voice.coder.name == coder.name:
                self._follow(voice)
                return voice.payload
            return coder.encode(voice.signal)
        return coder.silence or coder.encode(SILENCE)

    def _follow(self, voice: Voice | None) -> None:
        """An adaptive encoder goes along with what it has no part in, so that its own turn begins without a click."""
        if self.coder is not None and not self.coder.stateless and voice is not None and voice.signal is not None:
            self.coder.encode(voice.signal)

    def _tone(self, key: str) -> None:
        whole = faded(tones(key, _TONE_S))
        self._tones.extend(whole[i : i + FRAME] for i in range(0, len(whole), FRAME))
        self._tones.extend([SILENCE] * 3)
