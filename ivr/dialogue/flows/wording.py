"""Wordings: prompts, phrases and labels by flow, language and persona, with {slots} and filters filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ivr.dialogue.flows.expression import ExpressionError, Scope, parse_expression
from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary
from ivr.dialogue.flows.model import Wording
from ivr.dialogue.flows.prompt import Prompt, PromptItem, TaperedPrompt
from ivr.dialogue.flows.slot_value import SlotValue
from ivr.dialogue.spoken.language import same_language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import (
    date_words,
    digit_words,
    listed,
    money_words,
    number_words,
    ordinal_words,
    spelt,
)
from ivr.events import Term

SLOT = re.compile(r"\{([^{}|]+)(?:\|([^{}:|]+)(?::([^{}|]*))?)?\}")
FILTERS = frozenset({"ordinal", "number", "plural", "list", "digits", "date", "money", "spell", "label"})

Look = Callable[[str], object]
"""Name of a variable or fact -> SlotValue, a plain value, or None."""


@dataclass(frozen=True, slots=True)
class Words:
    """Something to say: the text as resolved; ``audio`` names a recording in audio/<language>/ that wins if present.

    ``language``: other than the call's; "" is the call's own.
    """

    text: str
    audio: str = ""
    prompt_id: str = ""
    fixed: bool = False  # True when the text has no slots: rendered ahead, at start-up
    language: str = ""


class Wordings:
    """The words of one library for one language and persona. Shared by the calls that speak so."""

    def __init__(self, library: FlowLibrary, language: str, persona: str) -> None:
        self.library = library
        self.language = language
        self.persona = persona
        self._layers: dict[str, tuple[Wording, ...]] = {}

    def _overlays(self, flow: str) -> tuple[Wording, ...]:
        if flow not in self._layers:
            self._layers[flow] = tuple(self.library.overlay(flow, self.language, self.persona))
        return self._layers[flow]

    def voice(self, flow: str) -> str:
        for owner in (flow, UNIVERSALS_FILE):
            for overlay in self._overlays(owner):
                if overlay.voice:
                    return overlay.voice
        return ""

    def prompt(self, flow: str, prompt_id: str, base: TaperedPrompt | None) -> TaperedPrompt:
        """The tapered prompt under ``prompt_id``; the flow's own words where nobody translated them."""
        for overlay in self._overlays(flow):
            if prompt_id in overlay.prompts:
                return overlay.prompts[prompt_id]
        return base or {}

    def system(self, name: str) -> TaperedPrompt:
        universals = self.library.universals
        for overlay in self._overlays(UNIVERSALS_FILE):
            if name in overlay.prompts:
                return overlay.prompts[name]
        if name in universals.prompts and same_language(universals.language, self.language):
            return universals.prompts[name]
        words = words_for(self.language).prompts.get(name)
        if words:
            return {1: (PromptItem(say=words),)}
        return universals.prompts.get(name, {})

    def label(self, flow: str, state: str, intent: str, base: str) -> str:
        for overlay in self._overlays(flow):
            if (label := overlay.labels.get(f"{state}.{intent}")) is not None:
                return label
        return base

    def phrases(self, flow: str, intent: str) -> tuple[str, ...]:
        """What callers say for ``intent`` in this language; () when nobody wrote it."""
        for overlay in self._overlays(flow):
            if intent in overlay.intents:
                return overlay.intents[intent]
        owner = self.library.flows.get(flow)
        if owner is None or intent not in owner.intents or not same_language(owner.language, self.language):
            return ()
        return owner.intents[intent].phrases

    def values(self, flow: str, variable: str, base: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        """A choice variable's phrases by value. Values without words here keep the flow's (keys still work)."""
        for overlay in self._overlays(flow):
            if variable in overlay.values:
                return {value: overlay.values[variable].get(value, phrases) for value, phrases in base.items()}
        return base

    def universal(self, name: str) -> tuple[str, ...]:
        """Phrases of human, repeat, help, back, goodbye, yes, no, or of a risk."""
        for overlay in self._overlays(UNIVERSALS_FILE):
            if name in overlay.intents:
                return overlay.intents[name]
        universals = self.library.universals
        if not same_language(universals.language, self.language):
            return ()
        if name in universals.risks:
            return universals.risks[name].phrases
        if name in ("yes", "no"):
            words: tuple[str, ...] = getattr(universals, name)
            return words
        found: tuple[str, ...] = getattr(universals, name).phrases
        return found

    def risk_keywords(self, name: str) -> tuple[str, ...]:
        for overlay in self._overlays(UNIVERSALS_FILE):
            if name in overlay.keywords:
                return overlay.keywords[name]
        universals = self.library.universals
        return universals.risks[name].keywords if same_language(universals.language, self.language) else ()

    def concepts(self) -> Mapping[str, tuple[str, ...]]:
        """The company's own words by what they mean, as this language has them."""
        for overlay in self._overlays(UNIVERSALS_FILE):
            if overlay.concepts:
                return overlay.concepts
        universals = self.library.universals
        return universals.concepts if same_language(universals.language, self.language) else {}


def at_count(tapered: TaperedPrompt, count: int) -> Prompt:
    """The prompt with the largest key that is not above ``count`` (VoiceXML 2.1, 6.1)."""
    fitting = [key for key in tapered if key <= max(count, 1)]
    return tapered[max(fitting)] if fitting else ()


def words_of(
    prompt: Prompt,
    *,
    prompt_id: str,
    count: int,
    seed: int,
    scope: Scope,
    look: Look,
    language: str,
    speaks: Callable[[str], bool] = lambda language: True,
) -> tuple[Words, ...]:
    """A prompt as words: conditions tested, a variant chosen by (seed, count), slots filled in.

    ``speaks``: whether the line has a voice for a language; items in one it hasn't are left out."""
    said: list[Words] = []
    for place, item in enumerate(prompt):
        if item.condition and not _holds(item.condition, scope):
            continue
        if item.language and not speaks(item.language):
            continue
        text = item.variants[(seed + count - 1 + place) % len(item.variants)] if item.variants else item.say
        fixed = "{" not in text
        text = text if fixed else interpolated(text, look, item.language or language)
        if text.strip() or item.audio:
            other = item.language if item.language != language else ""
            said.append(Words(text.strip(), item.audio, prompt_id, fixed, other))
    return tuple(said)


def _holds(condition: str, scope: Scope) -> bool:
    try:
        return parse_expression(condition).holds(scope)
    except ExpressionError:
        return False  # the checker refuses such a file; a prompt is not worth a call


def interpolated(text: str, look: Look, language: str) -> str:
    def fill(match: re.Match[str]) -> str:
        name, chosen, argument = match.group(1).strip(), match.group(2), match.group(3) or ""
        value = look(name)
        return filtered(value, chosen.strip(), argument, language) if chosen else labelled(value, language)

    return SLOT.sub(fill, text)


def labelled(value: object, language: str) -> str:
    """Any value as it is said."""
    match value:
        case None:
            return ""
        case SlotValue(label=label):
            return label
        case Term(label=label):
            return label
        case bool():
            return str(value).lower()
        case int():
            return number_words(value, language)
        case float():
            return f"{value:g}"
        case date():
            return date_words(value, language)
        case str():
            return value
        case Mapping():
            return labelled(value.get("label", value.get("title", value.get("text", ""))), language)
        case Sequence():
            return listed((labelled(item, language) for item in value), language)
    return str(value)


def filtered(value: object, name: str, argument: str, language: str) -> str:
    raw = value.value if isinstance(value, SlotValue) else value
    number = _whole(raw)
    match name:
        case "ordinal" if number is not None:
            return ordinal_words(number, language)
        case "number" if number is not None:
            return number_words(number, language)
        case "plural":
            one, _, many = argument.partition(",")
            if number is None and isinstance(raw, list | tuple):
                number = len(raw)
            noun = one if number == 1 else many or one
            return f"{number_words(number, language)} {noun.strip()}" if number is not None else noun.strip()
        case "list" if isinstance(raw, list | tuple):
            return listed((labelled(item, language) for item in raw), language, argument.strip())
        case "digits" if raw is not None:
            return digit_words("".join(c for c in str(raw) if c.isdecimal()), language)
        case "money" if number is not None:
            return money_words(number, language)
        case "date" if isinstance(raw, str | date):
            try:
                return date_words(raw if isinstance(raw, date) else date.fromisoformat(raw[:10]), language)
            except ValueError:
                return str(raw)
        case "spell":
            return spelt(labelled(raw, language) if not isinstance(raw, str) else raw)
    return labelled(value, language)


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 12:
        return int(value)
    return None
