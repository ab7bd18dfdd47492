"""One call's ears with a voice detector and a recogniser that the test commands; measures of known signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ivr.events import Accept, Cause, EarEvent, Heard, Hypothesis, Recognition, SpeechEnded, SpeechStarted
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.speech.worker.attempt import Attempt, Outcome
from ivr.speech.worker.engines import Samples
from ivr.speech.worker.loudness import active_level_db, prompt_pcm
from ivr.speech.worker.manner import Baseline, Measured, measure
from ivr.speech.worker.utterance import UtteranceDetector

VOICE = b"\x10\x27" * 160  # 20 ms, loud
QUIET = bytes(320)
GRAMMAR = SpeechGrammar("g", "en-US", ("yes", "no"))
OTHER = SpeechGrammar("h", "en-US", ("agent",))


class LoudIsVoice:
    resets = 0

    def probability(self, window: bytes) -> float:
        return 0.95 if max(window) > 8 else 0.02

    def reset(self) -> None:
        self.resets += 1


class Rig:
    def __init__(self, hangover_s: float = 0.5, max_utterance_s: float = 12.0, *, shared: bool = False) -> None:
        self.events: list[EarEvent] = []
        self.attempts: list[Attempt] = []
        self.vad = LoudIsVoice()
        self.detector = UtteranceDetector(
            self.vad, self.events.append, lambda _, a: self.attempts.append(a), shared=shared
        )
        self.now = 1000.0
        self.at = 50.0
        self.request = ListenRequest(GRAMMAR, hangover_s, max_utterance_s)
        self.detector.listen(self.request)

    def feed(self, frame: bytes, count: int) -> None:
        for _ in range(count):
            self.detector.feed(self.at, frame, self.now)
            while (window := self.detector.window()) is not None:  # where it shares its voice activity
                self.detector.judged(window, self.vad.probability(window))
            self.at += 0.02
            self.now += 0.02
            self.detector.tick(self.now)

    def wait(self, seconds: float) -> None:
        """The gate is closed: time passes, nothing comes."""
        for _ in range(round(seconds / 0.02)):
            self.at += 0.02
            self.now += 0.02
            self.detector.tick(self.now)

    def finish(self, attempt: Attempt, text: str = "yes", cause: Cause = Cause.SUCCESS) -> None:
        nbest = (Hypothesis(text, 0.9, 0, Accept.ACCEPT),) if cause is Cause.SUCCESS else ()
        self.detector.done(attempt, Outcome(Recognition(cause, nbest, text), Measured(-20.0, 30.0, 120.0, 0.5)))

    def kinds(self) -> list[type]:
        return [type(e) for e in self.events]


def test_an_utterance_is_started_ended_and_heard_in_order() -> None:
    rig = Rig()
    rig.feed(QUIET, 20)
    rig.feed(VOICE, 30)
    rig.feed(QUIET, 40)
    assert rig.kinds() == [SpeechStarted, SpeechEnded]
    rig.finish(rig.attempts[0])
    assert rig.kinds() == [SpeechStarted, SpeechEnded, Heard]
    started, ended, heard = rig.events
    assert isinstance(started, SpeechStarted) and abs(started.at - 50.4) < 0.04
    assert isinstance(ended, SpeechEnded) and abs(ended.at - 51.0) < 0.04
    assert isinstance(heard, Heard) and heard.speech_ended_at == ended.at


def test_recognition_starts_in_the_pause_and_is_reused_when_the_pause_lasts() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.feed(QUIET, 16)  # 0.32 s
    assert len(rig.attempts) == 1 and rig.kinds() == [SpeechStarted]
    rig.finish(rig.attempts[0])
    assert rig.kinds() == [SpeechStarted]  # ready, but the caller may go on
    rig.feed(QUIET, 20)
    assert rig.kinds() == [SpeechStarted, SpeechEnded, Heard]
    assert len(rig.attempts) == 1


def test_a_caller_who_goes_on_voids_the_speculation() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.feed(QUIET, 16)
    rig.feed(VOICE, 10)
    assert rig.attempts[0].cancelled()
    rig.feed(QUIET, 30)
    assert len(rig.attempts) == 2 and not rig.attempts[1].cancelled()
    assert len(rig.attempts[1].pcm) > len(rig.attempts[0].pcm)  # the whole of it, not the rest
    rig.finish(rig.attempts[0])  # a late answer to the void one is nobody's
    assert rig.kinds() == [SpeechStarted, SpeechEnded]
    rig.finish(rig.attempts[1])
    assert rig.kinds() == [SpeechStarted, SpeechEnded, Heard]


def test_a_grammar_switched_in_the_pause_is_the_one_that_counts() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.feed(QUIET, 16)
    rig.detector.listen(ListenRequest(OTHER))
    assert rig.attempts[0].cancelled()
    rig.feed(QUIET, 20)
    assert [a.grammar.key for a in rig.attempts] == ["g", "h"]


def test_preroll_reaches_the_recogniser() -> None:
    rig = Rig()
    rig.feed(QUIET, 100)
    rig.feed(VOICE, 20)
    rig.feed(QUIET, 30)
    pcm = rig.attempts[0].pcm
    first = next(i for i in range(0, len(pcm), 2) if pcm[i : i + 2] == VOICE[:2])
    assert 0.25 <= first / 16000 <= 0.36
    assert (len(pcm) - pcm.rindex(VOICE[:2])) / 16000 <= 0.3  # and not more silence behind it than needed


def test_a_closed_gate_is_silence() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.wait(0.4)
    assert rig.kinds() == [SpeechStarted]
    rig.wait(0.2)
    assert rig.kinds() == [SpeechStarted, SpeechEnded]
    ended = rig.events[1]
    assert isinstance(ended, SpeechEnded) and abs(ended.at - 50.6) < 0.05


def test_a_gap_in_the_times_is_silence_of_that_length() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.at += 0.7  # frames that came at once, but tell of a pause
    rig.feed(VOICE, 30)
    assert rig.kinds() == [SpeechStarted, SpeechEnded, SpeechStarted]


def test_a_short_gap_becomes_a_pause_inside_the_utterance() -> None:
    rig = Rig()
    rig.feed(VOICE, 20)
    rig.at += 0.2
    rig.feed(VOICE, 20)
    rig.feed(QUIET, 30)
    assert rig.kinds() == [SpeechStarted, SpeechEnded]
    assert 1.0 <= len(rig.attempts[-1].pcm) / 16000 <= 1.6  # 0.4 + 0.2 + 0.4 and the tail


def test_audio_that_the_preroll_repeats_counts_once() -> None:
    rig = Rig()
    rig.feed(VOICE, 20)
    rig.at -= 0.2
    rig.feed(VOICE, 20)
    rig.feed(QUIET, 30)
    assert 0.55 <= len(rig.attempts[-1].pcm) / 16000 <= 0.95


def test_the_cap_is_reported_as_recognition_timeout_only_without_a_match() -> None:
    for cause, expected in ((Cause.NO_MATCH, Cause.RECOGNITION_TIMEOUT), (Cause.SUCCESS, Cause.SUCCESS)):
        rig = Rig(max_utterance_s=1.0)
        rig.feed(VOICE, 60)
        rig.finish(rig.attempts[0], cause=cause)
        assert [e.recognition.cause for e in rig.events if isinstance(e, Heard)] == [expected]


def test_two_utterances_are_heard_in_the_order_they_were_spoken() -> None:
    rig = Rig(hangover_s=0.3)
    for _ in range(2):
        rig.feed(VOICE, 20)
        rig.feed(QUIET, 25)
    first, second = rig.attempts
    rig.finish(second, "no")
    assert Heard not in rig.kinds()
    rig.finish(first, "yes")
    heard = [e.recognition.transcript for e in rig.events if isinstance(e, Heard)]
    assert heard == ["yes", "no"]


def test_not_listening_detects_nothing_and_drops_what_was_begun() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.detector.listen(None)
    rig.feed(VOICE, 50)
    rig.feed(QUIET, 50)
    assert rig.kinds() == [SpeechStarted] and rig.attempts == []
    rig.detector.listen(rig.request)
    rig.feed(VOICE, 10)
    assert rig.kinds() == [SpeechStarted, SpeechStarted]


def test_closing_cancels_what_is_under_way() -> None:
    rig = Rig()
    rig.feed(VOICE, 30)
    rig.feed(QUIET, 40)
    rig.detector.close()
    assert rig.attempts[0].cancelled()
    rig.finish(rig.attempts[0])
    assert rig.kinds() == [SpeechStarted, SpeechEnded]


def test_silence_keeps_no_audio() -> None:
    rig = Rig()
    rig.feed(QUIET, 5000)
    assert len(rig.detector._audio) <= 16000


def voice(pitch_hz: float, level: float = 0.1, seconds: float = 1.0, noise: float = 0.001) -> Samples:
    """Harmonics falling by 6 dB an octave, with silence before and after."""
    t = np.arange(int(8000 * seconds)) / 8000
    harmonics = range(1, int(3800 / pitch_hz) + 1)
    tone = sum(np.sin(2 * np.pi * pitch_hz * h * t) / h for h in harmonics)
    out = np.pad(tone / np.abs(tone).max() * level, 4000)
    return (out + np.random.default_rng(1).normal(0, noise, len(out))).astype(np.float32)


@pytest.mark.parametrize("pitch", [85.0, 120.0, 180.0, 240.0, 330.0])
def test_pitch_within_four_percent(pitch: float) -> None:
    assert measure(voice(pitch)).pitch_hz == pytest.approx(pitch, rel=0.04)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, 8000).astype(np.float32)
    assert measure(noise).pitch_hz == 0.0


def test_snr_is_about_right() -> None:
    clean, noisy = measure(voice(120, noise=0.0005)), measure(voice(120, noise=0.01))
    assert clean.snr_db - noisy.snr_db == pytest.approx(26.0, abs=4.0)


def test_loudness_is_relative_to_the_callers_own_first_utterances() -> None:
    baseline = Baseline()
    normal, shout = measure(voice(120, 0.05)), measure(voice(120, 0.2))
    assert baseline.manner(normal, 3).loudness_db == 0.0
    assert baseline.manner(shout, 3).loudness_db == pytest.approx(12.0, abs=0.5)
    elsewhere = Baseline()  # a loud telephone is not an angry caller
    assert elsewhere.manner(shout, 3).loudness_db == 0.0


def test_pace() -> None:
    assert Baseline().manner(Measured(-20, 30, 120, 2.0), 6).words_per_second == 3.0


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(8000, np.float32), np.ones(10, np.float32)])
def test_nothing_to_measure_is_unknown(samples: Samples) -> None:
    assert measure(samples).pitch_hz == 0.0
    assert Baseline().manner(measure(samples), 0).loudness_db == 0.0


@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_prompts_come_out_equally_loud_and_unclipped(level: float) -> None:
    pcm = np.frombuffer(prompt_pcm(voice(150, level, noise=0.0), 8000), "<i2").astype(np.float32) / np.float32(32768)
    assert active_level_db(pcm) == pytest.approx(-20.0, abs=0.5)
    assert np.abs(pcm).max() < 0.9


def test_prompts_are_trimmed_resampled_and_end_in_silence() -> None:
    wide = np.repeat(voice(150, noise=0.0), 3)  # as if at 24 kHz
    pcm = np.frombuffer(prompt_pcm(wide.astype(np.float32), 24000), "<i2")
    assert 0.9 < len(pcm) / 8000 < 1.3  # the second of sound, not the second of silence around it
    assert abs(int(pcm[0])) < 50 and abs(int(pcm[-1])) < 50


def test_a_peaky_prompt_is_not_clipped_to_reach_the_loudness() -> None:
    clicks = np.zeros(8000, np.float32)
    clicks[::800] = 0.5
    assert np.abs(np.frombuffer(prompt_pcm(clicks, 8000), "<i2")).max() < 30000


def test_a_detector_that_shares_its_voice_activity_tells_the_same_events() -> None:
    alone, shared = Rig(), Rig(shared=True)
    for rig in (alone, shared):
        rig.feed(QUIET, 20)
        rig.feed(VOICE, 40)
        rig.wait(0.3)
        rig.feed(VOICE, 20)
        rig.feed(QUIET, 40)
        rig.finish(rig.attempts[-1])
    assert shared.events == alone.events and len(alone.events) == 3


@pytest.mark.parametrize("wanted", [True, False])
def test_what_is_unsure_is_told_with_its_audio_where_that_is_wanted(wanted: bool) -> None:
    rig = Rig()
    told: list[tuple[Heard, bytes]] = []
    if wanted:
        rig.detector = UtteranceDetector(
            LoudIsVoice(),
            rig.events.append,
            lambda _, attempt: rig.attempts.append(attempt),
            lambda heard, pcm: told.append((heard, pcm)),
        )
        rig.detector.listen(rig.request)
    for cause in (Cause.NO_MATCH, Cause.SUCCESS):
        rig.feed(VOICE, 30)
        rig.feed(QUIET, 40)
        rig.finish(rig.attempts[-1], cause=cause)
    heard = [event for event in rig.events if isinstance(event, Heard)]
    assert [(h.recognition.cause, pcm) for h, pcm in told] == [(Cause.NO_MATCH, rig.attempts[0].pcm)] * wanted
    assert [h.recognition.cause for h in heard] == [Cause.NO_MATCH] * (not wanted) + [Cause.SUCCESS]
    assert len(rig.attempts[0].pcm) >= 30 * len(VOICE)


@pytest.mark.parametrize(
    ("said_under", "told"),
    [("ooo", 3), ("poo", 2), ("opo", 2), ("o-po", 1), ("p-oo", 2)],
    ids=["open", "private", "the second", "it became private on the way", "it was private at first"],
)
def test_what_is_private_is_told_without_its_audio(said_under: str, told: int) -> None:
    """Three utterances, each not understood under its request; "-": in the middle of it comes the next one's."""
    rig, audio = Rig(), list[bytes]()
    rig.detector = UtteranceDetector(
        LoudIsVoice(), rig.events.append, lambda _, a: rig.attempts.append(a), lambda _, pcm: audio.append(pcm)
    )
    kinds = {"o": rig.request, "p": replace(rig.request, private=True)}
    for number, kind in enumerate(said_under.replace("-", "")):
        rig.detector.listen(kinds[kind])
        rig.feed(VOICE, 15)
        if said_under[number + 1 :].startswith("-"):
            rig.detector.listen(kinds[said_under[number + 2]])
        rig.feed(VOICE, 15)
        rig.feed(QUIET, 40)
        rig.finish(rig.attempts[-1], cause=Cause.NO_MATCH)
        rig.wait(3.0)
    assert len(audio) == told and rig.kinds().count(Heard) == 3 - told


