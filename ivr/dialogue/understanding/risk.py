"""Risk detection: signs that a caller belongs with a human, from words (phrases, keywords in free speech) and manner.

Whatever this module finds only ever brings a human sooner: at once where a whole phrase was said, by a question where a
risk is only hinted at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rapidfuzz import fuzz, process

from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import HUMAN, RISK, Meaning, Reading
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.events import Manner

ALIKE = 88.0  # a transcript this much like a risk phrase (0..100) is one
DENIED_WITHIN = 4  # words: so far before it a denial takes a phrase back
_DEALS_WITH = frozenset({"MOVE", "ADD", "REMOVE", "SWAP"})
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
    human: _Starts
    whole: Mapping[str, str]  # phrase -> risk, for likeness
    priorities: Mapping[str, int]  # of risks, as intents
    at_once: frozenset[str]  # risks, as intents, whose phrases need no question
    spoken: Language

    @classmethod
    def of(
        cls,
        phrases: Mapping[str, Sequence[str]],
        keywords: Mapping[str, Sequence[str]],
        human: Sequence[str],
        language: str,
        priorities: Mapping[str, int],
        at_once: Iterable[str] = (),
    ) -> RiskWords:
        """``phrases``, ``keywords`` and ``priorities`` by the risk's name; ``human``: what asks for a person;
        ``at_once``: risks that are never asked about where a phrase was said."""
        whole = {" ".join(fold(text, language)): name for name, texts in phrases.items() for text in texts}
        return cls(
            _starts({f"{RISK}{name}": texts for name, texts in phrases.items()}, language),
            _starts({f"{RISK}{name}": texts for name, texts in keywords.items()}, language),
            _starts({HUMAN: human}, language),
            whole,
            {f"{RISK}{name}": priority for name, priority in priorities.items()},
            frozenset(f"{RISK}{name}" for name in at_once),
            words_for(language),
        )

    def wished(self, words: Sequence[str], grammar: StateGrammar) -> Reading | None:
        """A phrase that asks for a human, outside titles: at once. A risk beside it tells why.

        A phrase that is a single word of the language ("somebody") asks for nothing in a sentence about something else
        ("there's somebody at the door"): there it is inferred."""
        found = [(at, end) for at, end, _ in _found(self.human, _without_titles(words, grammar))]
        if not found:
            return None
        hint = self.hinted(words, grammar)
        wish = Reading(Meaning(HUMAN) if hint is None else hint.meaning, " ".join(words), 0.9)
        whole = any(self._asks(words, at, end) for at, end in found)
        return wish if whole else replace(wish, sure=False, inferred=True)

    def _asks(self, words: Sequence[str], at: int, end: int) -> bool:
        """Whether a phrase at ``at``..``end`` is one of several words, or all that is said but small words."""
        if sum(word not in self.spoken.articles for word in words[at:end]) > 1:
            return True
        spoken = self.spoken
        small = spoken.function_words | spoken.fillers | spoken.articles | spoken.hesitations | spoken.wishes
        small |= {*spoken.denials} | spoken.assents
        others = [*words[:at], *words[end:]]
        if words[at:end] and others and len(others) % (end - at) == 0:
            others = [word for word in others if word not in words[at:end]]  # "agent, agent, agent"
        before = at
        while before and words[before - 1] in spoken.insists:  # "no, I said agent"
            before -= 1
        return small.issuperset(others) or (before < at and small.issuperset((*words[:before], *words[end:])))

    def waived(self, words: Sequence[str], grammar: StateGrammar) -> bool:
        """Whether somebody says that they want nobody: "I don't want a person", "without talking to anybody"."""
        cut = _without_titles(words, grammar)
        ends = [at for at, _, _ in _found(self.human, cut)] or [len(cut)]
        return all(self._waived(cut[:at]) for at in ends)

    def _waived(self, before: Sequence[str]) -> bool:
        """Whether these words end in a denial of what comes next, but for small words; of a bare "not" not even those.
        Where somebody else has begun to do something in between they don't."""
        spoken = self.spoken
        small = (spoken.function_words | spoken.fillers | spoken.wishes) - spoken.subjects - spoken.pointers
        for waive in spoken.waives:
            between = spoken.articles if len(waive) == 1 else small | spoken.articles
            for at in range(len(before) - len(waive) + 1):
                rest = before[at + len(waive) :]
                if tuple(before[at : at + len(waive)]) == waive and between.issuperset(rest):
                    return True
        return False

    def said(self, words: Sequence[str], grammar: StateGrammar) -> Reading | None:
        """A whole phrase of a risk, which stands by itself. Of several risks, hints included, the one with the highest
        priority, then the first: who swears and leaves is leaving."""
        sure = {each.intent for each in self._phrased(words, grammar) if each.sure}
        if not sure:
            return None
        if urgent := sure & self.at_once:
            return Reading(Meaning(self._first(sorted(urgent))), " ".join(words), 1.0)
        hint = self.hinted(words, grammar)
        assert hint is not None
        return replace(hint, sure=True, confidence=1.0)

    def hinted(self, words: Sequence[str], grammar: StateGrammar) -> Reading | None:
        """A risk that may be meant: by a keyword outside titles, by a phrase that goes on or is denied from afar, or
        by a likeness. To be asked about."""
        text = " ".join(words)
        cut = _without_titles(words, grammar)
        spotted = [intent for at, _, intent in _found(self.keywords, cut) if not self._denied(words, at)]
        if meant := [*(each.intent for each in self._phrased(words, grammar)), *spotted]:
            return Reading.guess(Meaning(self._first(meant)), text, 0.9)
        if any(word in self.spoken.denies for word in words):
            return None
        near = process.extractOne(text, self.whole.keys(), scorer=fuzz.ratio, score_cutoff=ALIKE) if words else None
        return None if near is None else Reading.guess(Meaning(f"{RISK}{self.whole[near[0]]}"), text, 0.8)

    def contradicts(self, reading: Reading, words: Sequence[str], grammar: StateGrammar) -> bool:
        """Whether the free transcript has the phrase that was recognised, and says by what stands around it that it may
        be meant otherwise."""
        here = [each.sure for each in self._phrased(words, grammar) if each.intent == reading.meaning.intent]
        return bool(here) and not any(here)

    def _first(self, intents: Sequence[str]) -> str:
        return max(intents, key=lambda intent: self.priorities.get(intent, -1))

    def _phrased(self, words: Sequence[str], grammar: StateGrammar) -> Iterator[_Phrased]:
        """Whole phrases, as far as nothing denies them; sure where they stand by themselves."""
        for at, end, intent in _found(self.phrases, words):
            own = words[at] in self.spoken.subjects  # "i want to cancel": no verb before it takes it along
            if not own and self._denied(words, at):
                continue
            before, after = words[:at], words[end:]
            yield _Phrased(
                intent,
                not (
                    any(word in self.spoken.denies or word in self.spoken.hedges for word in before)
                    or (before and self._names(before[-1], grammar))
                    or (intent not in self.at_once and self._goes_on(words[at:end], after, intent))
                    or _in_title(words, at, end, grammar)
                ),
            )

    def _denied(self, words: Sequence[str], at: int) -> bool:
        """ "don't (ever) cancel": right before, and nobody else has begun to do something in between."""
        for word in reversed(words[max(0, at - DENIED_WITHIN) : at]):
            if word in self.spoken.denies:
                return True
            if word in self.spoken.subjects:
                return False
        return False

    def _names(self, word: str, grammar: StateGrammar) -> bool:
        """Whether what follows ``word`` is something to be dealt with: "play …", "put … first", "called …"."""
        return word in self.spoken.naming or grammar.concepts.of(word) in _DEALS_WITH

    def _goes_on(self, phrase: Sequence[str], after: Sequence[str], intent: str) -> bool:
        """Whether a phrase that ends in its verb says of what only afterwards: "I want to cancel | the last change"."""
        ends = any(len(key) == 1 and meant == intent for key, meant in self.keywords.get(phrase[-1], ()))
        if not after or not ends or phrase[0] in self.spoken.remarks:
            return False
        if len(after) > 1 and any(
            f"{RISK}{risk}" == intent and tuple(text.split()[-2:]) == tuple(after[:2])
            for text, risk in self.whole.items()
        ):
            return False  # "I'm thinking of cancelling | my membership"
        tail = self.spoken.clause_tails
        return after[0] not in self.spoken.clause_starts and not all(word in tail for word in after)


