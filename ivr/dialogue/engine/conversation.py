"""One call's state: the stack of flows, what is known and waited for, what was said. It only looks things up."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Literal

from ivr.dialogue.engine.compilation import Cursor, SpokenWordings, compiled
from ivr.dialogue.engine.contract import PLACE_FACTS, Start, Words
from ivr.dialogue.engine.effects import Outbox
from ivr.dialogue.engine.known_terms import KnownTerms
from ivr.dialogue.engine.next import Gather, Guess, Waiting
from ivr.dialogue.engine.reasons import Reasons
from ivr.dialogue.engine.variables import Frame, bound, fitted
from ivr.dialogue.flows.condition import leaves
from ivr.dialogue.flows.expression import parse_expression
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow, VariableSpec
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.state import State
from ivr.dialogue.flows.wording import at_count, interpolated, masking, words_of
from ivr.dialogue.spoken.language import served
from ivr.dialogue.understanding.attempts import Attempt
from ivr.dialogue.understanding.grammar import Reading, SlotValue
from ivr.dialogue.understanding.range_slots import NAMED, part_of
from ivr.dialogue.understanding.risk import Temper
from ivr.dialogue.understanding.slots import Slot, titled
from ivr.events import Recognition, Term
from ivr.identity import Identity
from ivr.record import NOTHING, Decided, Utterance

LONGEST_TRANSCRIPT = 1000  # entries; the oldest go first
CHOSEN = "call.language_chosen"  # the fact that the caller said or keyed which language to speak


_RENAMED = frozenset({
    "number", "ordinal", "digits", "phone", "date", "date_range", "time", "duration", "money", "code",
})  # fmt: skip
"""Types whose values are called otherwise in another language."""


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


class Conversation:
    """Everything about one call. ``gather`` is what is listened for, ``waiting`` what else is waited for, if anything.

    ``keys_led``: the key menu is said at once, since nothing can be understood in the call's language."""

    def __init__(self, library: FlowLibrary, start: Start) -> None:
        self.library = library
        self.start = start
        self.shared = compiled(library, start.classifiers)
        self.words: SpokenWordings = self.shared.wordings(start.language, start.persona)
        self.facts = start.known()
        self.outbox = Outbox()
        self.now = datetime(2000, 1, 1)  # until the call is answered
        # where
        self.stack = [Frame(start.entry)]
        self.cursor = Cursor()
        self.visits: dict[str, int] = {}
        self.steps = 0  # states entered since the last question
        # what it waits for
        self.gather: Gather | None = None
        self.waiting: Waiting | None = None
        self.done = False  # said goodbye, or came to an end
        # how it goes
        self.transcript: deque[Utterance] = deque(maxlen=LONGEST_TRANSCRIPT)
        self.tried: dict[int, str] = {}  # actions by token, and how each ended
        self.performed = 0  # how many
        self.failures = 0  # noinput and nomatch since the last progress
        self.kept: Recognition | None = None  # said while an action ran and nobody could take it up
        self.keyed_ahead = ""  # keyed before there was a question
        self.attempt: Attempt | None = None  # at a question, which may be asked again
        self.requests: tuple[Reading, ...] = ()  # understood at another question (two: close readings of one)
        self.temper = Temper()
        self.declined: set[str] = set()  # risks that the caller was asked about, and said no
        self.intent_doubt = False
        self.guess: Guess | None = None  # an inferred intent that nobody has been asked about yet
        self.request_open = False
        self.resolved = 0
        self.outcome = ""
        # a human
        self.reasons = Reasons()
        self.failing = False  # a failure of ours led here, and nothing was asked since
        self.said = ""  # by the caller, in this turn; masked where secret
        self.unreached = False  # nobody was to be had when last we tried
        self.unattended = 0  # times that this was so and the caller gave no sign
        self.left_at = ""  # where the caller was when a human was sent for
        self.left: tuple[Frame, ...] = ()  # and the flows that they were in
        # words and values
        self.deaf = start.keys_led  # whatever the language
        self.keys_led = start.keys_led or not self.hears(start.language)
        self.terms = KnownTerms(start.language)
        self._slots: dict[tuple[str, str, date, date | None], tuple[Slot, Hashable] | None] = {}
        self.learn({**start.vocabularies, **library.vocabularies})

    # -- the language -----------------------------------------------------------------------------------------

    def hears(self, language: str) -> bool:
        return not self.deaf and served(language, self.start.installed.recognised)

    def speaks(self, language: str) -> bool:
        return served(language, self.start.installed.spoken)

    def speak(self, language: str, persona: str) -> bool:
        """Go on in another language or manner: words, voice, grammars and what values are called. False where that
        changes nothing, or the line has no voice for it."""
        if (language, persona) == (self.words.language, self.words.persona) or not self.speaks(language):
            return False
        self.words = self.shared.wordings(language, persona)
        self.facts["call.language"] = language
        self.keys_led = not self.hears(language)
        self.terms.speak(language)
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
            case VariableSpec(type=kind) if kind in _RENAMED:
                return self.fitted(value.value, spec) or value
            case VariableSpec(type="choice") if isinstance(value.value, str):
                phrases = self.words.values(flow, name, spec.values).get(value.value, ())
                return SlotValue(value.value, phrases[0] if phrases else value.label)
        return value

    @property
    def scope(self) -> CallScope:
        """What expressions see of it."""
        return CallScope(self)

    # -- where -----------------------------------------------------------------------------------------------

    @property
    def language(self) -> str:
        return self.words.language

    @property
    def frame(self) -> Frame:
        return self.stack[-1]

    @property
    def flow(self) -> Flow:
        return self.library.flows[self.stack[-1].flow]

    @property
    def state(self) -> State:
        frame = self.stack[-1]
        return self.library.flows[frame.flow].states[frame.state]

    @property
    def here(self) -> str:
        return f"{self.stack[-1].flow}.{self.stack[-1].state}"

    @property
    def in_human_flow(self) -> bool:
        return self.stack[0].flow == self.library.universals.human_flow

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def identity(self) -> Identity:
        """How surely it is known who calls."""
        return Identity.of(self.facts)

    # -- what it waits for ---------------------------------------------------------------------------------------

    def progress(self) -> None:
        """Something new is asked: failures are counted from here."""
        self.failures = self.steps = 0
        self.failing = False

    def let_go(self, *, for_good: bool = False) -> None:
        """Wait for nothing any more; late answers will find nobody. ``for_good``: nor does the caller come back."""
        waiting, self.gather, self.waiting = self.waiting, None, None
        if waiting is not None and (effect := waiting.given_up(for_good=for_good)) is not None:
            self.outbox.put(effect)

    def denied(self) -> None:
        """The caller said no to what their last answer was taken for: it isn't offered again."""
        self.attempt = self.attempt.denying() if self.attempt is not None else None

    # -- what is secret -----------------------------------------------------------------------------------------

    @property
    def secrets(self) -> frozenset[str]:
        """The current flow's variables, and the facts, that no record may show."""
        return self.shared.secrets[self.frame.flow]

    @property
    def in_private(self) -> bool:
        """Whether a secret was asked for last: until something else is asked, callers may say or key it again."""
        frame = next((frame for frame in reversed(self.stack) if frame.asked), None)
        if frame is None:
            return False
        latest = self.library.flows[frame.flow].states[frame.asked[-1].state]
        return latest.ask in self.shared.secrets[frame.flow]

    def hides(self, *readings: Reading | None) -> bool:
        """Whether any of these fills a secret variable, of this flow or of one that called it."""
        secrets = frozenset[str]().union(*(self.shared.secrets[frame.flow] for frame in self.stack))
        filled = {
            name.rpartition(".")[2] for reading in readings if reading is not None for name in reading.meaning.slots
        }
        return not secrets.isdisjoint(filled)

    # -- what is known ------------------------------------------------------------------------------------------

    def look(self, name: str) -> object:
        """A variable of the current flow, else a fact; None when neither is there."""
        if (value := self.frame.variables.get(name)) is not None:
            return value
        if (part := self._part(name)) is not None:
            return part
        if name in PLACE_FACTS and self.start.place_source is not None:
            return self.start.place_source(self.facts, self.start.call_id).get(name)
        if self.start.fact_source is not None and "." in name:
            found = self.start.fact_source(name)
            if found is not None:
                return found
        return self._fact(name)

    def _part(self, name: str) -> SlotValue | None:
        """What a range also tells: "stay.nights"."""
        whole, _, part = name.rpartition(".")
        value = self.frame.variables.get(whole)
        if value is None or name not in self.flow.parts:
            return None
        return part_of(str(value.value), part, self.language)

    def _fact(self, name: str) -> object:
        """With a label to say it, where the company file gives it a type."""
        value, company = self.facts.get(name), self.library.company
        spec = company.facts.get(name) if company is not None else None
        if spec is None or value in (None, ""):
            return value
        return fitted(value, spec.type, self.language, self.terms.term)

    def variable(self, name: str, flow: str = "") -> VariableSpec | None:
        owner = self.library.flows[flow or self.frame.flow]
        return owner.variables.get(name) or owner.parameters.get(name)

    def fitted(self, value: object, spec: VariableSpec | None) -> SlotValue | None:
        """Any value as a slot's: with a label to say it back. Never raises; what does not fit is text."""
        found = fitted(value, spec.type if spec is not None else "text", self.language, self.terms.term)
        if spec is None or found is None or found is value or spec.type not in ("date", "date_range"):
            return found
        days = bound(spec, ("", ""), self.words, self.terms.lexicon, self.today)
        return days[0].named(found) if days is not None and isinstance(days[0], NAMED) else found

    # -- words ------------------------------------------------------------------------------------------------------

    def own(self, part: str, base: TaperedPrompt | None, count: int = 1) -> tuple[Words, ...]:
        """The current state's prompt; ``part`` is "" for its main one, else "help", "on.ok", …"""
        prompt_id = f"{self.frame.state}.{part}" if part else self.frame.state
        prompt = self.words.prompt(self.frame.flow, prompt_id, base)
        return self._resolved(prompt, f"{self.frame.flow}.{prompt_id}", count)

    def system(self, name: str, count: int = 1, *, secret: bool = False, **values: str) -> tuple[Words, ...]:
        """One of the line's own prompts, with ``values`` for its braces; ``secret`` when these are."""
        return self._resolved(
            self.words.system(name), f"system.{name}", count, values, secrets=values if secret else ()
        )

    def system_in(self, language: str, name: str) -> tuple[Words, ...]:
        """One of the line's own prompts in another language, by a voice of that."""
        prompt = self.shared.wordings(language, self.words.persona).system(name)
        said = self._resolved(prompt, f"system.{name}", 1, language=language)
        return tuple(replace(words, language=language) for words in said)

    def _resolved(
        self,
        prompt: TaperedPrompt,
        prompt_id: str,
        count: int,
        values: Mapping[str, str] = NOTHING,
        language: str = "",
        secrets: Collection[str] = (),
    ) -> tuple[Words, ...]:
        return words_of(
            at_count(prompt, count),
            prompt_id=prompt_id,
            count=count,
            seed=self.start.seed,
            scope=self.scope,
            look=(lambda wanted: values.get(wanted, self.look(wanted))) if values else self.look,
            language=language or self.language,
            speaks=self.speaks,
            secrets=(*secrets, *self.secrets),
        )

    @property
    def visit(self) -> int:
        """Which visit to the current state this is, from 1 on: tapered prompts count by it."""
        return max(1, self.visits.get(self.here, 1))

    def filled_text(self, text: str) -> str:
        """A reason, a skill or a label, which others than the caller see: what is secret is masked."""
        masked = masking(text, self.look, self.language, self.secrets)
        return masked if masked is not None else interpolated(text, self.look, self.language)

    def say(self, words: Sequence[Words], *, bargein: bool = True) -> None:
        for piece in words:
            language = piece.language or self.language
            spoken = self.words if language == self.language else self.shared.wordings(language, self.words.persona)
            self.outbox.say(piece, bargein=bargein, language=language, voice=spoken.voice(self.frame.flow))

    def count_visit(self) -> None:
        self.visits[self.here] = self.visits.get(self.here, 0) + 1

    def prompt(self) -> None:
        """Say what the current state says first."""
        state = self.state
        bargein = self.flow.defaults.bargein if state.bargein is None else state.bargein
        self.say(self.own("", state.prompt, self.visit), bargein=bargein)

    def arrive(self) -> None:
        """One more visit to the current state: it says its prompt."""
        self.count_visit()
        self.prompt()

    def transcribe(
        self, by: Literal["prompt", "heard", "key"], text: str, intent: str = "", unsure: tuple[str, ...] = ()
    ) -> None:
        self.transcript.append(Utterance(by, text, self.here, intent, unsure))

    # -- slots ------------------------------------------------------------------------------------------------------

    def learn(self, vocabularies: Mapping[str, tuple[Term, ...]]) -> None:
        self.terms.learn(vocabularies)
        self._slots.clear()

    def slot(self, name: str) -> tuple[Slot, Hashable] | None:
        """A variable ("name" of the current flow, "flow.name" of another) as something to be spoken, and what tells
        this binding from another."""
        flow, _, name = name.rpartition(".")
        begun = None if flow else self.frame.begun(name)
        key = (flow or self.frame.flow, name, self.today, begun)
        if key not in self._slots:
            spec = self.variable(name, flow)
            self._slots[key] = None if spec is None else self._bound(spec, key[:2], begun)
        return self._slots[key]

    def _bound(self, spec: VariableSpec, name: tuple[str, str], begun: date | None) -> tuple[Slot, Hashable] | None:
        caller = str(self.facts.get("call.caller") or "")
        return bound(spec, name, self.words, self.terms.lexicon, self.today, begun, caller)

    def vocabulary_order(self, spec: VariableSpec) -> tuple[SlotValue, ...]:
        """The titles of a variable's first vocabulary, in the order the caller hears them."""
        return tuple(titled(term) for term in self.terms.by_name.get((spec.vocabularies or ("",))[0], ()))

    def names_in(self, value: object) -> frozenset[str]:
        """What a value in a file draws on, also inside lists and mappings."""
        texts = [text for text, _ in leaves(value, ()) if isinstance(text, str)]
        named = frozenset[str]().union(*(parse_expression(text).names for text in texts))
        return frozenset(map(self.whole, named))

    def whole(self, name: str) -> str:
        """The range that ``name`` is a part of ("stay.nights"); else the name itself."""
        return name.rpartition(".")[0] if name in self.flow.parts else name

    def optional(self, text: object) -> bool:
        """Whether a value that isn't known is left out."""
        return isinstance(text, str) and parse_expression(text).optional

    def doubts(self, value: object) -> bool:
        """Whether an expression draws on anything heard with doubt."""
        return not self.frame.doubtful.isdisjoint(self.names_in(value))

    def holds(self, condition: str) -> bool:
        """Whether an ``if`` does; no condition always does."""
        return not condition or parse_expression(condition).holds(self.scope)

    def assign(self, values: Mapping[str, object]) -> None:
        """Set variables of the current flow, to literals or by expressions; doubt passes on."""
        for name, value in values.items():
            self.frame.fill(name, self.fitted(self.evaluate(value), self.variable(name)), doubt=self.doubts(value))

    def evaluate(self, value: object) -> object:
        """A value in a file: texts are expressions, a bare name keeps its label; anything else is itself."""
        if not isinstance(value, str):
            return value
        expression = parse_expression(value)
        return self.look(expression.bare) if expression.bare in expression.names else expression.evaluate(self.scope)
