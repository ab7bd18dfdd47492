"""When one more talker is too many; and a line with a recogniser of any pace, simulated, to which 200 come at once."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from ivr.call.input_timers import RECOGNITION_LATE_S
from ivr.ports import SpeechLoad
from ivr.speech.saturation import RECENT_S, Saturation
from ivr.speech.worker.recognition_queue import Rank, RecognitionQueue, rank_of


class Hours:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hours:
    return Hours()


@pytest.fixture
def saturation(clock: Hours) -> Saturation:
    return Saturation(talkers=4, keys_led=2, late_s=0.9, now=clock)


def read(saturation: Saturation, clock: Hours, *waits_s: float) -> None:
    for session, wait_s in enumerate(waits_s):
        saturation.spoken(session)
        clock.now += wait_s
        saturation.read(session)


@pytest.mark.parametrize(
    ("talkers", "refused", "crowded"), [(0, False, False), (4, False, False), (5, False, True), (6, True, True)]
)
def test_by_count_some_are_led_by_keys_and_then_none_is_taken(
    saturation: Saturation, talkers: int, refused: bool, crowded: bool
) -> None:
    load = saturation.load(talkers)
    assert (bool(load.refuses), load.crowded) == (refused, crowded)
    assert not refused or load.refuses == "6 callers at once, the most that are taken"


def test_while_the_slowest_tenth_waited_too_long_none_is_taken(saturation: Saturation, clock: Hours) -> None:
    read(saturation, clock, *[0.1] * 9, 1.0)
    assert saturation.load(1) == SpeechLoad(1, 4, 1.0, "what callers say is read 1.0 s late", True)
    read(saturation, clock, *[0.1] * 10)
    assert saturation.load(1).refuses == "", "it is less than a tenth"
    clock.now += RECENT_S + 1.0
    assert saturation.load(1).waited_s == 0.0


def test_one_slow_reading_of_a_few_is_no_saturation(saturation: Saturation, clock: Hours) -> None:
    read(saturation, clock, 3.0)
    assert saturation.load(1).refuses == ""


def test_those_who_still_wait_count_and_those_who_left_do_not(saturation: Saturation, clock: Hours) -> None:
    for session in range(10):
        saturation.spoken(session)
    clock.now += 2.0
    assert saturation.load(1).refuses == "what callers say is read 2.0 s late"
    saturation.gone(9)
    assert saturation.load(1).refuses == ""


def test_the_log_tells_when_it_begins_and_when_it_is_over(saturation: Saturation) -> None:
    with capture_logs() as logs:
        for talkers in (1, 6, 6, 2, 2):
            saturation.load(talkers)
    assert [entry["event"] for entry in logs] == ["speech.saturated", "speech.relieved"]
    assert logs[0]["talkers"] == 6 and logs[0]["log_level"] == "warning"


TOLD_S = 0.5  # from the end of the sound to the end of the utterance: the longest usual silence
SILENCE_S, ANSWER_S = 1.5, 2.5  # that nobody should wait beyond
EVERY_S = 8.0
PROCESSES, TALKERS = 2, 120


@dataclass(eq=False)
class Said:
    """An utterance that ended."""

    session: int
    since: float
    clock: Hours
    wanted: bool = True

    @property
    def rank(self) -> Rank:
        return rank_of(self.clock.now - self.since + TOLD_S)


@dataclass
class Simulated:
    """200 callers within ``burst_s``, who say a sentence every eight seconds; each recognition takes ``takes_s``. Who
    has waited for keys goes on by keys, as they are told to."""

    takes_s: float
    burst_s: float
    clock: Hours = field(default_factory=Hours)
    taken: int = 0
    refused: int = 0
    turns: list[tuple[float, float]] = field(default_factory=list)  # from the end of the sound to the first, the answer
    _events: list[tuple[float, int, str, Said]] = field(default_factory=list)
    _order: int = 0

    def __post_init__(self) -> None:
        self.saturation = Saturation(TALKERS, 0, 0.9, self.clock)
        self._queue: RecognitionQueue[Said] = RecognitionQueue()
        self._idle = PROCESSES
        self._keying: set[int] = set()

    def _at(self, at: float, what: str, said: Said) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, what, said))

    def run(self, seconds: float) -> None:
        rng = random.Random(7)
        start = self.clock.now
        for session in range(200):
            self._at(start + rng.random() * self.burst_s, "calls", Said(session, 0.0, self.clock))
        while self._events and self._events[0][0] < start + seconds:
            self.clock.now, _, what, said = heapq.heappop(self._events)
            if what == "calls":
                self._calls(said.session, rng)
            elif what == "ends":
                self._ends(said)
            else:
                self._read(said)
            while self._idle and (job := self._queue.take()) is not None:
                self._idle -= 1
                self._at(self.clock.now + self.takes_s, "read", job)

    def _calls(self, session: int, rng: random.Random) -> None:
        if self.saturation.load(self.taken).refuses:
            self.refused += 1
            return
        self.taken += 1
        self._at(self.clock.now + 4.0 + rng.random() * EVERY_S, "ends", Said(session, 0.0, self.clock))

    def _ends(self, said: Said) -> None:
        if said.session in self._keying:
            return
        self.saturation.spoken(said.session)
        said.since = self.clock.now
        self._queue.put(said)

    def _read(self, said: Said) -> None:
        self._idle += 1
        self.saturation.read(said.session)
        waited = self.clock.now - said.since
        murmur_s, keys_s = RECOGNITION_LATE_S[0], sum(RECOGNITION_LATE_S[:2])
        if waited > keys_s:
            self._keying.add(said.session)
        self.turns.append((TOLD_S + min(waited, murmur_s), TOLD_S + min(waited, keys_s)))
        self._at(max(self.clock.now, said.since + EVERY_S), "ends", Said(said.session, 0.0, self.clock))

    @property
    def late(self) -> float:
        """The share of the utterances that were answered after 0.8 s."""
        return sum(answer > 0.8 for _, answer in self.turns) / len(self.turns)


@pytest.mark.parametrize("burst_s", [0.5, 5.0, 30.0])
def test_of_200_at_once_as_many_are_taken_as_are_answered_soon(burst_s: float) -> None:
    line = Simulated(takes_s=0.1, burst_s=burst_s)
    line.run(180.0)
    assert (line.taken, line.refused) == (TALKERS, 200 - TALKERS)
    assert len(line.turns) > 2000 and line.late <= 0.1
    assert max(answer for _, answer in line.turns) < 1.0


@pytest.mark.parametrize("takes_s", [0.15, 0.2, 0.3, 0.6])
@pytest.mark.parametrize("burst_s", [0.5, 5.0, 30.0])
def test_where_recognition_is_too_slow_nobody_waits_in_silence(takes_s: float, burst_s: float) -> None:
    line = Simulated(takes_s, burst_s)
    with capture_logs() as logs:
        line.run(180.0)
    assert len(line.turns) > 60
    assert max(sound for sound, _ in line.turns) <= SILENCE_S
    assert max(answer for _, answer in line.turns) <= ANSWER_S
    if burst_s == 30.0 and takes_s >= 0.3:  # those who waited tell, before as many as usual are taken
        assert line.taken < TALKERS and "late" in logs[0]["reason"]
    else:
        assert line.taken == TALKERS


def test_where_there_is_too_much_to_do_some_are_answered_soon_and_the_others_by_keys() -> None:
    line = Simulated(takes_s=0.2, burst_s=5.0)
    line.run(180.0)
    assert line.late < 0.5, "the oldest first throughout would have all of them wait"
