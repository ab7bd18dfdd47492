"""Call progress tones (ITU-T E.180, North American cadences): ringback and busy."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence

from ivr.ports import Clip

_RATE = 8000
_LEVEL = 1200  # of 32767 per tone: about -25 dBm0 together, quieter than speech
_FADE = 80


def _cadence(tones_hz: Sequence[int], on_s: float, off_s: float) -> bytes:
    on = int(on_s * _RATE)
    samples = array.array("h", bytes(2 * int((on_s + off_s) * _RATE)))
    period = _RATE // math.gcd(_RATE, *tones_hz)  # in samples, after which all tones begin anew
    waves = [sum(math.sin(2 * math.pi * f * i / _RATE) for f in tones_hz) for i in range(period)]
    samples[:on] = array.array("h", [int(_LEVEL * waves[i % period]) for i in range(on)])
    for i in range(_FADE):
        for at in (i, on - i):
            samples[at] = int(_LEVEL * i / _FADE * waves[at % period])
    return samples.tobytes()


RINGBACK = Clip("tone:ringback", _cadence((440, 480), 2.0, 4.0))
BUSY = Clip("tone:busy", _cadence((480, 620), 0.5, 0.5))
