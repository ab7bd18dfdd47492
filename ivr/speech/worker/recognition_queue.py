"""The recognition queue: which of those who wait for a recogniser is next. Pure.

Somebody waits for what they have said: the one who ended first goes first. Who has waited so long that they were given
the keys comes after those who can still be answered in time: else, once there is too much to do, all would be late.
Guesses in a pause come after all of them, then grammars to be prepared, then what nobody waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Generic, Protocol, TypeVar


class Rank(IntEnum):
    """How urgent a job is, the most urgent first."""

    ENDED = 0  # an utterance that is over: the caller waits
    LATE = 1  # the caller was given the keys meanwhile
    SPECULATIVE = 2  # the caller pauses, and may go on
    PREPARATION = 3  # of a grammar, before anybody speaks under it
    BACKGROUND = 4  # nobody waits for it


LATE_S = 2.0  # after the end of the sound


def rank_of(waited_s: float) -> Rank:
    """Of an utterance whose sound ended so long ago."""
    return Rank.LATE if waited_s > LATE_S else Rank.ENDED


class Waiting(Protocol):
    """A job in the queue. All of it may change while it waits."""

    @property
    def rank(self) -> Rank: ...
    @property
    def since(self) -> float:
        """When it became what ``rank`` says: the end of the utterance, else when it came."""

    @property
    def wanted(self) -> bool: ...


J = TypeVar("J", bound=Waiting)


class RecognitionQueue(Generic[J]):
    """Looked through at each turn: a few hundred at most, and ranks change while they wait."""

    def __init__(self) -> None:
        self._jobs: list[J] = []

    def put(self, job: J) -> None:
        self._jobs.append(job)

    def take(self, able: Callable[[J], bool] = lambda job: True) -> J | None:
        """The next job that ``able`` says can be done now; those that nobody wants any more are dropped."""
        self._jobs = [job for job in self._jobs if job.wanted]
        found = min(filter(able, self._jobs), key=lambda job: (job.rank, job.since), default=None)
        if found is not None:
            self._jobs.remove(found)
        return found

    def waiting(self, rank: Rank) -> int:
        """How many wanted jobs of that rank, or a more urgent one, wait."""
        return sum(job.wanted and job.rank <= rank for job in self._jobs)