def test_what_continues_something_private_is_private() -> None:
    rig, audio = Rig(), list[bytes]()
    rig.detector = UtteranceDetector(
        LoudIsVoice(), rig.events.append, lambda _, a: rig.attempts.append(a), lambda _, pcm: audio.append(pcm)
    )
    for request in (replace(rig.request, private=True), rig.request):
        rig.detector.listen(request)
        rig.feed(VOICE, 30)
        rig.feed(QUIET, 40)
        while rig.attempts[-1].outcome is None:  # of both together, then of the continuation alone
            rig.finish(rig.attempts[-1], cause=Cause.NO_MATCH)
    assert len(rig.attempts[-1].whole) > len(rig.attempts[0].whole), "both are heard together"
    assert not audio and rig.kinds().count(Heard) == 2


def test_what_comes_at_once_to_a_detector_that_shares_its_voice_activity_is_heard_whole() -> None:
    """The worker's loop was held up: two seconds of audio arrive before any of it is judged."""
    rig = Rig(shared=True)
    rig.feed(QUIET, 20)
    at_once = VOICE * 60 + QUIET * 40
    rig.detector.feed(rig.at, at_once, rig.now)
    while (window := rig.detector.window()) is not None:
        rig.detector.judged(window, rig.detector.vad.probability(window))
    assert len(rig.attempts[0].pcm) >= 60 * len(VOICE)
