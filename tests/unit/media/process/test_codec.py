"""G.711 against the definition in ITU-T G.711, and what else is done to samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process import codec
from ivr.media.process.codec import G722, PCMA, PCMU, coder

# Decision values of the first, second and last levels of some segments, from the ITU's tables 1a and 2a,
# scaled to 16 bits (x8 for A-law's 13 bits sign included, x4 for µ-law's 14).
ULAW_LEVELS = {0xFF: 0, 0xFE: 8, 0xF0: 120, 0xEF: 132, 0x80: 32124, 0x00: -32124, 0x7F: 0, 0x8F: 16764}
ALAW_LEVELS = {0xD5: 8, 0xD4: 24, 0xC5: 264, 0xAA: 32256, 0x2A: -32256, 0x55: -8, 0xBA: 16128}


@pytest.mark.parametrize(("code", "level"), ULAW_LEVELS.items())
def test_ulaw_levels_are_the_itus(code: int, level: int) -> None:
    assert PCMU.decode(bytes([code]))[0] == level


@pytest.mark.parametrize(("code", "level"), ALAW_LEVELS.items())
def test_alaw_levels_are_the_itus(code: int, level: int) -> None:
    assert PCMA.decode(bytes([code]))[0] == level


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_every_code_survives_a_round_trip(name: str) -> None:
    codec = coder(name)
    codes = bytes(range(256))
    again = codec.encode(codec.decode(codes))
    different = {code for code, other in zip(codes, again, strict=True) if code != other}
    assert different <= ({0x7F} if name == "PCMU" else set())  # µ-law has two zeros


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_encoding_is_off_by_half_a_step_at_most(name: str) -> None:
    codec = coder(name)
    levels = np.unique(codec.decode(bytes(range(256))).astype(np.int64))
    linear = np.arange(levels[0], levels[-1] + 1, dtype=np.int64)
    decoded = codec.decode(codec.encode(linear.astype(np.int16))).astype(np.int64)
    steps = np.diff(levels)
    at = np.searchsorted(levels, decoded)
    widest = np.maximum(steps[np.clip(at - 1, 0, None)], steps[np.clip(at, None, len(steps) - 1)])
    assert np.all(2 * np.abs(decoded - linear) <= widest)
    assert np.all(np.diff(decoded) >= 0)


def test_g722_gives_speech_band_back() -> None:
    when = np.arange(codec.RATE) / codec.RATE
    tone = codec.clipped(8000 * np.sin(2 * np.pi * 440 * when))
    sender, receiver = G722(), G722()
    frames = [receiver.decode(sender.encode(tone[i : i + 160])) for i in range(0, len(tone), 160)]
    assert all(len(frame) == 160 for frame in frames)
    heard = np.concatenate(frames).astype(float)[1600:]
    error = heard - tone.astype(float)[1600:]
    assert 10 * np.log10(np.sum(heard**2) / np.sum(error**2)) > 25


@given(st.binary(max_size=700))
def test_samples_take_any_bytes(raw: bytes) -> None:
    assert len(codec.samples(raw)) == len(raw) // 2


@given(st.lists(st.integers(-32768, 32767), max_size=400))
def test_fading_silences_the_ends_only(values: list[int]) -> None:
    signal = np.array(values, dtype=np.int16)
    faded = codec.faded(signal)
    assert len(faded) == len(signal)
    if len(signal) >= 2:
        assert faded[0] == 0
        assert faded[-1] == 0
    if len(signal) > 40:
        assert np.array_equal(faded[20:-20], signal[20:-20])


def test_power_is_relative_to_full_scale() -> None:
    assert codec.power(np.full(160, 32767, dtype=np.int16)) == pytest.approx(1.0, abs=1e-3)
    assert codec.power(codec.SILENCE) == 0.0
    assert codec.power(np.full(160, 3277, dtype=np.int16)) == pytest.approx(0.01, rel=0.01)


def test_mixing_saturates() -> None:
    loud = np.full(160, 30000, dtype=np.int16)
    assert int(codec.mixed(loud, loud).max()) == 32767
