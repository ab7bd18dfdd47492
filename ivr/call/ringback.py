"""Ring-back tone: what a caller hears while an agent's phone rings (ITU-T E.180, North American cadence)."""

from __future__ import annotations

import array
import math

from ivr.ports import Clip

_RATE = 8000
_TONES_HZ = (440.0, 480.0)
_ON_S = 2.0
_OFF_S = 4.0
_LEVEL = 1200  # of 32767 per tone: about -25 dBm0 together, quieter than speech
_FADE = 80

RINGBACK_CYCLES = 5


def _cycle() -> bytes:
    on = int(_ON_S * _RATE)
    samples = array.array("h", bytes(2 * int((_ON_S + _OFF_S) * _RATE)))
    for i in range(on):
        fade = min(i, on - i, _FADE) / _FADE
        samples[i] = int(_LEVEL * fade * sum(math.sin(2 * math.pi * f * i / _RATE) for f in _TONES_HZ))
    return samples.tobytes()


RINGBACK = Clip("tone:ringback", _cycle())
