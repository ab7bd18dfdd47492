"""The mixing of a conference: what a leg's far end hears of several others, summed once a tick for all legs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ivr.media.process.codec import Coder, Samples, clipped


class Voice(Protocol):
    """20 ms of what is heard: samples, None for nothing; ``payload`` where it is ready-made in ``coder``'s codec."""

    signal: Samples | None
    payload: bytes | None
    coder: Coder | None


class Mix:
    """The voices that one leg hears. A Voice itself, once ``sum_up`` has been called for the tick."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self.voices = tuple(voices)
        self.signal: Samples | None = None
        self.payload: bytes | None = None
        self.coder: Coder | None = None


def sum_up(mixes: Sequence[Mix]) -> None:
    """This tick's sums, saturated at 16 bits, of all ``mixes`` in one pass; who speaks alone passes as they are."""
    summed: list[Mix] = []
    rows: list[Samples] = []
    starts: list[int] = []
    for mix in mixes:
        live = [voice for voice in mix.voices if voice.signal is not None]
        mix.signal = mix.payload = mix.coder = None
        if len(live) == 1:
            mix.signal, mix.payload, mix.coder = live[0].signal, live[0].payload, live[0].coder
        elif live:
            summed.append(mix)
            starts.append(len(rows))
            rows.extend(voice.signal for voice in live if voice.signal is not None)
    if summed:
        sums = clipped(np.add.reduceat(np.stack(rows), starts, axis=0, dtype=np.int32))
        for mix, signal in zip(summed, sums, strict=True):
            mix.signal = signal
