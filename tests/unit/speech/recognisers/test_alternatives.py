"""The beam search for alternatives to a free transcript, over a decoder made up here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from ivr.speech.recognisers.alternatives import SPREAD, WIDTH, alternatives

END, TEXT, VOCABULARY = 2, 3, 20


class Decoder:
    """A Scorer: ``chances`` of what comes behind each prefix; what isn't told ends."""

    def __init__(self, chances: dict[tuple[int, ...], dict[int, float]]) -> None:
        self._chances = chances
        self._live: list[tuple[int, ...]] = [()]
        self.runs: list[int] = []

    def first(self) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
        return self._rows()

    def advance(
        self, parents: Sequence[int], tokens: Sequence[int]
    ) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
        self._live = [(*self._live[parent], token) for parent, token in zip(parents, tokens, strict=True)]
        self.runs.append(len(self._live))
        return self._rows()

    def _rows(self) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
        rows = []
        for prefix in self._live:
            row = np.full(VOCABULARY, -30.0, np.float32)
            for token, chance in self._chances.get(prefix, {END: 1.0}).items():
                row[token] = math.log(chance)
            rows.append(row)
        return rows


def found(decoder: Decoder, longest: int = 10) -> dict[tuple[int, ...], float]:
    return alternatives(decoder, END, longest=longest, first=TEXT, cancelled=lambda: False)


def test_each_alternative_comes_with_its_probability() -> None:
    decoder = Decoder({(): {5: 0.6, 6: 0.4}, (5,): {7: 0.5, END: 0.5}})
    chances = {tokens: math.exp(logprob) for tokens, logprob in found(decoder).items()}
    assert chances == {(5, 7): pytest.approx(0.3), (5,): pytest.approx(0.3), (6,): pytest.approx(0.4)}


def test_what_greedy_decoding_misses_is_found() -> None:
    """The likelier first token leads to a less likely whole."""
    decoder = Decoder({(): {5: 0.55, 6: 0.45}, (5,): {7: 0.3, 8: 0.3, 9: 0.2, 10: 0.2}, (6,): {7: 1.0}})
    best = max((item for item in found(decoder).items()), key=lambda item: item[1])
    assert best[0] == (6, 7)


def test_few_are_followed_at_once_and_none_that_is_far_behind() -> None:
    wide = Decoder({(): dict.fromkeys(range(5, 17), 1 / 12)})
    found(wide)
    assert wide.runs[0] == WIDTH
    clear = Decoder({(): {5: 1.0, 6: math.exp(-SPREAD - 1)}})
    assert (6,) not in found(clear) and clear.runs == [1]


def test_what_is_no_text_is_not_written() -> None:
    assert set(found(Decoder({(): {0: 0.5, 5: 0.5}}))) == {(5,)}


def test_a_loop_ends() -> None:
    endless = Decoder({(5,) * n: {5: 1.0} for n in range(100)})
    found(endless, longest=7)
    assert len(endless.runs) == 7


def test_nobody_waits_for_what_is_cancelled() -> None:
    decoder = Decoder({(): {5: 0.6, 6: 0.4}})
    assert alternatives(decoder, END, longest=9, first=TEXT, cancelled=lambda: True) == {} and not decoder.runs
