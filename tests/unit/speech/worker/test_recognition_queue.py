"""Who is next at the recognisers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ivr.speech.worker.recognition_queue import LATE_S, Rank, RecognitionQueue, rank_of


@dataclass
class Job:
    name: str
    rank: Rank
    since: float = 0.0
    wanted: bool = True


@pytest.fixture
def queue() -> RecognitionQueue[Job]:
    return RecognitionQueue()


def taken(queue: RecognitionQueue[Job]) -> list[str]:
    names = []
    while (job := queue.take()) is not None:
        names.append(job.name)
    return names


def test_the_utterance_that_ended_first_goes_first_and_nobody_who_waits_stands_behind_who_does_not(
    queue: RecognitionQueue[Job],
) -> None:
    jobs = [
        Job("written down", Rank.BACKGROUND, 1.0),
        Job("prepared", Rank.PREPARATION, 2.0),
        Job("guessed", Rank.SPECULATIVE, 3.0),
        Job("ended later", Rank.ENDED, 5.0),
        Job("ended first", Rank.ENDED, 4.0),
    ]
    for job in jobs:
        queue.put(job)
    assert queue.waiting(Rank.ENDED) == 2 and queue.waiting(Rank.BACKGROUND) == 5
    assert taken(queue) == ["ended first", "ended later", "guessed", "prepared", "written down"]
    assert queue.take() is None


def test_a_guess_becomes_urgent_when_its_utterance_ends_while_it_waits(queue: RecognitionQueue[Job]) -> None:
    guess = Job("guess", Rank.SPECULATIVE, 1.0)
    for job in (guess, Job("ended", Rank.ENDED, 3.0)):
        queue.put(job)
    guess.rank, guess.since = Rank.ENDED, 2.5
    assert taken(queue) == ["guess", "ended"]


def test_what_nobody_waits_for_any_more_is_dropped(queue: RecognitionQueue[Job]) -> None:
    gone = Job("gone", Rank.ENDED, 1.0)
    for job in (gone, Job("here", Rank.ENDED, 2.0)):
        queue.put(job)
    gone.wanted = False
    assert queue.waiting(Rank.BACKGROUND) == 1
    assert taken(queue) == ["here"]


def test_what_cannot_be_done_now_waits(queue: RecognitionQueue[Job]) -> None:
    for job in (Job("elsewhere", Rank.ENDED, 1.0), Job("here", Rank.ENDED, 2.0)):
        queue.put(job)
    first = queue.take(lambda job: job.name == "here")
    assert first is not None and first.name == "here"
    assert taken(queue) == ["elsewhere"]


def test_whose_caller_has_the_keys_by_now_comes_after_those_who_can_still_be_answered_in_time() -> None:
    assert [rank_of(waited_s) for waited_s in (0.0, LATE_S, LATE_S + 0.01)] == [Rank.ENDED, Rank.ENDED, Rank.LATE]
    assert Rank.ENDED < Rank.LATE < Rank.SPECULATIVE
