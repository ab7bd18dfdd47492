"""Alternatives to a free transcript: a beam search that no grammar leads, for what may have been said instead. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ivr.speech.recognisers.beam import Scorer
from ivr.speech.recognisers.trie import Tokens

WIDTH = 5
SPREAD = 5.0  # how far below the likeliest of as many tokens, or of all that are finished, one may lie, in all
PATIENCE = 0.5  # and below the best finished one, per token


def alternatives(
    scorer: Scorer, end: int, *, longest: int, first: int, cancelled: Callable[[], bool]
) -> dict[Tokens, float]:
    """Each with its log-probability, its end included. Tokens below ``first`` are no text. Empty where cancelled."""
    live: list[tuple[float, Tokens]] = [(0.0, ())]
    finished: dict[Tokens, float] = {}
    rows = scorer.first()
    best = float("-inf")
    for length in range(1, longest + 2):
        if cancelled():
            return {}
        grown: list[tuple[float, int, int]] = []
        for row, (score, spelt) in enumerate(live):
            scores = np.asarray(rows[row])
            for token in np.argpartition(-scores, WIDTH)[: WIDTH + 1].tolist():
                value = score + float(scores[token])
                if token == end:
                    finished[spelt] = value
                    best = max(best, value / length)
                elif token >= first:
                    grown.append((value, row, token))
        grown.sort(key=lambda each: -each[0])
        kept = [each for each in grown[:WIDTH] if each[0] > grown[0][0] - SPREAD and each[0] / length > best - PATIENCE]
        if not kept or length > longest:
            break
        rows = scorer.advance([row for _, row, _ in kept], [token for _, _, token in kept])
        live = [(value, (*live[row][1], token)) for value, row, token in kept]
    likeliest = max(finished.values(), default=0.0)
    return {spelt: logprob for spelt, logprob in finished.items() if logprob > likeliest - SPREAD}
