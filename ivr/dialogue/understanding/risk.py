"""Risk detection: signs that a caller belongs with a human, from words (phrases, keywords in free speech) and manner.

Whatever this module finds only ever brings a human sooner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import HUMAN, RISK, Meaning, Reading
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.events import Manner

ALIKE = 88.0  # a transcript this much like a risk phrase (0..100) is one
ENOUGH = 1.0
CLEAN_DB = 10.0  # signal to noise from which a manner can be judged
FIRST = 3  # utterances that make a caller's own normal
LOUDER_DB, FASTER, HIGHER = 6.0, 1.5, 1.4  # beyond that normal: decibels, and factors of pace and pitch


_Starts = dict[str, list[tuple[tuple[str, ...], str]]]
"""First word -> (all words, what they mean), so that a sentence is searched in one pass."""


@dataclass(frozen=True, slots=True)
class RiskWords:
    """The universals' risks in one language, as folded words; and the wishes for a person."""

    phrases: _Starts
    keywords: _Starts
    whole: Mapping[str, str]  # phrase -> risk, for likeness
    priorities: Mapping[str, int]  # of risks, as intents

    @classmethod
    def of(
        cls,
        phrases: Mapping[str, Sequence[str]],
        keywords: Mapping[str, Sequence[str]],
        human: Sequence[str],
        language: str,
        priorities: Mapping[str, int],
    ) -> RiskWords:
        """``phrases``, ``keywords`` and ``priorities`` by the risk's name; ``human``: what asks for a person."""
        whole = {" ".join(fold(text, language)): name for name, texts in phrases.items() for text in texts}
        named = {f"{RISK}{name}": texts for name, texts in keywords.items()}
        return cls(
            _starts({f"{RISK}{name}": texts for name, texts in phrases.items()}, language),
            _starts({**named, HUMAN: human}, language),
            whole,
            {f"{RISK}{name}": priority for name, priority in priorities.items()},
        )

    def found(self, words: Sequence[str], grammar: StateGrammar) -> Reading | None:
        """A risk, else the wish for a human, in free speech. Keywords within a known title don't count.

        Of several the one with the highest priority, then the first: who swears and leaves is leaving."""
        if not words:
            return None
        said = " ".join(words)
        phrased, spotted = _spotted(self.phrases, words), _spotted(self.keywords, _without_titles(words, grammar))
        if named := [*phrased, *spotted]:
            first = max(named, key=lambda intent: self.priorities.get(intent, -1))
            return Reading(Meaning(first), said, 1.0 if first in phrased else 0.9)
        near = process.extractOne(said, self.whole.keys(), scorer=fuzz.ratio, score_cutoff=ALIKE)
        return None if near is None else Reading(Meaning(f"{RISK}{self.whole[near[0]]}"), said, 0.8)


def _starts(texts: Mapping[str, Sequence[str]], language: str) -> _Starts:
    made: _Starts = {}
    for intent, phrases in texts.items():
        for phrase in phrases:
            if words := fold(phrase, language):
                made.setdefault(words[0], []).append((words, intent))
    return made


def _spotted(starts: _Starts, words: Sequence[str]) -> list[str]:
    """What the phrases found in ``words`` mean, in order of appearance."""
    return [
        intent
        for at, word in enumerate(words)
        for phrase, intent in starts.get(word, ())
        if tuple(words[at : at + len(phrase)]) == phrase
    ]


def _without_titles(words: Sequence[str], grammar: StateGrammar) -> tuple[str, ...]:
    """The words with exact titles cut out, the cut marked so that nothing joins across it."""
    left, at = [], 0
    while at < len(words):
        end = grammar.title_end(words, at)
        if end > at and not grammar.concepts.carriers.issuperset(words[at:end]):
            left.append("\0")
            at = end
        else:
            left.append(words[at])
            at += 1
    return tuple(left)


def _above(value: float, usual: list[float], factor: float) -> bool:
    """Whether ``value`` is far above the caller's own first ones, which it joins while they are few. 0 is unknown."""
    if value <= 0:
        return False
    if len(usual) < FIRST:
        usual.append(value)
        return False
    return value > factor * sum(usual) / len(usual)


@dataclass(slots=True)
class Temper:
    """How much has added up. Each sign is weak alone; calm turns let it fade.

    Manner counts only where the line is clean enough to judge (signal-to-noise), and against the caller's own first
    utterances."""

    level: float = 0.0
    evidence: list[str] = field(default_factory=list)
    told: bool = False  # to whom the caller is on the way already
    _rates: list[float] = field(default_factory=list)
    _pitches: list[float] = field(default_factory=list)

    def heard(self, manner: Manner) -> None:
        sign = 0.0
        clean = manner.snr_db >= CLEAN_DB
        if clean and manner.loudness_db >= LOUDER_DB:
            sign += 0.3
            self._note("louder")
        if _above(manner.words_per_second, self._rates, FASTER) and clean:
            sign += 0.2
            self._note("faster")
        if _above(manner.pitch_hz, self._pitches, HIGHER) and clean:
            sign += 0.1
            self._note("higher voice")
        self.level = self.level + sign if sign else self.level * 0.8

    def failed(self) -> None:
        """The line did not understand: that alone upsets."""
        self.level += 0.2

    def agitated(self, evidence: str, weight: float = 0.6) -> None:
        self.level += max(0.0, weight)
        self._note(evidence)

    @property
    def enough(self) -> bool:
        return self.level >= ENOUGH and bool(self.evidence)

    @property
    def reason(self) -> str:
        return f"upset ({', '.join(self.evidence)})"

    def _note(self, evidence: str) -> None:
        if evidence and evidence not in self.evidence and len(self.evidence) < 5:
            self.evidence.append(evidence)
