"""The play queue of an RTP session: prompts in a row, cut ahead of time, each token told of once when it is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ivr.media.process.codec import FRAME, FRAME_S, RATE, SILENCE, Coder, Samples, clipped, faded, powers, samples

_CUT = 40  # samples, 5 ms: a prompt that is cut short fades instead of clicking

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

    __slots__ = (
        "_coder",
        "_done",
        "_filling",
        "_index",
        "_payloads",
        "_recording",
        "_running",
        "_tail",
        "_tracks",
        "power",
    )

    def __init__(self, done: Done) -> None:
        self._done = done
        self._tracks: deque[_Track] = deque()
        self._tail: Samples | None = None
        self._recording: Recording | None = None
        self._index = 0
        self._running: _Track | None = None  # in the midst of its first recording, so that ``next`` need not ask
        self._payloads: list[bytes] | None = None  # of the recording
        self._coder: Coder | None = None  # ... in its codec
        self._filling = SILENCE  # what to play where no recording is
        self.power = 0.0  # of what is played in these 20 ms

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
        track, recording = self._running, self._recording
        if track is not None and recording is not None:
            index = self._index = track.index
            track.index = index = index + 1
            track.played += FRAME_S
            if index + 1 == recording.frames:
                self._running = None
            self.power = recording.powers[index - 1]
            return True
        self.power = 0.0
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

    def payload(self, coder: Coder) -> bytes:
        """These 20 ms in ``coder``'s codec, mostly ready-made."""
        recording = self._recording
        if recording is None or not coder.stateless:
            return coder.encode(self.signal())
        payloads = self._payloads
        if payloads is None or coder is not self._coder:
            self._coder = coder
            payloads = self._payloads = recording.payloads(coder)
        return payloads[self._index]

    def signal(self) -> Samples:
        """These 20 ms as samples."""
        return self._filling if self._recording is None else self._recording.samples(self._index)

    def _step(self, track: _Track) -> None:
        recording = track.recordings[0]
        if recording is not self._recording:
            self._recording, self._payloads = recording, None
        index = self._index = track.index
        self.power = recording.powers[index]
        track.index += 1
        if track.index < recording.frames:
            track.played += FRAME_S
            self._running = track if track.index + 1 < recording.frames else None
            return
        track.recordings.popleft()
        track.played += recording.seconds - index * FRAME_S
        track.index = 0
        if track.recordings:
            track.left = track.gap

    def _cut(self, victims: Sequence[_Track]) -> None:
        if not victims:
            return
        self._running = None
        first = self._tracks[0]
        if first in victims and first.index and first.recordings:
            tail = SILENCE.copy()
            end = first.recordings[0].samples(first.index)[:_CUT]
            tail[:_CUT] = clipped(end.astype(np.int32) * np.arange(_CUT, 0, -1) // _CUT)
            self._tail = tail
        for track in victims:
            self._tracks.remove(track)
            self._done(track.token, False, track.played)
