from typing import Literal

import numpy as np
import pytest

from ivr.softphone.g711 import Law
from ivr.softphone.sound import add_noise, g711_round_trip, level, lose_packets, voiced_rms


def speech(amplitude: float = 3000) -> bytes:
    """A second of tone, a second of pause."""
    wave = amplitude * np.sin(2 * np.pi * 300 * np.arange(8000) / 8000)
    return np.concatenate([wave, np.zeros(8000)]).astype("<i2").tobytes()


def samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64)


def test_pauses_do_not_count_for_the_level() -> None:
    assert voiced_rms(speech()) == pytest.approx(3000 / np.sqrt(2), rel=0.01)
    assert voiced_rms(b"") == 0


def test_levelling_reaches_the_target_without_clipping() -> None:
    assert voiced_rms(level(speech(300), -20)) == pytest.approx(3276.8, rel=0.01)
    assert np.abs(samples(level(speech(), 0.0))).max() <= 32000
    assert level(b"\0\0" * 500) == b"\0\0" * 500


@pytest.mark.parametrize("kind", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [20.0, 10.0])
def test_noise_has_the_asked_ratio_and_is_repeatable(kind: Literal["white", "pink"], snr_db: float) -> None:
    noisy = add_noise(speech(), snr_db, kind=kind, seed=3)
    noise = samples(noisy) - samples(speech())
    ratio = 20 * np.log10(voiced_rms(speech()) / np.sqrt(np.mean(noise**2)))
    assert ratio == pytest.approx(snr_db, abs=0.3)
    assert noisy == add_noise(speech(), snr_db, kind=kind, seed=3)
    assert noisy != add_noise(speech(), snr_db, kind=kind, seed=4)


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_g711_costs_what_it_should(law: Law) -> None:
    clean = samples(speech())[:8000]
    error = samples(g711_round_trip(speech(), law))[:8000] - clean
    assert 33 < 10 * np.log10(np.mean(clean**2) / np.mean(error**2)) < 45


def test_lost_packets_are_whole_packets() -> None:
    loud = np.full(160 * 1000 + 50, 500).astype("<i2").tobytes()
    left = samples(lose_packets(loud, 0.1, seed=1))
    whole = left[: 160 * 1000].reshape(-1, 160)
    assert set(np.unique(whole.mean(axis=1))) == {0.0, 500.0}
    assert 0.06 < np.mean(whole[:, 0] == 0) < 0.14
    assert len(left) == 160 * 1000 + 50
