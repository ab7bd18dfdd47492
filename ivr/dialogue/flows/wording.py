"""Wordings: prompts, phrases and labels by flow, language and persona, with {slots} and filters filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TypeVar

from ivr.dialogue.flows.expression import ExpressionError, Scope, parse_expression
from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary
from ivr.dialogue.flows.model import YES_NO, IntentSpec, Risk, Universal, Universals, Wording
from ivr.dialogue.flows.phrases import SlotValue
from ivr.dialogue.flows.prompt import Prompt, PromptItem, TaperedPrompt, items_of, prompt_texts
from ivr.dialogue.spoken.clock import minutes_of_iso, time_words
from ivr.dialogue.spoken.codes import code_words
from ivr.dialogue.spoken.durations import duration_words
from ivr.dialogue.spoken.language import same_language
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS, words_for
from ivr.dialogue.spoken.normalisation import (
    date_words,
    digit_words,
    fold,
    listed,
    money_words,
    number_words,
    ordinal_words,
    spelt,
)
from ivr.dialogue.spoken.phone import phone_number, phone_words
from ivr.events import Term

SLOT = re.compile(r"\{([^{}|]+)(?:\|([^{}:|]+)(?::([^{}|]*))?)?\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
MASK = "•••"
RISK_PROMPT = "risk."  # and the risk's name: the id of its question
FILTERS = frozenset({
    "ordinal", "number", "plural", "list", "digits", "phone", "date", "time", "duration", "money", "code", "spell",
    "label",
})  # fmt: skip

T = TypeVar("T")
Look = Callable[[str], object]
"""Name of a variable or fact -> SlotValue, a plain value, or None."""


@dataclass(frozen=True, slots=True)
class Words:
    """Something to say: the text as resolved; ``audio`` names a recording in audio/<language>/ that wins if present.

    ``language``: other than the call's; "" is the call's own. ``masked``: what may be kept and shown of a text that
    says something secret; None where it does not."""

    text: str
    audio: str = ""
    prompt_id: str = ""
    fixed: bool = False  # True when the text has no slots: rendered ahead, at start-up
    language: str = ""
    masked: str | None = None

    @property
    def shown(self) -> str:
        """The words as records, transcripts and logs have them."""
        return self.text if self.masked is None else self.masked


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

    def _translated(self, owner: str, words: Callable[[Wording], T | None]) -> T | None:
        """What the most particular overlay has; None where none has it."""
        return next((found for overlay in self._overlays(owner) if (found := words(overlay)) is not None), None)

    @property
    def _universals(self) -> Universals | None:
        """The universals, where their own words are in this language."""
        universals = self.library.universals
        return universals if same_language(universals.language, self.language) else None

    def voice(self, flow: str) -> str:
        own, general = (self._translated(o, lambda overlay: overlay.voice or None) for o in (flow, UNIVERSALS_FILE))
        return own or general or ""

    def prompt(self, flow: str, prompt_id: str, base: TaperedPrompt | None) -> TaperedPrompt:
        """The tapered prompt under ``prompt_id``; the flow's own words where nobody translated them."""
        return self._translated(flow, lambda overlay: overlay.prompts.get(prompt_id)) or base or {}

    def system(self, name: str) -> TaperedPrompt:
        risk = (
            self.library.universals.risks.get(name.removeprefix(RISK_PROMPT)) if name.startswith(RISK_PROMPT) else None
        )
        own = risk.question if risk is not None else self.library.universals.prompts.get(name, {})
        translated = self._translated(UNIVERSALS_FILE, lambda overlay: overlay.prompts.get(name))
        if prompt := translated or (self._universals and own):
            return prompt
        words = words_for(self.language).prompts.get(name)
        return {1: (PromptItem(say=words),)} if words else own

    def risk_label(self, name: str) -> str:
        """What a risk's question offers, as an option beside another; "" where nobody wrote it."""
        found = self._translated(UNIVERSALS_FILE, lambda overlay: overlay.labels.get(f"{RISK_PROMPT}{name}"))
        return found or (self._universals.risks[name].label if self._universals else "")

    def label(self, flow: str, state: str, intent: str, base: str) -> str:
        found = self._translated(flow, lambda overlay: overlay.labels.get(f"{state}.{intent}"))
        return base if found is None else found

    def phrases(self, flow: str, intent: str) -> tuple[str, ...]:
        """What callers say for ``intent`` in this language; () when nobody wrote it."""
        if (found := self._translated(flow, lambda overlay: overlay.intents.get(intent))) is not None:
            return found
        owner = self.library.flows.get(flow)
        if owner is None or intent not in owner.intents or not same_language(owner.language, self.language):
            return ()
        return owner.intents[intent].phrases

    def examples(self, flow: str, intent: str) -> tuple[str, ...]:
        """What else callers say for it, to learn from. ``flow`` may be the universals."""
        return self._taught(flow, intent, lambda overlay: overlay.examples.get(intent), lambda own: own.examples) or ()

    def contrast(self, flow: str, intent: str) -> Mapping[str, Sequence[str]]:
        """What is like it and isn't: by the intent that it is, "" for none."""
        found = self._taught(flow, intent, lambda overlay: overlay.contrast.get(intent), lambda own: own.contrast) or ()
        return found if isinstance(found, Mapping) else {"": found}

    def _taught(
        self,
        flow: str,
        intent: str,
        translated: Callable[[Wording], T | None],
        own: Callable[[IntentSpec | Universal | Risk], T],
    ) -> T | None:
        if (found := self._translated(flow, translated)) is not None:
            return found
        if flow == UNIVERSALS_FILE:
            spec = self._universals and (self._universals.risks.get(intent) or getattr(self._universals, intent, None))
            return own(spec) if isinstance(spec, Universal | Risk) else None
        owner = self.library.flows.get(flow)
        if owner is None or intent not in owner.intents or not same_language(owner.language, self.language):
            return None
        return own(owner.intents[intent])

    def values(self, flow: str, variable: str, base: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        """A choice variable's phrases by value. Values without words here keep the flow's (keys still work)."""
        found = self._translated(flow, lambda overlay: overlay.values.get(variable)) or {}
        return {**base, **{value: phrases for value, phrases in found.items() if value in base}}

    def universal(self, name: str) -> tuple[str, ...]:
        """Phrases of human, repeat, help, back, goodbye, yes, no, or of a risk."""
        found = self._translated(UNIVERSALS_FILE, lambda overlay: overlay.intents.get(name))
        if found is not None or self._universals is None:
            return found or ()
        spec: Universal | Risk | tuple[str, ...] = self._universals.risks.get(name) or getattr(self._universals, name)
        return spec if isinstance(spec, tuple) else spec.phrases

    @cached_property
    def answers(self) -> frozenset[tuple[str, ...]]:
        """The yes and the no of the universals, as comparable words."""
        return frozenset(fold(text, self.language) for name in YES_NO for text in self.universal(name))

    def risk_keywords(self, name: str) -> tuple[str, ...]:
        found = self._translated(UNIVERSALS_FILE, lambda overlay: overlay.keywords.get(name))
        if found is not None or self._universals is None:
            return found or ()
        return self._universals.risks[name].keywords

    def concepts(self) -> Mapping[str, tuple[str, ...]]:
        """The company's own words by what they mean, as this language has them."""
        found = self._translated(UNIVERSALS_FILE, lambda overlay: overlay.concepts or None)
        return found or (self._universals.concepts if self._universals else {})


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
    secrets: Collection[str] = (),
) -> tuple[Words, ...]:
    """A prompt as words: conditions tested, a variant chosen by (seed, count), slots filled in.

    ``speaks``: whether the line has a voice for a language; items in one it hasn't are left out. ``secrets``: the
    variables whose values are said, but never kept."""
    said: list[Words] = []
    for place, item in enumerate(prompt):
        if item.condition and not _holds(item.condition, scope):
            continue
        if item.language and not speaks(item.language):
            continue
        text = item.variants[(seed + count - 1 + place) % len(item.variants)] if item.variants else item.say
        fixed = "{" not in text
        masked = None if fixed else masking(text, look, item.language or language, secrets)
        text = text if fixed else interpolated(text, look, item.language or language)
        if text.strip() or item.audio:
            other = item.language if item.language != language else ""
            said.append(Words(text.strip(), item.audio, prompt_id, fixed, other, masked))
    return tuple(said)


