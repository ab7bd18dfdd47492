"""The driver of a simulated call's dialogue: carries out its effects and tells it what came of them.

What the conductor does for the phone, without audio or clock: speech arrives as text, time is as the simulation says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ivr.actions.http import NAME as HTTP
from ivr.call.journal import RESUME_WITHIN
from ivr.dialogue.engine.contract import (
    PLACE_KEPT,
    PLACE_POSITION,
    ActionDone,
    ActionSlow,
    AgentComing,
    AskPlace,
    Connect,
    DialogueEvent,
    Disconnect,
    Effect,
    End,
    HandoffDone,
    Listen,
    LoadResume,
    Perform,
    PlaceTold,
    Record,
    ResumeLoaded,
    Said,
    Say,
    Start,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.wording import MASK
from ivr.errors import FlowError, IvrError
from ivr.events import RECORDING_ON, ActionResult, Term
from ivr.ports import ActionCall
from ivr.record import CallerActed, Ended, Entry, HandedOver, Happening, Keyed, Performed, ResumeAsked, Understood
from ivr.workshop.simulate.mock_services import Exchange
from ivr.workshop.simulate.sandbox import Sandbox

MOST_EVENTS = 2000  # without the caller doing anything: more never comes to rest
PARTS = ("recogniser", "synthesiser", "store", "agent")
ACTION = "action:"
DESK = "desk"
RECORDING = "recording"
DOUBT = 0.6
USUAL = Start("call", caller="5035550101", called="5035550199")
"""Who calls whom where nothing is said of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where callers stand who want a person: ``position`` 1 is next; a wait of less than ``minutes``, 0: not known."""

    position: int
    minutes: int = 0


class CallOver(IvrError):
    """The caller said or did something after the line had hung up."""


class Driver:
    """A simulated call's state, and the loop that drives its dialogue until it waits for the caller.

    ``start.call_id`` is what the calls' ids begin with: no two simulations on one database may share it."""

    def __init__(self, library: FlowLibrary, sandbox: Sandbox, at: datetime, start: Start = USUAL) -> None:
        self.library = library
        self.at = at
        self.start = start
        self.now = at
        self._sandbox = sandbox
        self._calls = 0
        self._new: list[Entry] = []
        self._vocabularies: Mapping[str, Sequence[Term]] = {}
        self.entries: list[Entry] = []
        self.listening: Listen | None = None  # the grammar and timers in force; None while nobody listens
        self.said: list[str] = []  # by the line, since the caller's last act
        self.heard = Understood()  # the caller's last utterance, as understood
        self.performed: list[str] = []
        self.broken: set[str] = set()
        self.answers: dict[str, ActionResult] = {}  # by action, or "desk": instead of what would come of it
        self.used: list[object] = []  # those of ``answers`` and ``services`` that were asked for
        self.services: dict[str, tuple[Exchange, ...]] = {}  # what they answer, before the sandbox's mocks
        self.connected: Connect | None = None
        self.standing: Standing | None = None  # None: agents are free
        self.in_line: Connect | None = None  # whoever waits for one
        self.kept = False  # their place, once they have left it
        self.outcome = ""  # once the line has hung up, or the caller has
        self.events = 0  # that the dialogue handled
        self.dialogue = self._new_dialogue({})

    # -- what is the case ----------------------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        return f"{self.start.call_id}-{max(self._calls, 1)}"

    @property
    def state(self) -> str:
        return self.dialogue.state

    @property
    def slots(self) -> Mapping[str, object]:
        return self.dialogue.slots

    @property
    def facts(self) -> Mapping[str, object]:
        return self.dialogue.facts

    def label(self, slot: str, value: object) -> str:
        """A slot's value as it would be said: terms of vocabularies by their names."""
        flows = self.library.flows.values()
        specs = (spec for flow in flows for spec in (flow.variables.get(slot), flow.parameters.get(slot)))
        title = any(spec is not None and spec.type == "title" for spec in specs)
        terms = (term for terms in self._vocabularies.values() for term in terms) if title else ()
        return next((term.label for term in terms if term.id == value), str(value))

    @property
    def over(self) -> bool:
        """The line is silent: it or the caller has hung up."""
        return bool(self.outcome) and self.connected is None

    @property
    def result(self) -> str:
        """ "connected", the end's outcome, or "" while the call goes on."""
        return "connected" if self.connected is not None else self.outcome

    @property
    def _kept_place(self) -> Mapping[str, object]:
        position = self.standing.position if self.standing is not None else None
        return {PLACE_KEPT: True, PLACE_POSITION: position} if self.kept else {}

    # -- driving the dialogue ------------------------------------------------------------------------------------

    async def feed(self, event: DialogueEvent) -> None:
        """Any event there is, and all that follows from it; the entries come with the next call."""
        self.events += 1
        await self._rest(self.dialogue.handle(event, self.now))

    def _new_dialogue(self, vocabularies: Mapping[str, tuple[Term, ...]]) -> Dialogue:
        start = replace(
            self.start,
            call_id=self.call_id,
            vocabularies=vocabularies,
            fact_source=self._fact,
            place_source=lambda facts, call_id: self._kept_place,
            classifiers=self._sandbox.classifiers,
        )
        return Dialogue(self.library, start)

    def _fact(self, name: str) -> object:
        """As the script has it: conversations are recorded where ``recording`` answers "on"."""
        if name == RECORDING_ON and (told := self.answers.get(RECORDING)) is not None:
            self.used.append(told)
            return told.outcome == "on"
        return self._sandbox.fact(name)

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
            effects = self.dialogue.handle(answers.popleft(), self.now)
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
                self.listening = effect
            case Perform():
                return ActionDone(effect.token, await self._perform(effect))
            case Connect():
                if effect.waits and self.standing is not None and self._sandbox.destinations(effect.skill):
                    moved, self.in_line = self.in_line is not None, effect
                    return None if moved else self._place(again=self.kept)
                return HandoffDone(effect.token, self._connect(effect))
            case AskPlace():
                return self._place(asked=True)
            case Disconnect(keep=keep):
                self.in_line, self.kept = None, keep == "away"
            case LoadResume(token=token, caller_id=caller_id):
                found = await self._sandbox.take_place(caller_id, self.now - RESUME_WITHIN)
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
            self.used.append(result)
        else:
            try:
                result = await self._done(perform)
            except IvrError as failure:
                result, error = ActionResult("failed"), str(failure)
        values = {mine: MASK if mine in perform.hidden else value for mine, value in result.values.items()}
        self._entry(Performed(name, result.outcome, error=error, arguments=perform.shown, values=values))
        return result

    async def _done(self, perform: Perform) -> ActionResult:
        """Raises ActionError."""
        request = perform.arguments if perform.name == HTTP else perform.request
        name, arguments = (perform.name, perform.arguments) if request is None else (HTTP, request)
        language = str(self.facts.get("call.language", "en-US"))
        call = ActionCall(name, arguments, perform.key, self.call_id, self.dialogue.facts_for_actions, language)
        recorded = self._sandbox.recorder is not None and arguments.get("service") not in self.services
        if request is not None and self.services and not recorded:
            return self._sandbox.mocks.before(self.services).perform(call, self.used.append)
        return await self._sandbox.perform(call)

    def _place(self, *, asked: bool = False, again: bool = False) -> PlaceTold | None:
        if self.in_line is None or self.standing is None:
            return None
        standing = self.standing
        return PlaceTold(self.in_line.token, standing.position, standing.minutes, asked=asked, again=again)

    async def _served(self) -> None:
        """An agent is free for whoever waits."""
        connect, self.in_line, self.kept = self.in_line, None, False
        if connect is not None:
            await self.feed(AgentComing(connect.token))
            await self.feed(HandoffDone(connect.token, self._connect(connect)))

    def _connect(self, connect: Connect) -> str:
        destinations = self._sandbox.destinations(connect.skill)
        if DESK in self.answers:
            outcome = self.answers[DESK].outcome
            self.used.append(self.answers[DESK])
        elif not destinations:
            outcome = "closed"
        else:
            outcome = "failed" if "agent" in self.broken else "connected"
        destination = ""
        if outcome == "connected":
            self.connected = connect
            self.listening = None
            destination = destinations[0].name if destinations else ""
        tried, also = tuple(self.dialogue.tried), tuple(other.reason for other in connect.also)
        self._entry(HandedOver(destination, connect.reason, connect.skill, connect.priority, outcome, tried, also))
        return outcome

    def _ended(self, outcome: str) -> None:
        self.outcome, self.listening = outcome, None
        self._entry(Ended(outcome))

    def _entry(self, what: Happening) -> None:
        entry = Entry(what, self.now, self.dialogue.state if self._calls else "")
        self._new.append(entry)
        self.entries.append(entry)

    def _taken(self) -> Sequence[Entry]:
        new, self._new = self._new, []
        if any(_is_secret(entry.what) for entry in new):
            new = [_untold(entry) for entry in new]
            self.entries[len(self.entries) - len(new) :] = new
        return new


def _is_secret(what: Happening) -> bool:
    return (isinstance(what, Understood) and what.text == MASK) or (isinstance(what, Keyed) and what.key == MASK)


def _untold(entry: Entry) -> Entry:
    """What a caller did, without the words or keys of it."""
    return replace(entry, what=replace(entry.what, text=MASK)) if isinstance(entry.what, CallerActed) else entry
