"""Two sides of a conversation on one time line: PCMU of each, as it comes, to seconds of interleaved stereo."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.recording.g711 import SILENCE, mixed

RATE = 8000
LAG = 2 * RATE  # a side that is silent for longer is not waited for
NEAR = RATE // 50 * 3  # what comes so near to what was before follows it without a gap


class Side:
    """PCMU from the recording's beginning on; ``done`` samples of it are written already."""

    def __init__(self) -> None:
        self.samples = bytearray()
        self.done = 0

    @property
    def end(self) -> int:
        return self.done + len(self.samples)

    def put(self, at: int, payload: bytes) -> None:
        """``payload`` from sample ``at`` on; what would be before the end is taken to be late."""
        if at - self.end > NEAR:
            self.samples.extend(bytes([SILENCE]) * (at - self.end))
        elif at + len(payload) <= self.done:
            return
        elif self.end - at > NEAR:  # heard twice, or the clock was set back
            payload = payload[self.end - at :]
        self.samples.extend(payload)

    def take(self, count: int) -> bytes:
        taken = bytes(self.samples[:count]).ljust(count, bytes([SILENCE]))
        del self.samples[:count]
        self.done += count
        return taken


class Stereo:
    """``left`` is the caller, ``right`` everybody that they hear. ``began``: the moment of sample 0 (monotonic)."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._left = Side()
        self._right: dict[object, Side] = {}

    def left(self, at: float, payload: bytes) -> None:
        self._left.put(self._sample(at), payload)

    def right(self, who: object, at: float, payload: bytes) -> None:
        side = self._right.get(who)
        if side is None:
            side = self._right[who] = Side()
            side.done = self._left.done
        side.put(self._sample(at), payload)

    def seconds(self) -> list[bytes]:
        """Whole seconds that both sides have reached, or that nobody waits for any more."""
        ends = [self._left.end, *(side.end for side in self._right.values())]
        reached = min(ends) if self._right else self._left.done  # nobody was heard on the right yet
        ready = max(reached, max(ends) - LAG) - self._left.done
        return [self._take(RATE) for _ in range(ready // RATE)]

    def rest(self) -> list[bytes]:
        """All there is, at the end."""
        left = max(side.end for side in (self._left, *self._right.values())) - self._left.done
        found = [self._take(RATE) for _ in range(left // RATE)]
        return [*found, self._take(left % RATE)]

    def _sample(self, at: float) -> int:
        return max(0, round((at - self._began) * RATE))

    def _take(self, count: int) -> bytes:
        return interleaved(self._left.take(count), [side.take(count) for side in self._right.values()])


def interleaved(left: bytes, right: Sequence[bytes]) -> bytes:
    both = bytearray(2 * len(left))
    both[0::2] = left
    both[1::2] = mixed(right) if right else bytes([SILENCE]) * len(left)
    return bytes(both)