def _holds(condition: str, scope: Scope) -> bool:
    try:
        return parse_expression(condition).holds(scope)
    except ExpressionError:
        return False  # the checker refuses such a file; a prompt is not worth a call


def fixed_words(
    library: FlowLibrary, language: str, persona: str, flows: Collection[str] | None = None
) -> tuple[tuple[Words, str], ...]:
    """(words, voice) pairs, each once, as Say effects will carry them; texts with {slots} are left out.

    Words with a ``language`` of their own are spoken in that. ``flows``: only what is said in these."""
    wordings = Wordings(library, language, persona)
    found: dict[tuple[str, str, str, str], tuple[Words, str]] = {}
    for owner, prompt_id, tapered in _prompts(library, wordings, library.flows if flows is None else flows):
        for prompt in tapered.values():
            for item in prompt:
                other = item.language if item.language != language else ""
                voice = (Wordings(library, other, persona) if other else wordings).voice(owner)
                for text in item.variants or (item.say,):
                    if (text.strip() or item.audio) and "{" not in text:
                        words = Words(text.strip(), item.audio, prompt_id, True, other)
                        found.setdefault((words.text, words.audio, voice, other), (words, voice))
    return tuple(found.values())


def _prompts(
    library: FlowLibrary, wordings: Wordings, flows: Collection[str]
) -> Iterator[tuple[str, str, TaperedPrompt]]:
    for name in flows:
        for sid, state in library.flows[name].states.items():
            for said in state.prompts():
                prompt_id = said.id_in(sid)
                yield name, f"{name}.{prompt_id}", wordings.prompt(name, prompt_id, said.prompt)
    for name in (*SYSTEM_PROMPTS, *(f"{RISK_PROMPT}{risk}" for risk in library.universals.risks)):
        for owner in (UNIVERSALS_FILE, *flows):  # the line speaks with the voice of the flow it is in
            yield owner, f"system.{name}", wordings.system(name)