@dataclass(frozen=True, slots=True)
class _Phrased:
    intent: str
    sure: bool


def _starts(texts: Mapping[str, Sequence[str]], language: str) -> _Starts:
    made: _Starts = {}
    for intent, phrases in texts.items():
        for phrase in phrases:
            if words := fold(phrase, language):
                made.setdefault(words[0], []).append((words, intent))
    return made


def _found(starts: _Starts, words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(from, to, meaning) of the phrases in ``words``, in order of appearance."""
    for at, word in enumerate(words):
        for phrase, intent in starts.get(word, ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                yield at, at + len(phrase), intent


def _titles(words: Sequence[str], grammar: StateGrammar) -> Iterator[tuple[int, int]]:
    """Exact titles, left to right; what only carries requests is none."""
    at = 0
    while at < len(words):
        end = grammar.title_end(words, at)
        if end > at and not grammar.concepts.carriers.issuperset(words[at:end]):
            yield at, end
            at = end
        else:
            at += 1


def _in_title(words: Sequence[str], at: int, end: int, grammar: StateGrammar) -> bool:
    """Whether a phrase is (part of) a title, or shares its first or last words with one."""
    return any(
        (begins <= at and end <= ends) or begins < at < ends or at < begins < end < ends
        for begins, ends in _titles(words, grammar)
    )


def _without_titles(words: Sequence[str], grammar: StateGrammar) -> tuple[str, ...]:
    """The words with exact titles blotted out, so that nothing in them counts and nothing joins across them."""
    left = list(words)
    for begins, ends in _titles(words, grammar):
        left[begins:ends] = ["\0"] * (ends - begins)
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
