"""Compiled grammars: the lattice to search, the phrases near to a transcript, what is likely to be said. Pure.

They are kept with their parts: the trunk of templates and each slot's values outlive a caller's list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from rapidfuzz import fuzz, process

from ivr.dialogue.spoken.similarity import bare_words, gist, minimal_pairs, passing_sound, sound
from ivr.dialogue.understanding.speech_grammar import Pieces, SpeechGrammar, slot_name, slot_names
from ivr.speech.recognisers.beam import Lattice
from ivr.speech.recognisers.trie import Encoder, Tries

_GRAMMARS = 64
_TRUNKS = 64
_VALUES = 256
_LIKELY = 12
_OWN = 50  # no caller has more titles of their own than this, or says so
_FAMILIAR = 0.5  # how much of what the number of a slot's values says against each of them counts
_FEW = 5  # values of a slot that are tried in its templates
_FAINT = 40.0  # a value less like anything that was heard isn't


class Spoken:
    """An index over the phrases of a grammar, or over the values of one slot. ``sound``: of each."""

    def __init__(self, phrases: Sequence[str], sound: Callable[[str], str] = sound) -> None:
        self.phrases = phrases
        self._longest = max((p.count(" ") + 1 for p in phrases), default=0)
        self._known = frozenset(phrases)
        self._sounds = [sound(p) for p in phrases]

    def nearest(self, text: str, count: int) -> dict[str, float]:
        """The phrases nearest to the whole of ``text`` (0..100, the better of letters and sound), best first."""
        scores: dict[str, float] = {}
        for query, choices in ((text, self.phrases), (sound(text), self._sounds)):
            for _, score, index in process.extract(query, choices, scorer=fuzz.ratio, limit=count):
                phrase = self.phrases[index]
                scores[phrase] = max(score, scores.get(phrase, 0.0))
        return dict(sorted(scores.items(), key=lambda item: -item[1])[:count])

    def within(self, words: Sequence[str], count: int) -> list[str]:
        """The phrases that some run of ``words`` is nearest to, best first."""
        if not self.phrases or not words:
            return []
        n = len(words)
        said = [" ".join(words[i:j]) for i in range(n) for j in range(i + 1, min(n, i + self._longest + 1) + 1)]
        heard = list(dict.fromkeys(passing_sound(run) for run in said))
        letters = process.cdist(list(dict.fromkeys(said)), self.phrases, scorer=fuzz.ratio, score_cutoff=_FAINT)
        sounds = process.cdist(heard, self._sounds, scorer=fuzz.ratio, score_cutoff=_FAINT)
        best = np.maximum(letters.max(0), sounds.max(0))
        return [self.phrases[i] for i in np.argsort(-best, kind="stable")[:count] if best[i] > 0]

    def twins(self, phrase: str) -> set[str]:
        """The others that say something else and sound the same, or are minimal pairs with it."""
        mine, heard = gist(phrase), sound(phrase)
        alike = {other for other, like in zip(self.phrases, self._sounds, strict=True) if like == heard}
        return {other for other in alike if gist(other) != mine} | (self._known & minimal_pairs(phrase))


@dataclass(frozen=True, slots=True)
class Near:
    """A phrase, and the template and values that it came from, if any."""

    text: str
    template: Pieces = ()
    values: tuple[str, ...] = ()


class Nearness:
    """What of a grammar is near to a free transcript, and what has a twin. ``slots``: each slot's values; ``means``: as
    SpeechGrammar's; ``index``: makes an index, or has it from before."""

    def __init__(
        self,
        phrases: Sequence[str],
        templates: Sequence[Pieces] = (),
        slots: Mapping[str, Spoken] | None = None,
        means: Sequence[int] = (),
        index: Callable[[tuple[str, ...]], Spoken] = Spoken,
    ) -> None:
        self._phrases = index(tuple(phrases))
        self._slots = {name: values for name, values in (slots or {}).items() if values.phrases}
        self._known = frozenset(templates)
        self._templates = [(t, _pattern(t)) for t in templates if all(name in self._slots for name in slot_names(t))]
        literal = tuple(" ".join(t) for t in templates)
        self._literal = index(literal)
        self._means = dict(zip((*phrases, *literal), means, strict=False))

    def nearest(self, transcript: str, count: int) -> list[Near]:
        """The ``count`` nearest phrases, best of both measures first."""
        text = bare_words(transcript)
        if not text:
            return []
        scores = self._phrases.nearest(text, count)
        filled_in = self._likely(text.split())
        for phrase, score in Spoken(list(filled_in), passing_sound).nearest(text, count).items():
            scores[phrase] = max(score, scores.get(phrase, 0.0))
        best = sorted(scores, key=lambda phrase: -scores[phrase])[:count]
        return [Near(phrase, *filled_in.get(phrase, ())) for phrase in best]

    def _likely(self, words: Sequence[str]) -> dict[str, tuple[Pieces, tuple[str, ...]]]:
        """The templates, filled with the few values of each slot that the words are nearest to."""
        few: dict[int, list[str]] = {}
        for values in self._slots.values():  # slots that take the same share the work
            if id(values) not in few:
                few[id(values)] = values.within(words, _FEW)
        made: dict[str, tuple[Pieces, tuple[str, ...]]] = {}
        for template, pattern in self._templates:
            for chosen in product(*(few[id(self._slots[name])] for name in slot_names(template))):
                if len(set(chosen)) == len(chosen):
                    made.setdefault(pattern % chosen, (template, chosen))
        return made

    def twin(self, phrase: str) -> bool:
        """Of one of the plain phrases."""
        return self._differs(phrase, self._phrases.twins(phrase))

    def _differs(self, phrase: str, twins: Iterable[str]) -> bool:
        """Whether one of them means something else ("no" and "nah" don't)."""
        mine = self._means.get(phrase)
        return any(mine is None or self._means.get(twin) != mine for twin in twins)

    def twins(self, template: Pieces, chosen: Sequence[str]) -> bool:
        """Of a filled template: by its own words, or by a value of what may stand in the same place."""
        literal = " ".join(template)
        if self._differs(literal, self._literal.twins(literal)):
            return True
        following = iter(chosen)
        for i, piece in enumerate(template):
            if slot_name(piece) is not None:
                value = next(following)
                for name, values in self._slots.items():
                    here = (*template[:i], f"{{{name}}}", *template[i + 1 :])
                    if here in self._known and values.twins(value):
                        return True
        return False


