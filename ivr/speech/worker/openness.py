"""Openness of a sentence: may it go on so that it means something else ("move Casablanca" ... "to the top")? Pure.

Words only, no sounds: a grammar's phrases and templates, their intents and the values of their slots. What a silence
after a sentence is worth follows from it, so that who has said all is answered at once and who hasn't is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.similarity import bare_words, likeness
from ivr.dialogue.understanding.speech_grammar import Pieces, SpeechGrammar, slot_name
from ivr.events import Accept, Hypothesis, Recognition
from ivr.speech.worker.manner import Measured

EARLY_S = 0.19  # of silence: six windows of voice activity, which is what pauses between words stay under
DETACHED_S = 0.35  # of a word alone, a "no" (corrections begin with one), or what only another sentence may follow
OPEN_S = 0.6  # of what is said and may still turn into something else: longer than people pause in mid-sentence
BEGUN_S = 0.8
DIGITS_S = 0.8  # people group long numbers
_BRIEF = 2  # words or fewer are easily misheard from the beginning of something longer
_NOISY_DB = 25.0  # signal to noise
_SLIGHT_S = 0.2  # of speech, in a "yes"; and in noise, where any word or two are meant
_SLIGHT_IN_NOISE_S = (0.45, 0.33)
_SCANT_S = 0.17  # no "yes" is as short,
_STOPS = ("p", "t", "k")  # but what ends in one of these is: "yep"
_ALIKE = 70.0  # 0..100: a rest of a sentence, as it may be written by a recogniser that doesn't know what came before
_CONTRADICTED = 65.0  # 0..100: what was accepted, and something else was written
_SATISFIED = 80.0  # 0..100: what is in doubt, and yet its words are those that were written, to the last one
_UNMEASURED = Measured()

Sense = tuple[int, frozenset[tuple[str, str]]]  # intent; slot and spoken value


class Completion(IntEnum):
    """What may still come. DETACHED: only what can be said alone as well ("no" ... "what's next")."""

    CLOSED = 0
    DETACHED = 1
    OPEN = 2
    BEGUN = 3
    NONE = 4


class Openness:
    """Of one grammar. One without ``means`` is open throughout."""

    def __init__(self, grammar: SpeechGrammar) -> None:
        self._run = grammar.run
        spoken = words_for(grammar.language)
        self._assents, self._denials = frozenset(spoken.assents), frozenset(spoken.denials)
        plain = (tuple(phrase.split()) for phrase in grammar.phrases)
        sentences = [each for each in zip((*plain, *grammar.templates), grammar.means, strict=False) if each[0]]
        self._sentences = frozenset(pieces for pieces, _ in sentences)
        self._by_first: dict[str, list[tuple[Pieces, int]]] = {}
        for pieces, intent in sentences:
            self._by_first.setdefault("" if slot_name(pieces[0]) else pieces[0], []).append((pieces, intent))
        self._values = {name: frozenset(values) for name, values in grammar.slots}
        self._begun = {name: _beginnings(values) for name, values in grammar.slots}

    def silence_s(self, recognition: Recognition, hangover_s: float, measured: Measured = _UNMEASURED) -> float:
        """The silence that ends an utterance recognised and ``measured`` so, where ``hangover_s`` ends any other."""
        best = recognition.nbest[0] if recognition.nbest else None
        wanted = self._silence_s(recognition, best, hangover_s)
        if best is None or best.verdict is Accept.REJECT or not self._slight(best.text, measured):
            return wanted
        return max(wanted, OPEN_S)

    def _slight(self, text: str, measured: Measured) -> bool:
        """Whether so little was heard that it may be the beginning of something else: "Give ..." is taken for "yes", as
        surely as that is, "I ..." for "all right"; in noise longer words, and for others, too."""
        limit, count = _SLIGHT_S if self._drawn(text) else 0.0, text.count(" ") + 1
        if 0.0 < measured.snr_db < _NOISY_DB and count <= len(_SLIGHT_IN_NOISE_S):
            limit = _SLIGHT_IN_NOISE_S[count - 1]
        return 0.0 < measured.speech_s < limit

    def scant(self, text: str, measured: Measured) -> bool:
        """Whether it was taken for a "yes", and is too short for one."""
        return self._drawn(text) and 0.0 < measured.speech_s < _SCANT_S

    def _drawn(self, text: str) -> bool:
        """Whether it is a "yes" that takes some time to say."""
        return text in self._assents and not text.endswith(_STOPS)

    def _silence_s(self, recognition: Recognition, best: Hypothesis | None, hangover_s: float) -> float:
        said = bare_words(recognition.transcript)
        if best is None or best.verdict is Accept.REJECT:
            return self._unfinished_s(self.completion(said), hangover_s)
        if self._run is not None and best.phrase is None and self._run.spells(best.text):
            full = len(best.text) >= self._run.maximum
            return min(hangover_s, EARLY_S) if full and best.verdict is Accept.ACCEPT else max(hangover_s, DIGITS_S)
        if self._trailing(best.text, said):
            return max(hangover_s, BEGUN_S)
        if _only_begins(said, best.text):
            return max(OPEN_S, self._unfinished_s(self.completion(said), hangover_s))
        brief = len(best.text.split()) <= _BRIEF
        completion = self.completion(best.text)
        if best.verdict is not Accept.ACCEPT:
            longest = self._unfinished_s(self.completion(said), hangover_s)
            satisfied = completion is Completion.CLOSED and not brief and _word_by_word(said, best.text)
            return min(hangover_s, DETACHED_S) if satisfied and longest <= hangover_s else longest
        if brief and said != best.text:
            return hangover_s
        if likeness(said, best.text) < _CONTRADICTED:
            return self._unfinished_s(completion, hangover_s)
        if completion is Completion.CLOSED and (" " in best.text or best.text in self._assents):
            return min(hangover_s, EARLY_S)
        # One word alone may be the first of something that is not in the grammar ("I ..." heard as "bye").
        if completion <= Completion.DETACHED or best.text in self._denials:
            return min(hangover_s, DETACHED_S)
        return self._unfinished_s(completion, hangover_s)

    def _unfinished_s(self, completion: Completion, hangover_s: float) -> float:
        return max(hangover_s, {Completion.OPEN: OPEN_S, Completion.BEGUN: BEGUN_S}.get(completion, 0.0))

    def completion(self, text: str) -> Completion:
        """Of ``text``, as the grammar spells it."""
        words = text.split()
        ways = list(self._ways(words))
        senses = {sense for rest, cut, sense in ways if not rest and not cut}
        onward = [(rest, cut, sense) for rest, cut, sense in ways if rest or cut]
        if not senses:
            return Completion.BEGUN if onward else Completion.NONE
        found = Completion.CLOSED
        for rest, cut, sense in onward:
            if sense in senses and not cut and not any(map(slot_name, rest)):
                continue  # "... of my queue"
            if cut or rest not in self._sentences:
                return Completion.OPEN
            found = Completion.DETACHED
        return found

    def goes_on(self, text: str, rest: str, instead: str = "") -> bool:
        """Whether ``rest``, a transcript, is what may follow ``text`` and mean nothing else, or an end of it, rather
        than ``instead``, a sentence of its own; or says the same once more ("yes" ... "do it")."""
        said = bare_words(rest)
        if self._senses(said) & self._senses(text):
            return True
        count = said.count(" ") + 1
        parts = {" ".join(part) for onward in self.rests(text) for part in (onward[:count], onward[-count:])}
        least = max(_ALIKE, likeness(said, instead) if instead else 0.0)
        return any(likeness(said, part) >= least for part in parts)

    def rests(self, text: str) -> list[Pieces]:
        """What may follow ``text`` without meaning anything else."""
        senses = self._senses(text)
        return [
            onward
            for onward, cut, sense in self._ways(text.split())
            if onward and not cut and sense in senses and not any(map(slot_name, onward))
        ]

    def _senses(self, text: str) -> set[Sense]:
        return {sense for onward, cut, sense in self._ways(text.split()) if not onward and not cut}

    def _trailing(self, text: str, said: str) -> bool:
        """Whether what was heard ends with a word of what may still follow: "... to the top of"."""
        last = said.rpartition(" ")[2]
        return bool(last) and last != text.rpartition(" ")[2] and any(last in rest[:-1] for rest in self.rests(text))

    def _ways(self, words: Sequence[str]) -> Iterator[tuple[Pieces, bool, Sense]]:
        """Each way in which a sentence begins with ``words``: what is left of it, whether they end within a value of a
        slot, and what is said so far."""
        if not words:
            return
        for first in (words[0], ""):
            for pieces, intent in self._by_first.get(first, ()):
                yield from self._along(pieces, words, {}, intent)

    def _along(
        self, pieces: Pieces, words: Sequence[str], filled: Mapping[str, str], intent: int
    ) -> Iterator[tuple[Pieces, bool, Sense]]:
        if not words:
            yield pieces, False, (intent, frozenset(filled.items()))
            return
        if not pieces:
            return
        name = slot_name(pieces[0])
        if name is None:
            if pieces[0] == words[0]:
                yield from self._along(pieces[1:], words[1:], filled, intent)
            return
        if " ".join(words) in self._begun.get(name, ()):
            yield pieces[1:], True, (intent, frozenset(filled.items()))
        known = self._values.get(name, frozenset())
        for end in range(1, len(words) + 1):
            if (value := " ".join(words[:end])) in known:
                yield from self._along(pieces[1:], words[end:], {**filled, name: value}, intent)


def _only_begins(said: str, text: str) -> bool:
    """Whether ``said`` has about the first words of ``text`` and lacks its last: the grammar heard on by itself."""
    words, wanted = said.split(), text.split()
    return 1 < len(words) < len(wanted) and likeness(said, " ".join(wanted[: len(words)])) >= _SATISFIED


def _word_by_word(said: str, text: str) -> bool:
    """Whether ``said`` has the words of ``text``, each about as it sounds, the last one above all."""
    words, wanted = said.split(), text.split()
    if len(words) != len(wanted) or likeness(said, text) < _SATISFIED:
        return False
    return likeness(words[-1], wanted[-1]) >= _SATISFIED


def _beginnings(values: Sequence[str]) -> frozenset[str]:
    """Every strict beginning, in whole words, of a value of more than one."""
    made: set[str] = set()
    for value in values:
        words = value.split()
        made.update(" ".join(words[:n]) for n in range(1, len(words)))
    return frozenset(made)
