"""Estimated wait (EWT): queue length with abandonment (Whitt's QL_a), and the bound that is kept in four of five calls.

With n callers ahead, s agents, a mean handle time h and callers who leave at a rate θ each::

    e = max(Σ i=0..n 1 / (s/h + i·θ), 15 s)

What is said is e times a quantile of (true wait / e) of recent announcements with about as many ahead. Which quantile
adapts until the promise is kept (adaptive conformal inference), apart for each kind of sentence: who is told again is
somebody who still waits, and with one quantile for both the first sentence would be kept less often. Pure: times go in.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PROMISE = 0.8
STEP = 0.01  # by which the quantile moves with each truth
ALPHA_BOUNDS = (0.02, 0.6)
LEAST_S = 15.0
FEW, FEW_FACTOR = 20, 2.0  # with fewer truths than that, the bound is so many times the estimate
KEPT_RATIOS = 400
KEPT_HANDLES, FIRST_HANDLES = 60, 20
KEPT_ENDED = 200

Sentence = Literal["first", "again"]
"""When it is said: to somebody who has just come, or who was told before."""
SENTENCES: tuple[Sentence, ...] = ("first", "again")
BUCKETS = 4


def bucket(ahead: int) -> int:
    """0 | 1–2 | 3–6 | 7 and more."""
    return 0 if ahead < 1 else 1 if ahead < 3 else 2 if ahead < 7 else 3


def erlang_wait(ahead: int, agents: int, handle_s: float, abandonment: float) -> float:
    """QL_a in seconds, never below LEAST_S. ``abandonment``: callers who leave, a second and caller."""
    served = agents / handle_s
    return max(sum(1.0 / (served + i * abandonment) for i in range(ahead + 1)), LEAST_S)


class Ratios:
    """The last values of true wait / estimate, and their quantiles (linear between neighbours)."""

    def __init__(self, most: int = KEPT_RATIOS) -> None:
        self._newest: deque[float] = deque()
        self._sorted: list[float] = []
        self._most = most

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, ratio: float) -> None:
        self._newest.append(ratio)
        insort(self._sorted, ratio)
        if len(self._newest) > self._most:
            del self._sorted[bisect_left(self._sorted, self._newest.popleft())]

    def quantile(self, share: float) -> float:
        """``share`` 0..1 of the values are below. Raises IndexError where there are none."""
        at = share * (len(self._sorted) - 1)
        below = int(at)
        above = min(below + 1, len(self._sorted) - 1)
        return self._sorted[below] + (at - below) * (self._sorted[above] - self._sorted[below])


class Promise:
    """The bound of one kind of sentence with about as many ahead: recent ratios, and α, the share that may break it."""

    def __init__(self, promise: float = PROMISE) -> None:
        self._may_break = 1 - promise
        self._alpha = self._may_break
        self._ratios = Ratios()

    @property
    def factor(self) -> float:
        """The bound as a multiple of the estimate."""
        if len(self._ratios) < FEW:
            return FEW_FACTOR
        return self._ratios.quantile(1 - min(max(self._alpha, ALPHA_BOUNDS[0]), ALPHA_BOUNDS[1]))

    def learn(self, ratio: float) -> None:
        self._alpha += STEP * (self._may_break - (ratio > self.factor))
        self._ratios.add(ratio)


@dataclass(frozen=True, slots=True)
class Expected:
    """An estimate: ``seconds`` with ``ahead`` callers before; ``within_s`` the bound."""

    ahead: int
    seconds: float
    within_s: float


class WaitEstimate:
    """What is known of this desk. ``handle_s``: the configured handle time, until enough of them were seen."""

    def __init__(self, handle_s: float) -> None:
        self._handles: deque[float] = deque([handle_s] * FIRST_HANDLES, maxlen=KEPT_HANDLES)
        self._ended: deque[tuple[float, bool]] = deque(maxlen=KEPT_ENDED)
        self._promises: Mapping[tuple[Sentence, int], Promise] = {
            (sentence, n): Promise() for sentence in SENTENCES for n in range(BUCKETS)
        }

    @property
    def handle_s(self) -> float:
        """Mean handle time with wrap-up."""
        return sum(self._handles) / len(self._handles)

    def abandonment(self, waiting_s: float) -> float:
        """θ, a second and caller. ``waiting_s``: what those waiting now have waited, added up."""
        waited = sum(seconds for seconds, _ in self._ended) + waiting_s
        return (sum(gave_up for _, gave_up in self._ended) + 1) / (waited + 900.0)

    def expect(self, sentence: Sentence, ahead: int, agents: int, waiting_s: float) -> Expected | None:
        """None where nobody with the skill is on duty: nothing honest can be said."""
        if agents < 1:
            return None
        seconds = erlang_wait(ahead, agents, self.handle_s, self.abandonment(waiting_s))
        return Expected(ahead, seconds, seconds * self._promises[sentence, bucket(ahead)].factor)

    def handled(self, seconds: float) -> None:
        """A conversation with its wrap-up is over."""
        self._handles.append(seconds)

    def ended(self, waited_s: float, *, gave_up: bool) -> None:
        """Somebody who had to wait was served, or left."""
        self._ended.append((waited_s, gave_up))

    def learn(self, sentence: Sentence, ahead: int, seconds: float, true_s: float) -> None:
        """It was ``true_s`` where ``seconds`` were expected; of those who gave up too, once the line passed them."""
        self._promises[sentence, bucket(ahead)].learn(true_s / max(seconds, LEAST_S))
