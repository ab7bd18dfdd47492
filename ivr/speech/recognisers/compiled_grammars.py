"""Compiled grammars, kept with their parts: the trunk of templates and each slot's values outlive a caller's list."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ivr.dialogue.understanding.grammar import Pieces, slot_names
from ivr.ports import SpeechGrammar
from ivr.speech.lru_cache import LruCache
from ivr.speech.recognisers.beam import Lattice
from ivr.speech.recognisers.nearness import Nearness, Spoken
from ivr.speech.recognisers.trie import Encoder, Node, Tries

_GRAMMARS = 64
_TRUNKS = 64
_VALUES = 256
_LIKELY = 12


@dataclass(frozen=True, slots=True)
class Compiled:
    lattice: Lattice
    nearness: Nearness
    likelihood: Likelihood


class Likelihood:
    """How likely it is that somebody says these values at all, before anything is heard."""

    def __init__(self, grammar: SpeechGrammar) -> None:
        self._ranks = {
            name: {value: rank for rank, value in enumerate(values, 1)}
            for name, values in grammar.slots
            if name in grammar.counted
        }

    def __call__(self, template: Pieces, chosen: Sequence[str]) -> float:
        """Log-probability, 0 for what is likely. Places far down a list are rarely named in one breath with what goes
        there (Zipf's law from the first dozen on); a number asked for alone may be any."""
        names = slot_names(template)
        if len(names) < 2 or not self._ranks:
            return 0.0
        ranks = (self._ranks.get(name, {}).get(value, 1) for name, value in zip(names, chosen, strict=True))
        return -sum(math.log(max(1.0, rank / _LIKELY)) for rank in ranks)


class Compiler:
    """Compiles for one encoder. Thread-safe; two threads that want the same part at once may both make it."""

    def __init__(self, encoder: Encoder) -> None:
        self._tries = Tries(encoder)
        self._grammars: LruCache[str, Compiled] = LruCache(_GRAMMARS)
        self._trunks: LruCache[Hashable, Node] = LruCache(_TRUNKS)
        self._values: LruCache[tuple[str, ...], tuple[Node, Spoken]] = LruCache(_VALUES)

    def compiled(self, grammar: SpeechGrammar) -> Compiled:
        return self._grammars.get(grammar.key, lambda: self._compile(grammar))

    def _compile(self, grammar: SpeechGrammar) -> Compiled:
        parts = (grammar.phrases, grammar.templates, grammar.digits)
        trunk = self._trunks.get(parts, lambda: self._tries.trunk(*parts))
        slots = {
            name: self._values.get(values, lambda values=values: (self._tries.values(values), Spoken(values)))  # type: ignore[misc]
            for name, values in grammar.slots
            if values
        }
        lattice = Lattice(trunk, {name: node for name, (node, _) in slots.items()})
        spoken = {name: values for name, (_, values) in slots.items()}
        nearness = Nearness(grammar.phrases, grammar.templates, spoken)
        return Compiled(lattice, nearness, Likelihood(grammar))
