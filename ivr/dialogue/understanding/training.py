"""Training sentences: phrases and what callers say, as an intent classifier learns from and is asked about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.model import YES_NO, Flow, VariableSpec
from ivr.dialogue.flows.phrases import PhraseError, Variant, parse_phrase
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.clock import time_words
from ivr.dialogue.spoken.date_spans import Span, span_words
from ivr.dialogue.spoken.durations import duration_words
from ivr.dialogue.spoken.everyday import everyday
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import digit_words, fold, money_words, number_words, ordinal_forms, ordinal_words
from ivr.dialogue.understanding.classifier import NONE, Example, Sentence, TrainingSet
from ivr.dialogue.understanding.concepts import Concepts, without_politeness
from ivr.dialogue.understanding.grammar import RISK, UNIVERSALS
from ivr.dialogue.understanding.grammar_compiler import comparable
from ivr.dialogue.understanding.speech_grammar import slot_name

SPREAD = 6  # variants of a phrase that are learned from, of those that its [optional words] make


def sentence(words: Sequence[str], titles: Sequence[tuple[int, int]], language: str, concepts: Concepts) -> Sentence:
    """``titles``: where each begins and ends, in order."""
    spoken, ends = words_for(language), dict(titles)
    noun = concepts.noun or spoken.stand_in_noun
    text: list[str] = []
    marks: list[str] = []
    at = 0
    while at < len(words):
        if at in ends:
            place = sum(mark.startswith("<") for mark in marks)
            text.append(spoken.stand_ins[min(place, len(spoken.stand_ins) - 1)].format(noun))
            marks.append(f"<{place}>")
            at = ends[at]
        else:
            text.append(spoken.contracted.get(words[at], words[at]))
            marks.append(words[at])
            at += 1
    return Sentence(" ".join(text), tuple(_features(marks, concepts)))


def _features(marks: Sequence[str], concepts: Concepts) -> Iterator[str]:
    kept = concepts.sequence(marks)
    yield from (f"u{concept}" for concept in kept)
    for kind, row in (("b", kept), ("w", marks)):
        yield from (f"{kind}{one} {other}" for one, other in zip(["^", *row], [*row, "$"], strict=True))


def written(text: str, language: str, concepts: Concepts) -> Sentence:
    """An example without slots; where it has a title's stand-in ("this movie"), that is one."""
    words = without_politeness(fold(text, language), language)
    noun, spoken = concepts.noun or words_for(language).stand_in_noun, words_for(language)
    stands = [fold(stand.format(noun), language) for stand in spoken.stand_ins]
    spans = [(at, at + len(s)) for at in range(len(words)) for s in stands if tuple(words[at : at + len(s)]) == s]
    return sentence(words, spans, language, concepts)


def learned(
    variants: Sequence[Variant], samples: Mapping[str, Sequence[str]], language: str, concepts: Concepts
) -> Iterator[Sentence]:
    """A phrase's variants with sample words in their slots; a slot without samples is a title."""
    step = max(1, -(-len(variants) // SPREAD))
    for number, variant in enumerate(variants[::step]):
        named = [name for piece in variant if (name := slot_name(piece)) is not None]
        for sample in range(2 if any(len(samples.get(name, ())) > 1 for name in named) else 1):
            words: list[str] = []
            titles: list[tuple[int, int]] = []
            for piece in variant:
                name = slot_name(piece)
                if name is None:
                    words.append(comparable(piece))
                elif said := samples.get(name):
                    words += fold(said[(number + sample) % len(said)], language)
                else:
                    titles.append((len(words), len(words) + 1))
                    words.append("\0")
            yield sentence(words, titles, language, concepts)


# -- what a library teaches -------------------------------------------------------------------------------------


def training_set(words: Wordings, concepts: Concepts) -> TrainingSet:
    """Everything that callers may say in one language: phrases, examples and contrasts, and the language's own."""
    return TrainingSet(words.language, tuple(dict.fromkeys(_taught(words, concepts))))


def _taught(words: Wordings, concepts: Concepts) -> Iterator[Example]:
    language, library = words.language, words.library
    known: set[str] = set()
    for name, flow in library.flows.items():
        samples = {slot: _samples(words, name, slot, spec) for slot, spec in flow.slots.items()}
        for intent in flow.intents:
            known.add(intent)
            yield from _of(words, name, intent, intent, _own(words, flow, intent), samples, concepts)
    owned = {name: name for name in (*UNIVERSALS, *YES_NO)} | {
        f"{RISK}{name}": name for name in library.universals.risks
    }
    for intent, name in owned.items():
        known.add(intent)
        yield from _of(words, UNIVERSALS_FILE, name, intent, words.universal(name), {}, concepts)
    for intent, texts in everyday(language).items():
        if intent == NONE or intent in known:
            for text in texts:
                yield Example(written(text, language, concepts), intent, text)


def _own(words: Wordings, flow: Flow, intent: str) -> Sequence[str]:
    """What is said for an intent; but for what is a yes or a no elsewhere and not where it is offered beside them,
    which is learned as that."""
    beside = {c.intent for s in flow.states.values() if any(e.intent == intent for e in s.choices) for c in s.choices}
    answers = {fold(text, words.language) for name in YES_NO if name in beside for text in words.universal(name)}
    return [phrase for phrase in words.phrases(flow.flow, intent) if fold(phrase, words.language) not in answers]


def _of(
    words: Wordings,
    owner: str,
    name: str,
    intent: str,
    phrases: Sequence[str],
    samples: Mapping[str, Sequence[str]],
    concepts: Concepts,
) -> Iterator[Example]:
    language = words.language
    meant = [(text, intent) for text in (*phrases, *words.examples(owner, name))]
    meant += [(text, other or NONE) for other, texts in words.contrast(owner, name).items() for text in texts]
    for text, means in meant:
        try:
            variants = parse_phrase(text, language).variants
        except PhraseError:  # the checker has refused it
            continue
        for each in learned(variants, samples, language, concepts):
            if each.text:
                yield Example(each, means, text)


def _samples(words: Wordings, flow: str, name: str, spec: VariableSpec) -> Sequence[str]:
    """What is said in a slot's place; () for titles, which are masked."""
    language = words.language
    match spec.type:
        case "title":
            return ()
        case "number":
            return (number_words(5, language), number_words(2, language))
        case "ordinal":
            return (ordinal_words(3, language), ordinal_forms(2, language)[-1])  # "tercero", "segunda"
        case "digits":
            return (digit_words("123", language),)
        case "phone":
            return (digit_words("6175550134", language),)
        case "date":
            spoken = words_for(language)
            return tuple(spoken.day_forms(1, spoken.months[5]))[:1]
        case "date_range":
            return (span_words(Span(date(2026, 7, 4), date(2026, 7, 6)), language),)
        case "time":
            return (time_words(930, language),)
        case "duration":
            return (duration_words(90, language),)
        case "money":
            return (money_words(1200, language),)
        case "code":
            return ("b k " + digit_words("12", language),)
        case "boolean":
            return words.universal("yes")[:1]
        case "choice":
            return tuple(text for texts in words.values(flow, name, spec.values).values() for text in texts)
        case _:
            return ("something",)
