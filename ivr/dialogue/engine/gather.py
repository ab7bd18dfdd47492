"""What the line waits for now: a question's grammar and keys, a confirmation's, "did you mean"'s, an action's."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ivr.dialogue.engine.compilation import answer_entries, correction_entries, entries, option_entries, yes_no_entries
from ivr.dialogue.engine.contract import Listen, Words
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.dtmf_input import INTERDIGIT_S, Entry, Keypad
from ivr.dialogue.understanding.grammar_compiler import Entry as PhraseEntry
from ivr.dialogue.understanding.grammar_compiler import Outline, StateGrammar
from ivr.dialogue.understanding.reading import Reading
from ivr.dialogue.understanding.slots import ChoiceSlot, Slot

DIGIT_HANGOVER_S = 0.8
YES_NO_KEYS = {"1": 0, "2": 1}


class Mode(StrEnum):
    QUESTION = "question"
    CONFIRM = "confirm"
    CHOOSE = "choose"  # did you mean A or B
    RESUME = "resume"
    GOODBYE = "goodbye"
    LANGUAGE = "language"  # heard with doubt, as is likely of a word in another language
    RUNNING = "running"  # an action
    STRANDED = "stranded"  # no human could be reached and the human flow is broken


@dataclass(slots=True)
class Listening:
    """``prompt`` is what "repeat" says. ``beneath`` is what a side question (CHOOSE, GOODBYE, LANGUAGE) returns to."""

    mode: Mode
    grammar: StateGrammar
    keypad: Keypad
    timeout_s: float | None
    hangover_s: float = 0.5
    hotword: bool = False
    token: int = 0
    prompt: tuple[Words, ...] = ()
    options: tuple[Reading, ...] = ()
    snapshot: Mapping[str, object] = field(default_factory=dict)
    beneath: Listening | None = None
    language: str = ""  # that LANGUAGE offers

    @property
    def base(self) -> Listening:
        """What is returned to: side questions don't pile up."""
        return self.beneath if self.beneath is not None else self

    def effect(self) -> Listen:
        """Single keys decide at once, unless a value is being keyed or a star waits for its second key."""
        patient = self.keypad.entry is not None and not self.keypad.entry.single
        return Listen(
            self.token,
            self.grammar.compiled,
            self.timeout_s,
            self.hangover_s,
            hotword=self.hotword,
            interdigit_s=INTERDIGIT_S if patient or self.keypad.waiting else 0.0,
        )


