"""Sample utterances: phrases with their slots filled in, terms of vocabularies by the company's examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ivr.dialogue.flows.model import Flow, VariableSpec
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.clock import minutes_of, time_words
from ivr.dialogue.spoken.codes import code_of, code_words, pattern_of
from ivr.dialogue.spoken.date_spans import Span, span_words
from ivr.dialogue.spoken.durations import duration_words
from ivr.dialogue.spoken.normalisation import date_words, digit_words, money_words, number_words, ordinal_words
from ivr.dialogue.understanding.speech_grammar import filled, slot_names

_DAY = date(2026, 7, 4)
_NUMBER = 3
_DIGITS = "5035550142"
_MINUTES, _CENTS = 90, 1200


def sample_code(spec: VariableSpec) -> str:
    """A code of the first pattern; "" where none can be read."""
    try:
        pattern = pattern_of(spec.patterns[0])
        return code_of("".join(place[n % len(place)] for n, place in enumerate(pattern.open, 1)), [pattern])
    except (ValueError, IndexError):
        return ""


@dataclass(frozen=True, slots=True)
class Samples:
    """``examples`` are names out of the company's vocabularies."""

    flow: Flow
    words: Wordings
    examples: Sequence[str] = ()

    def value(self, variable: str, place: int = 0) -> str:
        """Something a caller might say for ``variable``."""
        spec, language = self._spec(variable), self.words.language
        if spec is None:
            return variable
        match spec.type:
            case "title":
                return self.examples[(place + 2) % len(self.examples)] if self.examples else variable
            case "number":
                return number_words(max(spec.minimum or 1, _NUMBER), language)
            case "ordinal":
                return ordinal_words(max(spec.minimum or 1, _NUMBER), language)
            case "digits":
                length = spec.length if isinstance(spec.length, int) else 10
                return digit_words((_DIGITS * 10)[:length], language)
            case "phone":
                shortest = spec.length or (10, 10)
                length = shortest if isinstance(shortest, int) else max(shortest[0], min(shortest[1], 10))
                return digit_words((_DIGITS * 10)[:length], language)
            case "date":
                return date_words(_DAY, language).rpartition(", ")[2]
            case "date_range":
                return span_words(Span(_DAY, _DAY + timedelta(days=2)), language)
            case "time":
                return time_words(minutes_of(spec.earliest or "15:30"), language)
            case "duration":
                return duration_words(max(spec.minimum or 1, min(spec.maximum or _MINUTES, _MINUTES)), language)
            case "money":
                return money_words(max(spec.minimum or 1, min(spec.maximum or _CENTS, _CENTS)), language)
            case "code":
                return code_words(sample_code(spec), language)
            case "boolean":
                return (self.words.universal("yes") or ("yes",))[0]
            case "choice":
                values = self.words.values(self.flow.flow, variable, spec.values)
                return next((p[0] for p in values.values() if p), variable)
            case _:
                return variable

    def _spec(self, variable: str) -> VariableSpec | None:
        return self.flow.variables.get(variable) or self.flow.parameters.get(variable)

    def values(self, variable: str) -> Sequence[str]:
        """All that may be said for a choice; a sample of anything else."""
        spec = self._spec(variable)
        if spec is not None and spec.type == "choice":
            said: Mapping[str, Sequence[str]] = self.words.values(self.flow.flow, variable, spec.values)
            return [p[0] for p in said.values() if p]
        if spec is not None and spec.type == "boolean":
            return [w[0] for w in (self.words.universal("yes"), self.words.universal("no")) if w]
        return list(dict.fromkeys(self.value(variable, place) for place in range(2)))

    def phrase(self, text: str) -> str:
        """A template as a caller would say it."""
        try:
            variant = parse_phrase(text, self.words.language).variants[0]
        except PhraseError:
            return text
        slots = slot_names(variant)
        return filled(variant, [self.value(name, slots.index(name)) for name in slots])

    def phrases(self, intent: str) -> tuple[str, ...]:
        """What callers say for ``intent``, one with slots first: it shows the most."""
        builtin = self.words.library.everywhere(self.flow, intent)
        found = self.words.universal(intent) if builtin else self.words.phrases(self.flow.flow, intent)
        return tuple(self.phrase(p) for p in sorted(found, key=lambda p: "{" not in p))