def interpolated(text: str, look: Look, language: str) -> str:
    def fill(match: re.Match[str]) -> str:
        name, chosen, argument = match.group(1).strip(), match.group(2), match.group(3) or ""
        value = look(name)
        return filtered(value, chosen.strip(), argument, language) if chosen else labelled(value, language)

    return SLOT.sub(fill, text)


def masking(text: str, look: Look, language: str, secrets: Collection[str]) -> str | None:
    """``text`` filled in with a mask for what is secret; None when it names nothing secret."""
    if not any(name in secrets for name in names_in(text)):
        return None
    return SLOT.sub(
        lambda slot: MASK if slot.group(1).strip() in secrets else interpolated(slot.group(), look, language), text
    ).strip()


def names_in(text: str) -> Iterator[str]:
    """The variables and facts that a text's {slots} name."""
    for match in SLOT.finditer(text):
        yield match.group(1).strip()


def slots_in(text: str) -> Iterator[tuple[str, str, str]]:
    """(name, filter, "") for each slot of a text, or ("", "", what) for braces that are none."""
    for match in SLOT.finditer(text):
        name = match.group(1).strip()
        yield (name, (match.group(2) or "").strip(), "") if _NAME.fullmatch(name) else ("", "", match.group(0))
    if stray := re.search("[{}]", SLOT.sub("", text)):
        yield "", "", stray.group()


def slot_names(prompt: TaperedPrompt) -> set[str]:
    """The variables and facts a prompt names, in its texts and in its items' conditions."""
    found = {name for text, _ in prompt_texts(prompt) for name, _, _ in slots_in(text) if name}
    return found.union(*(_NAME.findall(item.condition) for item, _ in items_of(prompt)))


def labelled(value: object, language: str) -> str:
    """Any value as it is said."""
    match value:
        case None:
            return ""
        case SlotValue(label=label) | Term(label=label):
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
        case "phone" if raw is not None:
            try:
                return phone_words(phone_number(raw), language)
            except ValueError:
                return str(raw)
        case "money" if number is not None:
            return money_words(number, language)
        case "duration" if number is not None:
            return duration_words(number, language)
        case "code" if isinstance(raw, str):
            return code_words(raw, language)
        case "date" if isinstance(value, SlotValue) and value.label != raw:
            return value.label  # with its year where it is far off
        case "date" if isinstance(raw, str | date):
            try:
                return date_words(raw if isinstance(raw, date) else date.fromisoformat(raw[:10]), language)
            except ValueError:
                return str(raw)
        case "time" if isinstance(raw, str):
            try:
                return time_words(minutes_of_iso(raw), language)
            except ValueError:
                return raw
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
