"""Manner of an utterance: level, pitch and pace of a voice (prosody), relative to the caller's own. Pure.

Weak evidence, only ever to bring a human sooner; loudness is relative to the caller's own first utterances, so that a
loud telephone is not an angry caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.events import Manner
from ivr.speech.worker.engines import TELEPHONE_RATE, Samples

_FRAME = 240  # 30 ms
_BASELINE = 3  # utterances that make the caller's own normal
_LOWEST_HZ, _HIGHEST_HZ = 70.0, 400.0
_VOICING = 0.5  # normalised autocorrelation that makes a frame voiced
_FLOOR = 1e-5


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one utterance: levels in dB full scale, pitch in Hz (0: no voiced frame), seconds of speech."""

    level_db: float = 0.0
    snr_db: float = 0.0
    pitch_hz: float = 0.0
    speech_s: float = 0.0


def measure(speech: Samples) -> Measured:
    """``speech``: one utterance at 8 kHz with some silence around it."""
    count = len(speech) // _FRAME
    if count < 2:
        return Measured()
    frames = speech[: count * _FRAME].reshape(count, _FRAME)
    rms = np.sqrt((frames.astype(np.float64) ** 2).mean(1))
    heard = rms[rms > _FLOOR]  # exact silence is a closed gate, not the caller's room
    if len(heard) < 2:
        return Measured()
    noise = float(np.percentile(heard, 10))
    loud = rms > max(float(heard.max()) * 0.1, noise * 1.5)
    if not loud.any():
        loud = rms >= np.median(heard)
    level = float(np.sqrt((rms[loud] ** 2).mean()))
    return Measured(_db(level), max(0.0, _db(level) - _db(noise)), _pitch(frames[loud]), float(loud.sum()) * 0.03)


def _db(value: float) -> float:
    return 20.0 * float(np.log10(max(value, _FLOOR)))


def _pitch(frames: NDArray[np.float32]) -> float:
    """Median over voiced frames of the autocorrelation's first peak between 70 and 400 Hz."""
    frames = frames[:100]
    spectrum = np.fft.rfft(frames - frames.mean(1, keepdims=True), 2 * _FRAME)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :_FRAME]
    energy = correlation[:, :1]
    shortest, longest = int(TELEPHONE_RATE / _HIGHEST_HZ), int(TELEPHONE_RATE / _LOWEST_HZ)
    taper = 1.0 - np.arange(_FRAME) / _FRAME  # fewer samples overlap at longer lags
    window = (correlation / np.maximum(energy, 1e-9) / taper)[:, shortest:longest]
    peaks = window.max(1)
    # The first lag almost as good as the best one: otherwise a multiple of the period may win (an octave down).
    lags = (window >= 0.9 * peaks[:, None]).argmax(1)
    for row, lag in enumerate(lags):
        while lag + 1 < window.shape[1] and window[row, lag + 1] > window[row, lag]:
            lag += 1
        lags[row] = lag
    voiced = peaks >= _VOICING
    if not voiced.any():
        return 0.0
    return float(np.median(TELEPHONE_RATE / (lags[voiced] + shortest)))


class Baseline:
    """One caller's normal."""

    def __init__(self) -> None:
        self._levels: list[float] = []

    def manner(self, measured: Measured, words: int) -> Manner:
        """The manner of an utterance of ``words`` words; the first ones also make the baseline."""
        if measured.speech_s <= 0:
            return Manner()
        loudness = measured.level_db - float(np.mean(self._levels)) if self._levels else 0.0
        if len(self._levels) < _BASELINE:
            self._levels.append(measured.level_db)
        return Manner(
            loudness_db=round(loudness, 1),
            words_per_second=round(words / max(measured.speech_s, 0.2), 2),
            pitch_hz=round(measured.pitch_hz, 1),
            snr_db=round(measured.snr_db, 1),
        )