def _pattern(template: Pieces) -> str:
    """What its values are put into: thousands of times a sentence."""
    return " ".join(piece.replace("%", "%%") if slot_name(piece) is None else "%s" for piece in template)


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
        sizes = {name: len(values) for name, values in grammar.slots if name not in grammar.counted}
        self._spread = {n: -_FAMILIAR * math.log(size / _OWN) for n, size in sizes.items() if size > _OWN}

    def __call__(self, template: Pieces, chosen: Sequence[str]) -> float:
        """Log-probability, 0 for what is likely. One title of a whole catalogue is less likely than one of the caller's
        own. Places far down a list are rarely named in one breath with what goes there (Zipf's law from the first dozen
        on); a number asked for alone may be any."""
        names = slot_names(template)
        among = sum(self._spread.get(name, 0.0) for name in names)
        if len(names) < 2 or not self._ranks:
            return among
        ranks = (self._ranks.get(name, {}).get(value, 1) for name, value in zip(names, chosen, strict=True))
        return among - sum(math.log(max(1.0, rank / _LIKELY)) for rank in ranks)


class Compiler:
    """Compiles for one encoder. Thread-safe; two threads that want the same part at once may both make it."""

    def __init__(self, encoder: Encoder) -> None:
        tries = Tries(encoder)
        self._trunk = lru_cache(_TRUNKS)(tries.trunk)
        self._index = lru_cache(_VALUES)(Spoken)
        self._values = lru_cache(_VALUES)(lambda values: (tries.values(values), self._index(values)))
        self.compiled: Callable[[SpeechGrammar], Compiled] = lru_cache(_GRAMMARS)(self._compile)

    def _compile(self, grammar: SpeechGrammar) -> Compiled:
        slots = {name: self._values(values) for name, values in grammar.slots if values}
        trunk = self._trunk(grammar.phrases, grammar.templates, grammar.run)
        lattice = Lattice(trunk, {name: node for name, (node, _) in slots.items()})
        spoken = {name: values for name, (_, values) in slots.items()}
        nearness = Nearness(grammar.phrases, grammar.templates, spoken, grammar.means, self._index)
        return Compiled(lattice, nearness, Likelihood(grammar))
