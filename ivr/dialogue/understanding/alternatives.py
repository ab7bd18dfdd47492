"""Alternatives to a free transcript: what may have been said instead, by how likely the recogniser finds each and by
how well its words go together.

The latter is a language model of what is taught, without counts: a word behind two that it was taught behind is
likelier than behind one, and that likelier than a word that is merely known. A title of the grammar is as good as known
words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ivr.dialogue.spoken.normalisation import number_of
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.paraphrase import titles_in
from ivr.dialogue.understanding.taught import LONGEST_RUN, Taught

Alternative = tuple[tuple[str, ...], float]  # words, and how likely they are beside the others, 0..1

MOST_READ = 3  # five tell no more, and each takes the line a few milliseconds
FAINT = 0.01  # what the recogniser finds less likely than this wasn't said, however well it reads
LANGUAGE = 0.2  # how much the words count beside the sound; 0.1 to 0.3 do the same
# Log-probabilities, less those of usual words: of a word that nobody taught; of one that is known, by how many words in
# a row with it at the end were taught; of a title, and of each of its words as far as it is like what was said.
STRANGE = -8.0
IN_A_ROW = (-2.0, 2.0, 3.5)
TITLE, TITLE_WORD, UNLIKE = -6.0, 5.0, -8.0


def likeliest(heard: Sequence[Alternative], grammar: StateGrammar, taught: Taught) -> list[Alternative]:
    """Those that are worth reading, the likeliest first."""
    scores: dict[tuple[str, ...], float] = {}
    for words, share in heard:
        if words and words not in scores and share >= FAINT:
            scores[words] = math.log(share) + LANGUAGE * fluency(words, grammar, taught)
    best = sorted(scores.items(), key=lambda item: -item[1])[:MOST_READ]
    chances = [math.exp(score - best[0][1]) for _, score in best]
    return [(words, chance / sum(chances)) for (words, _), chance in zip(best, chances, strict=True)]


def fluency(words: Sequence[str], grammar: StateGrammar, taught: Taught) -> float:
    """How well the words go together: a log-probability, above that of as many usual ones."""
    total, at = 0.0, 0
    for title in sorted(titles_in(words, grammar), key=lambda found: found.start):
        if title.start >= at:
            total += _together(words[at : title.start], grammar.language, taught)
            total += TITLE + (title.end - title.start) * (TITLE_WORD + UNLIKE * (1.0 - min(title.score, 1.0)))
            at = title.end
    return total + _together(words[at:], grammar.language, taught)


def _together(words: Sequence[str], language: str, taught: Taught) -> float:
    total = 0.0
    for end in range(1, len(words) + 1):
        sizes = range(min(end, LONGEST_RUN), 0, -1)
        if row := next((size for size in sizes if taught.has(words[end - size : end])), 0):
            total += IN_A_ROW[row - 1]
        else:
            known = words[end - 1] in taught.known or number_of([words[end - 1]], language) is not None
            total += IN_A_ROW[0] if known else STRANGE
    return total
