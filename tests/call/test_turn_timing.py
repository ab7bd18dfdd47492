"""Where a turn's time went: each step with a clock at hand, and a whole session in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from ivr.__main__ import main
from ivr.call.turn_timing import LastSound, TurnTiming
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.events import Audio, Cause, Heard, PlayDone, Recognition, SpeechEnded, SpeechStarted
from ivr.logs import configure_logging
from ivr.reference import COMPANY
from tests.call.test_session import FLOWS, Rig
from tests.call.virtual import run

STEPS = ("voice_s", "hangover_s", "recognition_s", "understanding_s", "action_s", "rendering_s", "media_s", "other_s")
LOUD, FAINT = (4000).to_bytes(2, "little", signed=True) * 160, (30).to_bytes(2, "little", signed=True) * 160


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def heard(ended_at: float) -> Heard:
    return Heard(Recognition(Cause.SUCCESS, transcript="move it", took_s=0.09), ended_at)


def turns(logs: list[Any]) -> list[Mapping[str, Any]]:
    return [line for line in logs if line["event"] == "turn.answered"]


def test_every_step_is_told_and_together_they_are_the_whole() -> None:
    clock = Hands()
    timing = TurnTiming(clock)
    with capture_logs() as logs:
        for number in range(10):
            timing.frame(LOUD, 99.0 + number * 0.02)  # until 99.2
        clock.time = 99.82
        timing.ended()
        clock.time = 99.85
        timing.heard(heard(99.32))
        timing.understood(0.01)
        clock.time = 99.87
        timing.acting()
        clock.time = 99.93
        timing.acted()
        timing.understood(0.02)
        clock.time = 99.95
        timing.rendering()
        clock.time = 99.98
        timing.playing(7)
        clock.time = 102.0
        timing.played(PlayDone(6, True, 1.0))  # of another prompt
        timing.played(PlayDone(7, True, 2.0))
    (turn,) = turns(logs)
    assert turn["answer_s"] == pytest.approx(0.8)  # 99.2 to 100.0
    wanted = (0.12, 0.5, 0.03, 0.03, 0.06, 0.03, 0.02, 0.01)
    assert [turn[step] for step in STEPS] == pytest.approx(wanted, abs=1e-6)
    assert sum(turn[step] for step in STEPS) == pytest.approx(turn["answer_s"])
    assert turn["recogniser_s"] == 0.09 and "filler_s" not in turn


def test_a_word_for_who_waits_is_told_beside_the_answer_and_is_none() -> None:
    clock = Hands()
    timing = TurnTiming(clock)
    with capture_logs() as logs:
        timing.playing(1, filler=True)  # before anything was recognised
        clock.time = 100.7
        timing.played(PlayDone(1, True, 0.6))
        timing.heard(heard(99.5))
        timing.playing(2)
        clock.time = 103.0
        timing.played(PlayDone(2, True, 1.0))
        clock.time = 110.0
        timing.heard(heard(109.5))
        timing.playing(3)
        clock.time = 111.0
        timing.played(PlayDone(3, True, 0.5))
    turn, after = turns(logs)
    assert turn["filler_s"] == pytest.approx(0.6) and turn["answer_s"] == pytest.approx(2.5)
    assert "filler_s" not in after


def test_what_was_cut_before_it_sounded_and_what_answers_no_speech_are_no_turns() -> None:
    clock = Hands()
    timing = TurnTiming(clock)
    with capture_logs() as logs:
        timing.playing(1)
        timing.played(PlayDone(1, True, 1.0))
        timing.heard(heard(99.5))
        timing.playing(2)
        timing.played(PlayDone(2, False, 0.0))
    assert not turns(logs)


def test_the_last_sound_is_the_last_frame_that_is_loud_beside_the_voice() -> None:
    sound = LastSound()
    for number in range(5):
        sound.frame(LOUD, 10.0 + number * 0.02)
    for number in range(5, 50):
        sound.frame(FAINT, 10.0 + number * 0.02)
    assert sound.at == pytest.approx(10.1)
    sound.frame(b"", 12.0)
    assert sound.at == pytest.approx(10.1)


@pytest.fixture(scope="module")
def library() -> FlowLibrary:
    loaded = load_library(read_directory(Path(FLOWS)), COMPANY.all_signatures)
    assert loaded.library is not None
    return loaded.library


def test_a_session_logs_each_answer_with_its_steps_and_none_of_the_words(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            loop = asyncio.get_running_loop()
            ears, now = rig.speech.ears[-1], loop.time()
            rig.caller.post(Audio(LOUD, now - 0.14))
            ears._queue.put_nowait(SpeechStarted(now - 1.0))
            await asyncio.sleep(0.5)
            ears._queue.put_nowait(SpeechEnded(now))
            await asyncio.sleep(0.03)
            ears._queue.put_nowait(Heard(Recognition(Cause.SUCCESS, transcript="what's next", took_s=0.1), now))
            await asyncio.sleep(8)

    with capture_logs() as logs:
        run(scenario())
    (turn,) = turns(logs)
    assert turn["voice_s"] == pytest.approx(0.12) and turn["hangover_s"] == pytest.approx(0.5)
    assert turn["recognition_s"] == pytest.approx(0.03) and turn["recogniser_s"] == 0.1
    assert turn["answer_s"] == pytest.approx(sum(turn[step] for step in STEPS), abs=1e-3)
    assert turn["answer_s"] >= 0.65
    assert not any("next" in str(value) for value in turn.values())


def test_the_log_of_a_session_is_what_the_timeline_command_reads(
    library: FlowLibrary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            for text in ("what's next", "move Casablanca to the top"):
                now = asyncio.get_running_loop().time()
                ears = rig.speech.ears[-1]
                ears._queue.put_nowait(SpeechStarted(now - 1.0))
                await asyncio.sleep(0.5)
                ears._queue.put_nowait(SpeechEnded(now))
                ears._queue.put_nowait(Heard(Recognition(Cause.SUCCESS, transcript=text), now))
                await asyncio.sleep(9)

    path = tmp_path / "ivr.log"
    log = configure_logging(path=str(path), level="info", redact=True)
    try:
        run(scenario())
    finally:
        log.close()
        structlog.reset_defaults()
    assert main(["speech", "timeline", str(path), "--call", "c0ff", "--svg", str(tmp_path / "turns.svg")]) == 0
    assert "2 turns of 1 call" in capsys.readouterr().out
    assert (tmp_path / "turns.svg").read_text("utf-8").count("main.ask") >= 1
