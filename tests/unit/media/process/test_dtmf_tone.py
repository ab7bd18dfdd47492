"""In-band keys: found where they are, not where somebody speaks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.media.process.codec import FRAME, RATE, Samples, clipped, coder, power, powers
from ivr.media.process.dtmf_tone import COLUMNS, ROWS, ToneDetector, tones, two_tones
from ivr.media.wire import KEYS


def detected(signal: Samples) -> str:
    detector = ToneDetector()
    frames = [signal[i : i + FRAME] for i in range(0, len(signal) - FRAME + 1, FRAME)]
    return "".join(detector.frame(frame, power(frame)) for frame in frames)


def spaced(parts: list[Samples], pause_s: float) -> Samples:
    pause = np.zeros(int(pause_s * RATE), dtype=np.int16)
    return np.concatenate([x for part in parts for x in (part, pause)])


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
@pytest.mark.parametrize("level_db", [-8.0, -30.0])
def test_every_key_is_found_once(codec: str, level_db: float) -> None:
    signal = spaced([tones(key, 0.07, level_db=level_db) for key in KEYS], 0.07)
    line = coder(codec)
    whole = len(signal) // FRAME * FRAME
    heard = np.concatenate([line.decode(line.encode(signal[i : i + FRAME])) for i in range(0, whole, FRAME)])
    assert detected(heard) == KEYS


@pytest.mark.parametrize("offset", range(0, FRAME, 10))
@pytest.mark.parametrize("pause_s", [0.04, 0.045, 0.06])
def test_the_same_key_twice_is_two_keys_however_short_the_pause(offset: int, pause_s: float) -> None:
    lead = np.zeros(offset, dtype=np.int16)
    for length_s in (0.05, 0.1):
        signal = spaced([tones(key, length_s) for key in "8800"], pause_s)
        assert detected(np.concatenate([lead, signal, np.zeros(RATE // 10, dtype=np.int16)])) == "8800"


@pytest.mark.parametrize("offset", range(0, FRAME, 20))
def test_a_lost_packet_in_a_tone_makes_no_second_key(offset: int) -> None:
    signal = tones("8", 0.3)
    signal[800 + offset : 960 + offset] = 0
    assert detected(np.concatenate([signal, np.zeros(800, dtype=np.int16)])) == "8"


@pytest.mark.parametrize("offset", range(0, FRAME, 20))
def test_short_presses_are_found_wherever_the_frames_lie(offset: int) -> None:
    lead = np.zeros(offset, dtype=np.int16)
    signal = spaced([tones(key, 0.05) for key in "159D"], 0.05)
    assert detected(np.concatenate([lead, signal])) == "159D"


def test_keys_are_found_in_noise() -> None:
    rng = np.random.default_rng(7)
    clean = spaced([tones(key, 0.1, level_db=-12) for key in KEYS], 0.1)
    power = np.mean(tones("5", 0.1, level_db=-12).astype(float) ** 2)
    noise = rng.normal(0, np.sqrt(power / 10**1.5), len(clean))  # 15 dB
    assert detected(clipped(clean + noise)) == KEYS


@pytest.mark.parametrize("detuned", [-0.015, 0.015])
def test_tones_off_by_what_the_standard_allows_are_found(detuned: float) -> None:
    when = np.arange(int(0.1 * RATE)) / RATE
    parts = [
        clipped(
            7000 * (np.sin(2 * np.pi * row * (1 + detuned) * when) + np.sin(2 * np.pi * column * (1 - detuned) * when))
        )
        for row, column in itertools.product(ROWS, COLUMNS)
    ]
    assert detected(spaced(parts, 0.1)) == "123A456B789C*0#D"


@pytest.mark.parametrize("twist_db", [-8.0, 4.0])
def test_twist_as_lines_have_it_is_accepted(twist_db: float) -> None:
    when = np.arange(int(0.1 * RATE)) / RATE
    high = 10 ** (twist_db / 20)
    wave = 5000 * (np.sin(2 * np.pi * 770 * when) + high * np.sin(2 * np.pi * 1336 * when))
    assert detected(spaced([clipped(wave)], 0.1)) == "5"


def test_a_held_key_is_one_key_and_a_wink_is_none() -> None:
    assert detected(spaced([tones("4", 2.0)], 0.1)) == "4"
    assert detected(spaced([tones("4", 0.018)] * 10, 0.1)) == ""


def test_single_tones_and_dial_tone_are_no_keys() -> None:
    when = np.arange(RATE) / RATE
    for frequencies in ((697.0,), (1209.0,), (350.0, 440.0), (480.0, 620.0), (697.0, 770.0), (2600.0,)):
        wave: NDArray[np.float64] = np.zeros(RATE)
        for frequency in frequencies:
            wave = wave + 7000 * np.sin(2 * np.pi * frequency * when)
        assert detected(clipped(wave)) == "", frequencies


def speech_like(seconds: float, seed: int) -> Samples:
    """Voiced syllables: a gliding pulse train through gliding formants, with breath and pauses."""
    rng = np.random.default_rng(seed)
    out: list[NDArray[np.float64]] = []
    total = 0
    while total < seconds * RATE:
        count = int(rng.uniform(0.08, 0.35) * RATE)
        when = np.arange(count) / RATE
        pitch = rng.uniform(85, 280) * (1 + rng.uniform(-0.2, 0.2) * when / when[-1])
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        formants = sorted(rng.uniform(low, high) for low, high in ((250, 900), (850, 2400), (1900, 3200)))
        wave = np.zeros(count)
        for harmonic in range(1, 40):
            frequency = harmonic * pitch
            gain = sum(1.0 / (1.0 + ((frequency - f) / 70.0) ** 2) for f in formants)
            wave += np.where(frequency < 3600, gain, 0.0) * np.sin(harmonic * phase + rng.uniform(0, 6.28))
        wave = wave * np.hanning(count) + rng.normal(0, 0.02, count)
        out += [wave / np.max(np.abs(wave)) * rng.uniform(2000, 20000), np.zeros(int(rng.uniform(0, 0.1) * RATE))]
        total += sum(map(len, out[-2:]))
    return clipped(np.concatenate(out))


@pytest.mark.parametrize("seed", range(4))
def test_no_talk_off_on_minutes_of_speech(seed: int) -> None:
    assert detected(speech_like(45.0, seed)) == ""


def test_no_keys_in_noise_or_silence() -> None:
    rng = np.random.default_rng(3)
    assert detected(clipped(rng.normal(0, 4000, 30 * RATE))) == ""
    assert detected(np.zeros(RATE, dtype=np.int16)) == ""


def test_what_may_be_a_key_is_told_for_many_legs_at_once() -> None:
    frames = np.stack(
        [
            *(tones(key, FRAME / RATE, level_db=level) for key in KEYS for level in (-8.0, -30.0)),
            np.zeros(FRAME, dtype=np.int16),
            tones("5", FRAME / RATE, level_db=-45.0),
            clipped(np.random.default_rng(1).normal(0, 3000, FRAME)),
            clipped(9000 * np.sin(2 * np.pi * 300 * np.arange(FRAME) / RATE)),
        ]
    )
    assert two_tones(frames, powers(frames)) == [True] * 32 + [False] * 4
