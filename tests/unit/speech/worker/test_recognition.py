"""How urgent what a caller said is, as it waits to be recognised."""

from __future__ import annotations

import asyncio
from typing import Any

from ivr.ports import SpeechGrammar
from ivr.speech.worker.attempt import Attempt
from ivr.speech.worker.recognition import Spoken
from ivr.speech.worker.recognition_queue import LATE_S, Rank


class Detector:
    spoken_since = False


async def test_an_utterance_is_urgent_once_it_has_ended_until_its_caller_was_given_the_keys() -> None:
    now = asyncio.get_running_loop().time()
    detector: Any = Detector()
    attempt = Attempt(b"", SpeechGrammar("g", "en-US", ("yes",)))
    job = Spoken(detector, attempt, False, now)
    assert (job.rank, job.since) == (Rank.SPECULATIVE, now)
    attempt.ending = (now, False)
    assert (job.rank, job.since) == (Rank.ENDED, now)
    attempt.ending = (now - LATE_S - 1.0, False)
    late = job.rank
    assert late is Rank.LATE
    detector.spoken_since = True
    assert job.rank == Rank.ENDED, "what they said since is not told before this"
    assert Spoken(detector, attempt, True, now).rank is Rank.BACKGROUND
