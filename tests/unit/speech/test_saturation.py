"""When one more talker is too many."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ivr.ports import SpeechLoad
from ivr.speech.saturation import RECENT_S, Saturation


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
