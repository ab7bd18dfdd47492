"""Carries out what the Dialogue wants and tells it what came of that: what the conductor does for the phone.

No audio and no clock: speech arrives as text, time is what the simulation says it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.call.resume_points import RESUME_WITHIN
from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    Connect,
    DialogueEvent,
    Effect,
    End,
    HandoffDone,
    Listen,
    LoadResume,
    Perform,
    Record,
    ResumeLoaded,
    Said,
    Say,
    Start,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError, IvrError
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall
from ivr.record import Ended, Entry, HandedOver, Happening, Performed, ResumeAsked, Understood
from ivr.workshop.simulate.room import Backroom

MOST_EVENTS = 2000  # without the caller doing anything: more never comes to rest
PARTS = ("recogniser", "synthesiser", "store", "agent")
ACTION = "action:"
DESK = "desk"
DOUBT = 0.6


class CallOver(IvrError):
    """The caller said or did something after the line had hung up."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a simulated call begins. ``at`` is aware; ``seed`` chooses among prompt variants."""

    at: datetime
    caller: str = "5035550101"
    called: str = "5035550199"
    entry: str = "main"
    language: str = "en-US"
    persona: str = "neutral"
    keys_led: bool = False
    seed: int = 0
    name: str = "call"  # call ids begin with it; on a database that is kept, no two simulations may share one


class Driver:
    """A simulated call's state, and the loop that drives its dialogue until it waits for the caller."""

    def __init__(self, library: FlowLibrary, room: Backroom, setting: Setting) -> None:
        self.library = library
        self.setting = setting
        self.now = setting.at
        self._room = room
        self._calls = 0
        self._begun = False
        self._new: list[Entry] = []
        self._listen: Listen | None = None
        self._labels: Mapping[str, str] = {}
        self.entries: list[Entry] = []
        self.said: list[str] = []  # by the line, since the caller's last act
        self.heard = Understood()  # the caller's last utterance, as understood
        self.performed: list[str] = []
        self.broken: set[str] = set()
        self.answers: dict[str, ActionResult] = {}  # by action, or "desk": instead of what would come of it
        self.connected: Connect | None = None
        self.outcome = ""  # once the line has hung up, or the caller has
        self.events = 0  # that the dialogue handled
        self._dialogue = self._new_dialogue()

    # -- what is the case ----------------------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        return f"{self.setting.name}-{max(self._calls, 1)}"

    @property
    def dialogue(self) -> Dialogue:
        return self._dialogue

    @property
    def state(self) -> str:
        return self._dialogue.state

    @property
    def slots(self) -> Mapping[str, object]:
        return self._dialogue.slots

    def label(self, slot: str, value: object) -> str:
        """A slot's value as it would be said: terms of vocabularies by their names."""
        flows = self.library.flows.values()
        specs = (spec for flow in flows for spec in (flow.variables.get(slot), flow.parameters.get(slot)))
        if any(spec is not None and spec.type == "title" for spec in specs):
            return self._labels.get(str(value), str(value))
        return str(value)

    @property
    def facts(self) -> Mapping[str, object]:
        return self._dialogue.facts

    @property
    def listening(self) -> Listen | None:
        """The grammar and timers in force; None while nobody listens."""
        return self._listen

    @property
    def over(self) -> bool:
        """The line is silent: it or the caller has hung up."""
        return bool(self.outcome) and self.connected is None

    @property
    def result(self) -> str:
        """ "connected", the end's outcome, or "" while the call goes on."""
        return "connected" if self.connected is not None else self.outcome

    # -- driving the dialogue ------------------------------------------------------------------------------------

    async def feed(self, event: DialogueEvent) -> None:
        """Any event there is, and all that follows from it; the entries come with the next call."""
        self.events += 1
        await self._rest(self._dialogue.handle(event, self.now))

    def _new_dialogue(self, vocabularies: Mapping[str, tuple[Term, ...]] | None = None) -> Dialogue:
        setting = self.setting
        start = Start(
            self.call_id,
            entry=setting.entry,
            language=setting.language,
            persona=setting.persona,
            caller=setting.caller,
            called=setting.called,
            vocabularies=vocabularies or {},
            fact_source=self._room.fact,
            seed=setting.seed,
            keys_led=setting.keys_led,
        )
        return Dialogue(self.library, start)

    async def _vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        try:
            return await self._room.vocabularies()
        except IvrError:
            return {}

    async def _rest(self, effects: Sequence[Effect]) -> None:
        """Carry out effects, and what comes of them, until the line waits for the caller."""
        answers: deque[DialogueEvent] = deque()
        for _ in range(MOST_EVENTS):
            for effect in effects:
                answer = await self._carry_out(effect)
                if answer is not None:
                    answers.append(answer)
                    if isinstance(answer, ActionDone) and answer.result.outcome == "timeout":
                        answers.insert(len(answers) - 1, ActionSlow(answer.token))
            if not answers:
                return
            self.events += 1
            effects = self._dialogue.handle(answers.popleft(), self.now)
        raise FlowError(f"{self.state}: the dialogue never comes to rest", remedy="ivr flow check finds the circle")

    async def _carry_out(self, effect: Effect) -> DialogueEvent | None:
        match effect:
            case Record(what):
                if isinstance(what, Understood):
                    self.heard = what
                self._entry(what)
            case Say(token=token, words=words):
                self.said.extend(w.text for w in words)
                return Said(token)
            case Listen():
                self._listen = effect
            case Perform():
                return ActionDone(effect.token, await self._perform(effect))
            case Connect():
                return HandoffDone(effect.token, self._connect(effect))
            case LoadResume(token=token, caller_id=caller_id):
                found = await self._room.take_place(caller_id, self.now - RESUME_WITHIN)
                self._entry(ResumeAsked(found is not None))
                return ResumeLoaded(token, found)
            case End(outcome=outcome):
                self._ended(outcome)
        return None

    async def _perform(self, perform: Perform) -> ActionResult:
        name = perform.name
        self.performed.append(name)
        error = ""
        if f"{ACTION}{name}" in self.broken:
            result = ActionResult("failed")
        elif name in self.answers:
            result = self.answers[name]
        else:
            call = ActionCall(
                name=name,
                arguments=perform.arguments,
                key=perform.key,
                call_id=self.call_id,
                facts=self._dialogue.facts,
                language=str(self.facts.get("call.language", "en-US")),
            )
            try:
                result = await self._room.perform(call)
            except IvrError as failure:
                result, error = ActionResult("failed"), str(failure)
        arguments, values = dict(perform.arguments), dict(result.values)
        self._entry(Performed(name, result.outcome, error=error, arguments=arguments, values=values))
        return result

    def _connect(self, connect: Connect) -> str:
        destinations = self._room.destinations(connect.skill)
        if DESK in self.answers:
            outcome = self.answers[DESK].outcome
        elif not destinations:
            outcome = "closed"
        else:
            outcome = "failed" if "agent" in self.broken else "connected"
        destination = ""
        if outcome == "connected":
            self.connected = connect
            self._listen = None
            destination = destinations[0].name if destinations else ""
        tried = tuple(self._dialogue.tried)
        self._entry(HandedOver(destination, connect.reason, connect.skill, connect.priority, outcome, tried))
        return outcome

    def _ended(self, outcome: str) -> None:
        self.outcome, self._listen = outcome, None
        self._entry(Ended(outcome))

    def _entry(self, what: Happening) -> None:
        entry = Entry(what, self.now, self._dialogue.state if self._begun else "")
        self._new.append(entry)
        self.entries.append(entry)

    def _taken(self) -> Sequence[Entry]:
        new, self._new = self._new, []
        return new
