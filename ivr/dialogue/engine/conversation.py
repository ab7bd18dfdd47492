"""One call's state: the stack of flows, what is known, what was said. No behaviour beyond looking things up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from ivr.dialogue.engine.compilation import Compilation
from ivr.dialogue.engine.contract import Words
from ivr.dialogue.engine.cursor import Cursor, Frame
from ivr.dialogue.engine.outbox import Outbox
from ivr.dialogue.flows.expression import parse_expression
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow, State, TaperedPrompt, VariableSpec
from ivr.dialogue.flows.wording import Wordings, at_count, interpolated, labelled, words_of
from ivr.dialogue.spoken.numerals import digit_words
from ivr.dialogue.spoken.tags import served
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.lexicon import Lexicon, Vocabulary, lexicon
from ivr.dialogue.understanding.risk import Temper
from ivr.dialogue.understanding.slots import (
    ChoiceSlot,
    DateSlot,
    DigitSlot,
    NumberSlot,
    Slot,
    TitleSlot,
    counted,
    dated,
    titled,
)
from ivr.events import Term
from ivr.record import Decided, Utterance

LONGEST_TRANSCRIPT = 1000  # entries; the oldest go first
SHORT_LIST = 200  # terms
MASK = "•••"
CHOSEN = "call.language_chosen"  # the fact that the caller said or keyed which language to speak


class CallScope(Mapping[str, object]):
    """What expressions see: the current flow's variables by name, facts by dotted name. Missing ones are None."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __getitem__(self, name: str) -> object:
        value = self._conversation.look(name)
        return value.value if isinstance(value, SlotValue) else value

    def get(self, name: str, default: object = None) -> object:
        value = self[name]
        return default if value is None else value

    def __iter__(self) -> Iterator[str]:
        return iter((*self._conversation.frame.variables, *self._conversation.facts))

    def __len__(self) -> int:
        return len(self._conversation.frame.variables) + len(self._conversation.facts)


@dataclass(slots=True)
class HandoffNeed:
    """Why a human is wanted, as told by the edge, risk or universal that led there."""

    reason: str = ""
    skill: str = ""
    priority: int | None = None


