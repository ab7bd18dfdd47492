"""Grammar expansion: templates multiplied out, for engines that take phrases only. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from ivr.dialogue.understanding.grammar import Pieces, SpeechGrammar, filled, slot_names

_SLACK = 2  # how much more than its equal share a template may take, if that completes it


def expanded(grammar: SpeechGrammar, room: int) -> Iterator[str]:
    """The phrases of the grammar's templates, each once, at most ``room``.

    Small templates go first, up to twice an equal share; the large get what is left, and their widest slot is narrowed
    from the end: values come the likeliest first.
    """
    values = dict(grammar.slots)
    known = set(grammar.phrases)
    jobs: list[tuple[int, Pieces, list[tuple[str, ...]]]] = []
    for template in grammar.templates:
        choices = [values.get(name, ()) for name in slot_names(template)]
        if size := prod(len(choice) for choice in choices):
            jobs.append((size, template, choices))
    jobs.sort(key=lambda job: job[0])
    left = room
    for done, (_, template, choices) in enumerate(jobs):
        share = min(left, _SLACK * left // (len(jobs) - done))
        for combination in product(*_narrowed(choices, share)):
            phrase = filled(template, combination)
            if len(set(combination)) == len(combination) and phrase not in known:
                known.add(phrase)
                left -= 1
                yield phrase


def _narrowed(choices: list[tuple[str, ...]], share: int) -> list[tuple[str, ...]]:
    """As much of each choice as fits; nothing at all when nothing does."""
    sizes = [len(choice) for choice in choices]
    while prod(sizes) > share:
        widest = sizes.index(max(sizes))
        if sizes[widest] <= 1:
            return [()]
        sizes[widest] = max(1, min(sizes[widest] - 1, sizes[widest] * 9 // 10))
    return [choice[:size] for choice, size in zip(choices, sizes, strict=True)]
