"""Who is heard, by the pitch of their voice: in tests everybody speaks in a tone of their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

RATE = 8000
AUDIBLE = 200  # of 32768


def heard_in(sound: npt.NDArray[np.float64], tones: Mapping[str, float]) -> set[str]:
    """Names of those who are heard in ``sound`` (8 kHz, on the scale of 16 bits), half a second of it or more;
    "music" for whatever sounds and is nobody's voice."""
    if not len(sound) or float(np.abs(sound).max()) < AUDIBLE:
        return set()
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    at = np.fft.rfftfreq(len(sound), 1 / RATE)
    loud = {name for name, hz in tones.items() if spectrum[np.abs(at - hz) < 8].max() > 0.25 * spectrum.max()}
    return loud or {"music"}
