"""Measures of a voice, on signals whose pitch, loudness and noise are known."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.speech.worker.engines import Samples
from ivr.speech.worker.loudness import active_level_db, prompt_pcm
from ivr.speech.worker.utterance import Baseline, Measured, measure


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
