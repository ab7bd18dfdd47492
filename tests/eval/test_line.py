"""Clips and the simulated way from RTP to meaning."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ivr.softphone.g711 import decode
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from tests.eval.conditions import CONDITIONS, FRAME, Clip, Condition, Surroundings, broken, packets
from tests.eval.corpus import sentences
from tests.eval.line import Line
from tests.eval.meaning import Caller, judged
from tests.eval.measurement import Amount, plan
from tests.eval.voices import RATE, VOICES, Pcm, Speaker, Voice, trimmed

JOE = next(voice for voice in VOICES if voice.name == "joe")


class Hummer(Speaker):
    """Somebody whose every sentence is a hum, as long as its words."""

    def __init__(self, name: str, pitch: float) -> None:
        self.voice = Voice(name, "checking", "none")
        self._pitch = pitch

    def say(self, text: str) -> Pcm:
        time = np.arange(RATE * len(text.split()) // 4) / RATE
        return (np.sin(2 * np.pi * self._pitch * time) * 5000).astype(np.int16)


LOW, HIGH, ANOTHER = Hummer("low", 150.0), Hummer("high", 310.0), Hummer("another", 220.0)


def clip(condition: str, text: str = "move Harvey to the top", seed: int = 3, prompt: str = "") -> Clip:
    found = next(each for each in CONDITIONS if each.name == condition)
    return Surroundings([LOW, HIGH, ANOTHER], ANOTHER.say).clip(LOW, text, found, seed, prompt)


def sound(made: Clip, begin: float, end: float) -> float:
    """RMS."""
    payload = b"".join(packet or bytes([255]) * FRAME for packet in made.packets)
    samples = decode(payload, made.law)[round(begin * RATE) : round(end * RATE)].astype(np.float64)
    return float(np.sqrt((samples**2).mean()))


@pytest.mark.parametrize(("name", "ratio_db"), [("pink 20 dB", 20), ("babble 10 dB", 10), ("tv 10 dB", 10)])
def test_noise_is_as_much_quieter_than_the_voice_as_its_name_says(name: str, ratio_db: float) -> None:
    made, clean = clip(name), clip("clean")
    voice = sound(clean, clean.began_s, clean.ended_s)
    noise = sound(made, made.ended_s + 0.5, made.ended_s + 13)
    assert abs(20 * np.log10(voice / noise) - ratio_db) < 2


def test_the_same_seed_is_the_same_clip_and_another_is_another() -> None:
    assert clip("2 % loss") == clip("2 % loss")
    assert clip("pink 20 dB", seed=3) != clip("pink 20 dB", seed=4)


def test_packets_are_lost_at_the_rate_asked_for_and_coded_by_the_law() -> None:
    lost = packets(np.zeros(RATE * 200), "PCMA", 0.02, random.Random(1))
    assert 0.015 < sum(each is None for each in lost) / len(lost) < 0.025
    assert set(lost) == {None, b"\xd5" * FRAME}


def test_a_pause_is_put_between_two_words_and_never_into_a_name() -> None:
    whole, paused = clip("clean"), clip("pause 0.5 s")
    assert 0.4 < (paused.ended_s - paused.began_s) - (whole.ended_s - whole.began_s) < 0.6
    for seed in range(50):
        parts = broken("Put Double Indemnity before Key Largo.", seed)
        assert " ".join(parts) == "Put Double Indemnity before Key Largo." and len(parts) == 2
        assert "Double Indemnity" in " | ".join(parts) and "Key Largo" in " | ".join(parts)
    assert broken("What's next?", 1) == ["What's next?"]


def test_the_lines_own_prompt_comes_back_before_the_caller_and_under_them() -> None:
    made = clip("own echo", prompt="here are all the words of a question that is asked")
    assert made.began_s > clip("clean").began_s
    assert sound(made, made.began_s - 0.5, made.began_s) > 5 * sound(made, 0.1, 0.9)


def test_silence_around_a_voice_is_cut() -> None:
    said = np.concatenate([np.zeros(900, np.int16), LOW.say("one two"), np.zeros(500, np.int16)])
    assert abs(len(trimmed(said)) - len(LOW.say("one two"))) <= 160


def test_a_plan_has_every_sentence_by_a_natural_and_another_voice_and_the_same_every_time() -> None:
    speakers = [HIGH, LOW, Speaker(JOE)]
    jobs = plan("checking", speakers, Amount())
    said = {s.text for s in sentences() if s.part == "checking"}
    for natural in (True, False):
        clean = [j for j in jobs if j.condition.group == "clean" and j.speaker.voice.natural is natural]
        assert {job.sentence.text for job in clean} == said
    assert {job.condition.name for job in jobs} == {condition.name for condition in CONDITIONS}
    assert [job.seed for job in jobs] == [job.seed for job in plan("checking", speakers, Amount())]
    few = plan("checking", speakers, Amount(8, frozenset({"10 dB"})))
    assert {job.condition.group for job in few} == {"10 dB"} and 0 < len(few) < len(said) / 4


async def test_what_joe_says_goes_all_the_way_and_its_end_is_told_in_time(tmp_path: Path) -> None:
    recogniser = MoonshineRecogniser()
    recogniser.load()
    sentence = next(s for s in sentences() if s.text.startswith("Make") and s.kind == "covered")
    said = Surroundings([LOW], LOW.say).clip(Speaker(JOE, tmp_path), sentence.text, Condition("quiet", "clean"), 5)
    trial = await Line(recogniser).hear(said, Caller(sentence))
    assert judged(trial.turns, sentence) in ("done", "asked")
    delay = trial.delay_s(said)
    assert delay is not None and 0.1 < delay < 1.2
    assert not trial.cut(said) and not trial.never_ended(said) and len(trial.started) == 1
    assert trial.attempts >= 1 and trial.cpu_s > 0
