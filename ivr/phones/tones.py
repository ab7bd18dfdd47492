"""Call progress tones (ITU-T E.180, North American cadences): ringback and busy."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence

from ivr.ports import Clip

_RATE = 8000
_LEVEL = 1200  # of 32767 per tone: about -25 dBm0 together, quieter than speech
_FADE = 80


def _cadence(tones_hz: Sequence[float], on_s: float, off_s: float) -> bytes:
    on = int(on_s * _RATE)
    samples = array.array("h", bytes(2 * int((on_s + off_s) * _RATE)))
    for i in range(on):
        fade = min(i, on - i, _FADE) / _FADE
        samples[i] = int(_LEVEL * fade * sum(math.sin(2 * math.pi * f * i / _RATE) for f in tones_hz))
    return samples.tobytes()


RINGBACK = Clip("tone:ringback", _cadence((440.0, 480.0), 2.0, 4.0))
BUSY = Clip("tone:busy", _cadence((480.0, 620.0), 0.5, 0.5))
