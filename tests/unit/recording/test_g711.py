"""Companding by table, against the independent codec of the softphone."""

from __future__ import annotations

import numpy as np

from ivr.recording.g711 import mixed, to_pcm, to_pcmu
from ivr.softphone import g711

EVERY = bytes(range(256))


def test_pcm_is_as_the_other_codec_decodes_it() -> None:
    assert to_pcm(EVERY) == g711.decode(EVERY).tobytes()


def test_a_law_becomes_the_nearest_mu_law() -> None:
    there = g711.decode(to_pcmu("PCMA", EVERY)).astype(int)
    wanted = g711.decode(EVERY, "PCMA").astype(int)
    assert np.all(np.abs(there - wanted) <= np.maximum(np.abs(wanted) * 0.04, 16))
    assert to_pcmu("PCMU", EVERY) == EVERY


def test_a_sum_is_near_the_sum_and_does_not_wrap() -> None:
    one, two = (
        g711.encode(np.array([1000, -4000, 32000], np.int16).tobytes()),
        g711.encode(np.array([500, -4000], np.int16).tobytes()),
    )
    both = g711.decode(mixed([one, two])).astype(int)
    assert np.all(np.abs(both - [1500, -8000, 32000]) < [64, 400, 1200])
    assert mixed([one]) == one and mixed([]) == b""
    loud = g711.encode(np.full(4, 32000, np.int16).tobytes())
    assert g711.decode(mixed([loud, loud])).min() > 30000
