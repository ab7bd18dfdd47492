"""Saturation: whether one more talker would make all of them wait, by count and by how long they waited lately. Pure.

A count alone fails where callers or machines differ; the wait alone comes too late after a burst, when all are taken
before anybody has spoken. A word for those who wait keeps nobody from waiting: only taking no more of them does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import structlog

from ivr.ports import SpeechLoad

log = structlog.get_logger(__name__)
RECENT_S = 10.0
_FEWEST = 10  # utterances, to speak of a tenth of them


class Saturation:
    """``talkers``: how many may talk at once; ``keys_led``: how many more are taken; ``late_s``: a wait from the end of
    an utterance to its reading that nobody should have."""

    def __init__(self, talkers: int, keys_led: int, late_s: float, now: Callable[[], float]) -> None:
        self._talkers = talkers
        self._keys_led = keys_led
        self._late_s = late_s
        self._now = now
        self._spoken: dict[int, deque[float]] = {}  # by session: when the ends of what waits to be read were told
        self._waits: deque[tuple[float, float]] = deque()  # when it was read, how long that took
        self._refused = False

    def spoken(self, session: int) -> None:
        """An utterance has ended."""
        self._spoken.setdefault(session, deque()).append(self._now())

    def read(self, session: int) -> None:
        """The oldest of the session's utterances was read."""
        if waiting := self._spoken.get(session):
            now = self._now()
            self._waits.append((now, now - waiting.popleft()))

    def gone(self, session: int) -> None:
        """Nobody waits there any more."""
        self._spoken.pop(session, None)

    @property
    def waited_s(self) -> float:
        """What the slowest tenth of the last ten seconds' utterances waited at least, or waits now; 0 for too few."""
        now = self._now()
        while self._waits and now - self._waits[0][0] > RECENT_S:
            self._waits.popleft()
        waits = [wait for _, wait in self._waits]
        waits += [now - at for waiting in self._spoken.values() for at in waiting]
        return sorted(waits)[int(0.9 * len(waits))] if len(waits) >= _FEWEST else 0.0

    def load(self, talkers: int) -> SpeechLoad:
        """With so many callers who talk, or are about to."""
        waited_s = self.waited_s
        late = waited_s > self._late_s
        why = ""
        if talkers >= self._talkers + self._keys_led:
            why = f"{talkers} callers at once, the most that are taken"
        elif late:
            why = f"what callers say is read {waited_s:.1f} s late"
        if bool(why) != self._refused:
            self._refused = bool(why)
            if why:
                log.warning("speech.saturated", reason=why, talkers=talkers, waited_s=round(waited_s, 2))
            else:
                log.info("speech.relieved", talkers=talkers)
        return SpeechLoad(talkers, self._talkers, round(waited_s, 2), why, late or talkers > self._talkers)