class Listener:
    """Builds Listenings for the state a conversation is in."""

    def __init__(self, conversation: Conversation) -> None:
        self._call = conversation

    def question(self) -> Listening:
        call, state = self._call, self._call.state
        active = tuple(index for index, choice in enumerate(state.choices) if call.holds(choice.condition))
        spec = call.variable(state.ask) if state.ask else None

        def build() -> Iterable[PhraseEntry]:
            for index in active:
                intent = state.choices[index].intent
                builtin = intent in ("yes", "no") and intent not in call.flow.intents
                phrases = call.words.universal(intent) if builtin else call.words.phrases(call.frame.flow, intent)
                yield from entries(intent, phrases, call.language)
            if spec is not None:
                kind = "choice" if spec.type == "boolean" else spec.type
                yield from answer_entries(state.ask, kind, call.language)

        grammar = self._grammar((call.here, active), build)
        picks = {state.choices[i].key: i for i in active if state.choices[i].key}
        defaults = call.flow.defaults
        hangover = state.hangover or defaults.hangover
        if spec is not None and spec.type == "digits" and state.hangover is None:
            hangover = max(hangover, DIGIT_HANGOVER_S)
        bargein = defaults.bargein if state.bargein is None else state.bargein
        return Listening(
            Mode.QUESTION,
            grammar,
            Keypad(call.shared.sequences(), picks, self.entry(state.ask) if state.ask else None),
            state.timeout or defaults.timeout,
            hangover,
            hotword=not bargein,
        )

    def entry(self, variable: str) -> Entry | None:
        """How a variable is keyed in; None for types that cannot be."""
        call = self._call
        spec, bound = call.variable(variable), call.slot(variable)
        if spec is None or bound is None:
            return None
        return Entry(bound[0], call.vocabulary_order(spec), call.today, call.language)

    def confirm(self, variables: Sequence[str]) -> Listening:
        """``variables``: those the action uses. One of each type may be corrected in the same breath."""
        call = self._call
        kinds: dict[str, list[str]] = {}
        for name in variables:
            spec = call.variable(name)
            if spec is not None and spec.type in ("title", "number", "ordinal", "digits", "date", "choice"):
                kinds.setdefault(spec.type, []).append(name)
        correctable = {names[0]: kind for kind, names in kinds.items() if len(names) == 1}

        def build() -> Iterable[PhraseEntry]:
            return [*yes_no_entries(call.words), *correction_entries(correctable, call.language)]

        grammar = self._grammar((call.here, "confirm", tuple(correctable)), build)
        return self._side(Mode.CONFIRM, grammar, YES_NO_KEYS)

    def yes_no(self, mode: Mode, *, beneath: Listening | None = None) -> Listening:
        call = self._call
        listening = self._side(mode, self._grammar("yes or no", lambda: yes_no_entries(call.words)), YES_NO_KEYS)
        listening.beneath = beneath
        return listening

    def choose(self, options: Sequence[Reading], labels: Sequence[str], beneath: Listening) -> Listening:
        call = self._call
        spoken = [self._ways(option, label) for option, label in zip(options, labels, strict=True)]
        grammar = self._grammar(
            ("choose", tuple(map(tuple, spoken))), lambda: option_entries(spoken, call.language), fleeting=True
        )
        listening = self._side(Mode.CHOOSE, grammar, {"1": 0, "2": 1, "3": 2})
        listening.options, listening.beneath = tuple(options), beneath
        return listening

    def running(self) -> Listening:
        listening = self._side(Mode.RUNNING, self._grammar("universals", list), {})
        listening.timeout_s, listening.hotword = None, True
        return listening

    def stranded(self) -> Listening:
        return self._side(Mode.STRANDED, self._grammar("universals", list), {})

    # -- parts ---------------------------------------------------------------------------------------------------

    def _side(self, mode: Mode, grammar: StateGrammar, picks: Mapping[str, int]) -> Listening:
        call = self._call
        state, defaults = call.state, call.flow.defaults
        timeout, hangover = state.timeout or defaults.timeout, state.hangover or defaults.hangover
        return Listening(mode, grammar, Keypad(call.shared.sequences(), picks), timeout, hangover)

    def _ways(self, option: Reading, label: str) -> list[str]:
        """How an option may be named: its label, the whole request, the spoken forms of its titles."""
        ways = [label, option.text]
        for value in option.meaning.slots.values():
            if isinstance(value.value, str) and value.label in label and (term := self._call.term(value.value)):
                ways += [term.label, *term.spoken]
        return list(dict.fromkeys(ways))

    def _grammar(
        self, key: Hashable, build: Callable[[], Iterable[PhraseEntry]], *, fleeting: bool = False
    ) -> StateGrammar:
        call = self._call
        if fleeting:
            return StateGrammar(Outline((*call.shared.universals(call.words), *build())), {}, call.language)
        outline = call.shared.outline(key, build, call.words)
        slots: dict[str, Slot] = {}
        identity: list[Hashable] = []
        for name in outline.slots:
            if (bound := call.slot(name)) is not None:
                slots[name] = bound[0]
                identity.append((name, bound[1]))
        return call.shared.grammar(outline, slots, tuple(identity), call.words)


def key_menu(call: Conversation, listening: Listening) -> tuple[Words, ...]:
    """The keys of a question, generated from its choices' labels and from what its variable takes; a human is last."""
    said: list[Words] = []
    if listening.mode in (Mode.CONFIRM, Mode.RESUME, Mode.GOODBYE, Mode.LANGUAGE):
        said += call.system("confirm_keys")
    elif listening.mode is Mode.CHOOSE:
        first, second = (option_label(call, listening.options, index) for index in (0, 1))
        said += call.system("did_you_mean_keys", first=first, second=second)
    elif listening.mode is Mode.QUESTION:
        for choice in call.state.choices:
            if choice.key and choice.label and call.holds(choice.condition):
                label = call.words.label(call.frame.flow, call.frame.state, choice.intent, choice.label)
                said += call.system("key_menu_item", label=call.filled_text(label), key=_key_name(call, choice.key))
        if listening.keypad.entry is not None:
            said += _entry_help(call, listening.keypad.entry)
    return (*said, *call.system("human_option"))


def _entry_help(call: Conversation, entry: Entry) -> list[Words]:
    slot = entry.slot
    if isinstance(slot, ChoiceSlot) and slot.type == "choice":
        said: list[Words] = []
        for place, value in enumerate(slot.phrases, 1):
            label = slot.value(value).label
            said += call.system("key_entry_choice", label=label, key=_key_name(call, str(place)))
        return said
    return list(call.system(f"key_entry_{slot.type}"))


def _key_name(call: Conversation, key: str) -> str:
    fitted = call.fitted(int(key), None)
    return fitted.label if fitted is not None else key


def option_label(call: Conversation, options: Sequence[Reading], index: int) -> str:
    """What tells one option from the other: the one slot they differ in, else the whole request."""
    mine, other = options[index].meaning, options[1 - index].meaning
    if mine.intent == other.intent and mine.slots.keys() == other.slots.keys():
        differing = [name for name in mine.slots if mine.slots[name].value != other.slots[name].value]
        if len(differing) == 1:
            return mine.slots[differing[0]].label
    return options[index].text
