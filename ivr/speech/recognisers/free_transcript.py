"""Free transcripts, of recognisers that take no grammar, held against one: what was said, and how sure that is. Pure.

Only what a phrase has word for word is ever accepted, and not where another phrase sounds alike, nor where a number
decides: that is asked about, as is what is merely near to a phrase.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rapidfuzz import fuzz

from ivr.dialogue.spoken.language import primary
from ivr.dialogue.spoken.languages import LANGUAGES
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.spoken.similarity import bare_words, blend, passing_sound, sound, unaccented
from ivr.dialogue.understanding.speech_grammar import Pieces, SpeechGrammar, filled, slot_name, slot_names
from ivr.events import Accept, Hypothesis
from ivr.speech.recognisers.compiled_grammars import Nearness, Spoken

_SURE, _SURE_ALONE = 0.8, 0.9  # mean probability of a token from which on a sentence, and a word alone, is accepted
_ACCEPTED, _UNSURE = 0.9, 0.75  # confidence in what is word for word, and accepted or not, where there is no score
_NEAR = 78.0  # 0..100: letters and sound of what is asked about
_BEHIND = 8.0  # and how far behind the first another may be
_DOUBT = 0.7  # confidence in what is nearly the same
_SHORT = 3  # letters: of what is shorter, everything is near
_RANKED = 5
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """A phrase, or a filled template, that was said word for word."""

    text: str
    phrase: int | None
    template: Pieces = ()
    chosen: tuple[str, ...] = ()


def doubted(accepted: Hypothesis) -> Hypothesis:
    """The same, to be asked about."""
    return replace(accepted, confidence=_UNSURE, verdict=Accept.CONFIRM)


class Expected:
    """One grammar, ready to be held against transcripts."""

    def __init__(self, grammar: SpeechGrammar) -> None:
        self._tag = grammar.language
        self._counted = grammar.counted
        self._phrases: dict[str, int] = {}
        for index, phrase in enumerate(grammar.phrases):
            if joined := "".join(self._words(phrase)):
                self._phrases.setdefault(joined, index)
        self._texts = grammar.phrases
        self._means = dict(zip(grammar.phrases, grammar.means, strict=False))
        self._values = {
            name: {words: value for value in values if (words := self._words(value))} for name, values in grammar.slots
        }
        self._templates = [(template, [self._piece(piece) for piece in template]) for template in grammar.templates]
        made = partial(Spoken, sound=partial(sound, language=grammar.language))
        spoken = {name: made(values) for name, values in grammar.slots}
        self._nearness = Nearness(grammar.phrases, grammar.templates, spoken, grammar.means, made)

    def judged(self, transcript: str, sureness: float | None) -> tuple[Hypothesis, ...]:
        """Best first. ``sureness``: how likely each part of the transcript is to the recogniser, 0..1; None where it
        doesn't say."""
        words = self._words(transcript)
        if said := self._said(words):
            if not self._sure(said, words, sureness):
                return (Hypothesis(said.text, _UNSURE, said.phrase, Accept.CONFIRM),)
            return (Hypothesis(said.text, round(max(_ACCEPTED, sureness or 0.0), 3), said.phrase, Accept.ACCEPT),)
        return self._near(transcript) if len("".join(words)) >= _SHORT else ()

    def same(self, one: str, other: str) -> bool:
        """Whether two transcripts are one phrase, or phrases of as many words that mean the same ("yes", "yeah")."""
        mine, theirs = self._words(one), self._words(other)
        a, b = self._said(mine), self._said(theirs)
        if a is None or b is None or len(mine) != len(theirs):
            return False
        return a.text == b.text or (a.text in self._means and self._means[a.text] == self._means.get(b.text))

    def _words(self, text: str) -> Words:
        if primary(self._tag) in LANGUAGES:
            return fold(text, self._tag)
        return tuple(unaccented(bare_words(text)).split())  # figures aren't ours to spell out

    def _piece(self, piece: str) -> str | Words:
        """A slot's name, or words."""
        return slot_name(piece) or self._words(piece)

    def _said(self, words: Words) -> _Said | None:
        if (index := self._phrases.get("".join(words))) is not None and words:
            return _Said(self._texts[index], index)
        for template, pieces in self._templates:
            for chosen in self._chosen(pieces, words):
                if len(set(chosen)) == len(chosen):
                    return _Said(filled(template, chosen), None, template, chosen)
        return None

    def _chosen(self, pieces: Sequence[str | Words], words: Words) -> Iterator[tuple[str, ...]]:
        """The values of a template's slots in these words, if they are it to the last one."""
        if not pieces or not words:
            if not pieces and not words:
                yield ()
            return
        first, rest = pieces[0], pieces[1:]
        if not isinstance(first, str):
            if words[: len(first)] == first:
                yield from self._chosen(rest, words[len(first) :])
            return
        known = self._values.get(first, {})
        for end in range(1, len(words) - len(rest) + 1):
            if (value := known.get(words[:end])) is not None:
                yield from ((value, *others) for others in self._chosen(rest, words[end:]))

    def _sure(self, said: _Said, words: Words, sureness: float | None) -> bool:
        if said.phrase is None:
            twin = self._nearness.twins(said.template, said.chosen)
            twin |= not self._counted.isdisjoint(slot_names(said.template))
        else:
            twin = self._nearness.twin(said.text)
        enough = _SURE if len(words) > 1 else _SURE_ALONE
        return not twin and (sureness is None or sureness >= enough)

    def _near(self, transcript: str) -> tuple[Hypothesis, ...]:
        text = bare_words(transcript)
        heard = passing_sound(text, self._tag)
        scored: list[tuple[float, str]] = []
        for near in self._nearness.nearest(transcript, _RANKED):
            like = blend(fuzz.ratio(text, near.text), fuzz.ratio(heard, passing_sound(near.text, self._tag)))
            if like >= _NEAR:
                scored.append((like, near.text))
        scored.sort(key=lambda each: -each[0])
        return tuple(
            Hypothesis(phrase, round(_DOUBT * like / 100, 3), self._index(phrase), Accept.CONFIRM)
            for like, phrase in scored
            if like >= scored[0][0] - _BEHIND
        )

    def _index(self, phrase: str) -> int | None:
        return self._phrases.get("".join(self._words(phrase)))