@dataclass
class Conversation:
    library: FlowLibrary
    shared: Compilation
    words: Wordings
    call_id: str
    seed: int
    keys_led: bool  # the key menu is said at once: nothing can be understood in the call's language
    facts: dict[str, object]
    fact_source: Callable[[str], object] | None
    vocabularies: dict[str, tuple[Term, ...]]
    outbox: Outbox
    stack: list[Frame]
    now: datetime | None = None
    cursor: Cursor = field(default_factory=Cursor)
    visits: dict[str, int] = field(default_factory=dict)
    transcript: deque[Utterance] = field(default_factory=lambda: deque(maxlen=LONGEST_TRANSCRIPT))
    tried: dict[int, str] = field(default_factory=dict)
    temper: Temper = field(default_factory=Temper)
    need: HandoffNeed = field(default_factory=HandoffNeed)
    intent_doubt: bool = False
    request_open: bool = False
    resolved: int = 0
    outcome: str = ""
    left_at: str = ""  # where the caller was when a human was sent for
    steps: int = 0  # states entered since the last question
    recognised: Collection[str] | None = None  # languages that recognisers serve; None: any
    spoken: Collection[str] | None = None  # languages that synthesisers serve; None: any
    deaf: bool = False  # whatever the language

    def __post_init__(self) -> None:
        self.scope = CallScope(self)
        self.keys_led = self.keys_led or not self.hears(self.language)
        self._lexicons: dict[str, Lexicon] = {}
        self._slots: dict[tuple[str, str, date], tuple[Slot, Hashable] | None] = {}

    # -- the language -----------------------------------------------------------------------------------------

    def hears(self, language: str) -> bool:
        return not self.deaf and served(language, self.recognised)

    def speaks(self, language: str) -> bool:
        return served(language, self.spoken)

    def speak(self, language: str, persona: str) -> bool:
        """Go on in another language or manner: words, voice, grammars and what values are called. False where that
        changes nothing, or the line has no voice for it."""
        if (language, persona) == (self.words.language, self.words.persona) or not self.speaks(language):
            return False
        self.words = self.shared.wordings(language, persona)
        self.outbox.language = self.facts["call.language"] = language
        self.keys_led = not self.hears(language)
        self._lexicons.clear()
        self._slots.clear()
        for frame in self.stack:
            for name, value in frame.variables.items():
                frame.variables[name] = self._renamed(frame.flow, name, value)
        self.outbox.record(Decided("language", language, {"persona": persona, "keys_led": self.keys_led}))
        return True

    def _renamed(self, flow: str, name: str, value: SlotValue) -> SlotValue:
        """A value as it is called in the language now spoken; titles and texts keep their names."""
        spec = self.variable(name, flow)
        match spec:
            case VariableSpec(type="number" | "ordinal" | "digits" | "date"):
                return self.fitted(value.value, spec) or value
            case VariableSpec(type="choice") if isinstance(value.value, str):
                phrases = self.words.values(flow, name, spec.values).get(value.value, ())
                return SlotValue(value.value, phrases[0] if phrases else value.label)
        return value

    # -- where -----------------------------------------------------------------------------------------------

    @property
    def language(self) -> str:
        return self.words.language

    @property
    def frame(self) -> Frame:
        return self.stack[-1]

    @property
    def flow(self) -> Flow:
        return self.library.flows[self.frame.flow]

    @property
    def state(self) -> State:
        return self.flow.states[self.frame.state]

    @property
    def here(self) -> str:
        return f"{self.frame.flow}.{self.frame.state}" if self.stack else ""

    @property
    def today(self) -> date:
        return self.now.date() if self.now is not None else date(2000, 1, 1)

    # -- what is known ------------------------------------------------------------------------------------------

    def look(self, name: str) -> object:
        """A variable of the current flow, else a fact; None when neither is there."""
        if self.stack and (value := self.frame.variables.get(name)) is not None:
            return value
        if self.fact_source is not None and "." in name:
            found = self.fact_source(name)
            if found is not None:
                return found
        return self.facts.get(name)

    def variable(self, name: str, flow: str = "") -> VariableSpec | None:
        owner = self.library.flows[flow or self.frame.flow]
        return owner.variables.get(name) or owner.parameters.get(name)

    def fitted(self, value: object, spec: VariableSpec | None) -> SlotValue | None:
        """Any value as a slot's: with a label to say it back. Never raises; what does not fit is text."""
        match value:
            case None:
                return None
            case SlotValue():
                return value
            case Term():
                return titled(value)
        kind = spec.type if spec is not None else "text"
        if isinstance(value, list | tuple | Mapping):
            return _composite(value, self.language)
        if kind in ("number", "ordinal") and isinstance(value, int) and not isinstance(value, bool):
            return counted(value, self.language, kind == "ordinal")
        if kind == "digits":
            return SlotValue(str(value), digit_words(str(value), self.language))
        if kind == "date":
            try:
                return dated(date.fromisoformat(str(value)[:10]), self.language)
            except ValueError:
                return SlotValue(str(value), str(value))
        if isinstance(value, str) and kind in ("title", "text") and (term := self.term(value)) is not None:
            return titled(term)
        if isinstance(value, str | int | float | bool):
            return SlotValue(value, labelled(value, self.language))
        return SlotValue(str(value), str(value))

    def term(self, term_id: str) -> Term | None:
        for name in self.vocabularies:
            if (term := self._lexicon(name).by_id.get(term_id)) is not None:
                return term
        return None

    # -- words ------------------------------------------------------------------------------------------------------

    def resolve(self, prompt: TaperedPrompt, prompt_id: str, count: int = 1) -> tuple[Words, ...]:
        return words_of(
            at_count(prompt, count),
            prompt_id=prompt_id,
            count=count,
            seed=self.seed,
            scope=self.scope,
            look=self.look,
            language=self.language,
            speaks=self.speaks,
        )

    def own(self, part: str, base: TaperedPrompt | None, count: int = 1) -> tuple[Words, ...]:
        """The current state's prompt; ``part`` is "" for its main one, else "help", "on.ok", …"""
        prompt_id = f"{self.frame.state}.{part}" if part else self.frame.state
        prompt = self.words.prompt(self.frame.flow, prompt_id, base)
        return self.resolve(prompt, f"{self.frame.flow}.{prompt_id}", count)

    def system(self, name: str, count: int = 1, **values: str) -> tuple[Words, ...]:
        """One of the line's own prompts, with ``values`` for its braces."""
        prompt = at_count(self.words.system(name), count)
        return words_of(
            prompt,
            prompt_id=f"system.{name}",
            count=count,
            seed=self.seed,
            scope=self.scope,
            look=lambda wanted: values.get(wanted, self.look(wanted)),
            language=self.language,
            speaks=self.speaks,
        )

    def system_in(self, language: str, name: str) -> tuple[Words, ...]:
        """One of the line's own prompts in another language, by a voice of that."""
        prompt = at_count(self.shared.wordings(language, self.words.persona).system(name), 1)
        return tuple(
            replace(words, language=language)
            for words in words_of(
                prompt,
                prompt_id=f"system.{name}",
                count=1,
                seed=self.seed,
                scope=self.scope,
                look=self.look,
                language=language,
                speaks=self.speaks,
            )
        )

    def filled_text(self, text: str) -> str:
        return interpolated(text, self.look, self.language)

    def say(self, words: Sequence[Words], *, bargein: bool = True) -> None:
        self.outbox.say(words, bargein=bargein, voice=self._voice)

    def _voice(self, language: str) -> str:
        words = self.words if language == self.language else self.shared.wordings(language, self.words.persona)
        return words.voice(self.frame.flow) if self.stack else ""

    def transcribe(self, by: Literal["prompt", "heard", "key"], text: str, intent: str = "") -> None:
        self.transcript.append(Utterance(by, text, self.here, intent))

    # -- slots ------------------------------------------------------------------------------------------------------

    def learn(self, vocabularies: Mapping[str, tuple[Term, ...]]) -> None:
        for name, terms in vocabularies.items():
            self.vocabularies[name] = tuple(terms)
            self._lexicons.pop(name, None)
            self._slots.clear()

    def _lexicon(self, name: str) -> Lexicon:
        if name not in self._lexicons:
            self._lexicons[name] = lexicon(_settled(self.vocabularies.get(name, ())), self.language)
        return self._lexicons[name]

    def slot(self, name: str) -> tuple[Slot, Hashable] | None:
        """A variable of the current flow as something to be spoken, and what tells this binding from another."""
        key = (self.frame.flow, name, self.today)
        if key not in self._slots:
            self._slots[key] = self._slot(name)
        return self._slots[key]

    def _slot(self, name: str) -> tuple[Slot, Hashable] | None:
        spec = self.variable(name)
        if spec is None:
            return None
        low, high = spec.minimum, spec.maximum
        match spec.type:
            case "title":
                lexicons = [self._lexicon(source) for source in spec.vocabularies]
                return TitleSlot(Vocabulary(lexicons)), tuple(lexicons)
            case "number" | "ordinal":
                least = 1 if spec.type == "ordinal" else 0
                slot = NumberSlot(least if low is None else low, high, self.language, spec.type)
                return slot, (spec.type, slot.minimum, high)
            case "digits":
                shortest, longest = _lengths(spec.length)
                return DigitSlot(shortest, longest, self.language), (shortest, longest)
            case "date":
                return DateSlot(self.today, self.language), self.today
            case "boolean":
                both: dict[str | bool, tuple[str, ...]] = {
                    True: self.words.universal("yes"),
                    False: self.words.universal("no"),
                }
                return ChoiceSlot(both, self.language, "boolean"), "boolean"
            case "choice":
                values: dict[str | bool, tuple[str, ...]] = {}
                values.update(self.words.values(self.frame.flow, name, spec.values).items())
                return ChoiceSlot(values, self.language), (self.frame.flow, name)
        return None

    def vocabulary_order(self, spec: VariableSpec) -> tuple[SlotValue, ...]:
        """The titles of a variable's first vocabulary, in the order the caller hears them."""
        return tuple(titled(term) for term in self.vocabularies.get((spec.vocabularies or ("",))[0], ()))

    def names_in(self, text: object) -> frozenset[str]:
        return parse_expression(text).names if isinstance(text, str) else frozenset()

    def holds(self, condition: str) -> bool:
        """Whether an ``if`` does; no condition always does."""
        return not condition or parse_expression(condition).holds(self.scope)

    def evaluate(self, value: object) -> object:
        """A value in a file: texts are expressions, a bare name keeps its label; anything else is itself."""
        if not isinstance(value, str):
            return value
        expression = parse_expression(value)
        return self.look(expression.bare) if expression.bare in expression.names else expression.evaluate(self.scope)


def _settled(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Short lists in an order of their own, so that reordering a queue compiles nothing anew."""
    return tuple(sorted(terms, key=lambda term: term.id)) if len(terms) <= SHORT_LIST else terms


def _lengths(length: int | tuple[int, int] | None) -> tuple[int, int]:
    if length is None:
        return 1, 20
    return (length, length) if isinstance(length, int) else length


def _composite(value: object, language: str) -> SlotValue:
    """Lists and mappings from actions are kept whole for filters; SlotValue's declared types are what is spoken."""
    return SlotValue(value, labelled(value, language))  # type: ignore[arg-type]
