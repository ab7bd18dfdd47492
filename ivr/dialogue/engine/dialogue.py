"""The dialogue: events in, effects out. Pure and deterministic: no clock, no chance, no input or output of its own.

Whatever goes wrong inside, the caller goes to a human: ``handle`` never raises. What an event leads to is a value that
says what comes next (``next.py``); ``_run`` is the one loop that carries those out, ``_step`` does one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ivr.dialogue.engine import continuation, part_failure, reprompt, responses
from ivr.dialogue.engine.compilation import RESERVED
from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    AgentComing,
    Agitated,
    DialogueEvent,
    Effect,
    End,
    HandoffDone,
    HandoffSlow,
    Interrupted,
    KeyPressed,
    KeysPaused,
    NoInput,
    PartFailed,
    PlaceTold,
    RecognitionLate,
    ResumeLoaded,
    Said,
    Say,
    SpeechHeard,
    SpeechLost,
    Start,
)
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Arrival, listen, say_again
from ivr.dialogue.engine.next import (
    STAY,
    Anew,
    Answer,
    Ask,
    Broken,
    Done,
    Gather,
    Goto,
    Next,
    NoMatch,
    Stay,
    Take,
    Wait,
    to_human,
)
from ivr.dialogue.engine.reasons import HandoffNeed, Weight
from ivr.dialogue.engine.states import (
    VERBS,
    action,
    flow_control,
    handlers,
    handoff,
    intent_question,
    question,
    resume,
    risk_question,
    verb,
    wait,
)
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.wording import MASK
from ivr.record import Decided, Entered, Failed, Reason, Utterance

MOST_STEPS = 50  # states without listening: more is a loop
BROKE = HandoffNeed("something on our side broke", weight=Weight.BROKEN)


class Dialogue:
    """One call's dialogue. ``kept``: what ``kept`` of another process gave, whose call it was; it goes on there."""

    def __init__(self, library: FlowLibrary, start: Start, kept: Mapping[str, Any] | None = None) -> None:
        self.start = start
        self._kept = kept
        self.flow_version = library.version
        self._call = Conversation(library, start)
        self._begun = False

    # -- events in, effects out -------------------------------------------------------------------------------

    def begin(self, now: datetime) -> list[Effect]:
        """The call was answered. ``now`` is wall time where the flows' dates live."""
        return self._turn(self._first, now, cut=False)

    def handle(self, event: DialogueEvent, now: datetime) -> list[Effect]:
        """Never raises. Answers to tokens no longer waited for are ignored, and so is all that comes after the end."""
        if self._call.done:
            return []
        caller = isinstance(event, SpeechHeard | KeyPressed | KeysPaused)
        return self._turn(lambda: self._dispatch(event), now, cut=caller)

    def _turn(self, first: Callable[[], Next], now: datetime, *, cut: bool) -> list[Effect]:
        call = self._call
        call.now, call.said = now, ""
        call.outbox.open(cut)
        try:
            _run(call, first())
        except Exception as error:
            self._rescue(error)
        effects = call.outbox.close()
        for effect in effects:
            if isinstance(effect, Say):
                call.transcribe("prompt", " ".join(words.shown for words in effect.words))
        return effects

    def _first(self) -> Next:
        if self._begun:
            return STAY
        self._begun = True
        if self._kept is not None:
            return continuation.go_on(self._call, self._kept)
        flow = self._call.library.flows[self.start.entry]
        return Goto(f"{flow.flow}.{flow.start}")

    def _rescue(self, error: Exception) -> None:
        """The engine itself failed: a human, through the human flow if that is not what failed, else directly."""
        call = self._call
        call.outbox.drop()
        call.outbox.record(Failed("engine", type(error).__name__, str(error)[:200]))
        if handoff.rung(call):
            return
        try:
            if not call.in_human_flow:
                call.steps = 0
                call.say(call.system("apology"))
                _run(call, to_human(BROKE))
                return
        except Exception as again:
            call.outbox.drop()
            call.outbox.record(Failed("human flow", type(again).__name__, str(again)[:200]))
        _run(call, handoff.connect_directly(call, BROKE))

    def _dispatch(self, event: DialogueEvent) -> Next:
        call = self._call
        match event:
            case SpeechHeard(recognition=recognition, token=token):
                gather = self._listening(token)
                return STAY if gather is None else responses.heard(call, gather, recognition)
            case KeyPressed(key=key):
                return responses.key(call, call.gather, key)
            case KeysPaused():
                return STAY if call.gather is None else responses.paused(call, call.gather)
            case NoInput(token=token):
                gather = self._listening(token)
                return STAY if gather is None else responses.silent(call, gather)
            case (
                ActionDone()
                | ActionSlow()
                | HandoffDone()
                | HandoffSlow()
                | PlaceTold()
                | AgentComing()
                | ResumeLoaded()
            ):
                return self._arrived(event)
            case PartFailed(part=part, detail=detail):
                return part_failure.failed(call, part, detail)
            case RecognitionLate(given_up=given_up):
                return part_failure.recognition_late(call, given_up=given_up)
            case SpeechLost():
                return part_failure.speech_lost(call)
            case Interrupted(by_noise):
                return part_failure.interrupted(call, by_noise=by_noise)
            case Agitated(evidence=evidence, weight=weight):
                call.temper.agitated(evidence, weight)
                call.outbox.record(Decided("agitated", evidence, {"level": round(call.temper.level, 2)}))
                return (handoff.agitated(call) if call.temper.enough else None) or STAY
            case Said():
                return STAY

    def _listening(self, token: int) -> Gather | None:
        """The gather that Listen ``token`` opened, if it is in force. Token 0 stands for whichever that is."""
        gather = self._call.gather
        return gather if gather is not None and token in (0, gather.token) else None

    def _arrived(self, arrival: Arrival) -> Next:
        call = self._call
        waiting = call.waiting
        if waiting is None or waiting.token != arrival.token:
            if isinstance(arrival, ActionDone):
                action.late(call, arrival)
            return STAY
        if isinstance(arrival, HandoffSlow):
            return handoff.slow(call)
        if isinstance(waiting, handoff.Promising):
            return handoff.promised(call, arrival)
        if isinstance(waiting, handoff.Connecting) and waiting.direct:
            return handoff.tried_directly(call, arrival)
        return verb(call).arrived(call, arrival)

    # -- what may be known from outside ---------------------------------------------------------------------------

    def snapshot(self) -> Mapping[str, object] | None:
        """What to take up again should the call drop now; None when nothing is worth it."""
        return None if self._call.done or not self._begun else resume.snapshot(self._call)

    def kept(self) -> Mapping[str, Any] | None:
        """What another process needs to go on with this call, as JSON; None before its beginning and after its end."""
        return None if self._call.done or not self._begun else continuation.kept(self._call)

    @property
    def state(self) -> str:
        """ "flow.state"."""
        return self._call.here

    @property
    def language(self) -> str:
        """What is spoken now: the opening's, until a flow or the caller chose another."""
        return self._call.language

    @property
    def filler(self) -> Say:
        """A word for who has to wait, in the voice that speaks now. Nothing of the call changes by it."""
        call = self._call
        return Say(0, call.system("one_moment"), True, call.language, call.words.voice(call.frame.flow))

    @property
    def keys_led(self) -> bool:
        """Whether nothing can be recognised in the language now spoken."""
        return self._call.keys_led

    @property
    def left_at(self) -> str:
        """Where the caller was when a human was sent for; "" before."""
        return self._call.left_at

    @property
    def reason(self) -> str:
        """The most important reason why a human was wanted; "" while none was."""
        return self._call.reasons.first.reason if self._call.reasons else ""

    @property
    def also(self) -> Sequence[Reason]:
        """The other reasons, by importance."""
        return self._call.reasons.also

    @property
    def facts(self) -> Mapping[str, object]:
        """What is known, as records and people may have it: secret facts masked."""
        secret = self._call.library.secret_facts
        return {n: MASK if n in secret and v not in (None, "") else v for n, v in self._call.facts.items()}

    @property
    def facts_for_actions(self) -> Mapping[str, object]:
        """The same as it is: for what actions do, and for nobody to read."""
        return dict(self._call.facts)

    @property
    def slots(self) -> Mapping[str, object]:
        """The current flow's variables by name, as they are said; secret ones masked."""
        call = self._call
        found: dict[str, object] = {}
        for frame in call.stack:
            for name, value in frame.variables.items():
                found[name] = MASK if name in call.shared.secrets[frame.flow] else value.value
        return found

    @property
    def transcript(self) -> Sequence[Utterance]:
        """Who said what, in order."""
        return tuple(self._call.transcript)

    @property
    def tried(self) -> Sequence[str]:
        """Actions begun on this call and how each ended."""
        return tuple(self._call.tried.values())

    @property
    def outcome(self) -> str:
        """ "goodbye", "handoff" or an end state's own word; "" while the call goes on."""
        return self._call.outcome

    @property
    def ended(self) -> bool:
        """The dialogue has nothing more to do: it said goodbye, or a human has the call (until that human drops it)."""
        waiting = self._call.waiting
        return self._call.done or (isinstance(waiting, handoff.Connecting) and waiting.connected)

    @property
    def resolved(self) -> int:
        """How many requests were completed."""
        return self._call.resolved

    @property
    def waiting(self) -> str:
        """What answer the dialogue waits for: "human", "action", "snapshot", or ""."""
        return self._call.waiting.what if self._call.waiting is not None else ""

    @property
    def mode(self) -> str:
        """What is being listened for: a Mode, or a verb's own word for one; "" while nobody listens."""
        return self._call.gather.mode if self._call.gather is not None else ""


# -- what comes next ---------------------------------------------------------------------------------------------


def _run(call: Conversation, step: Next) -> None:
    """Carry out ``step`` and all that follows until something is waited for."""
    while not (isinstance(step, Stay) or call.done):
        step = _step(call, step)


def _step(call: Conversation, step: Next) -> Next:
    match step:
        case Goto(target) if not target.startswith(RESERVED):
            return _enter(call, target)
        case Goto(target, need):
            return _reserved(call, target.removeprefix(RESERVED), need)
        case Take():
            return _take(call, step)
        case Ask(gather):
            listen(call, gather)
        case Wait(waiting, gather):
            call.let_go()
            call.waiting = waiting
            if gather is not None:
                listen(call, gather)
        case Done(outcome):
            call.outcome, call.done = outcome, True
            call.let_go(for_good=True)
            call.outbox.put(End(outcome))
        case Answer(gather, reading):
            call.gather = gather
            return responses.answer(call, gather, reading)
        case NoMatch(gather, neither, shade):
            call.gather = gather
            return reprompt.nomatch(call, gather, neither=neither, shade=shade)
        case Anew(gather):
            return handlers(call, gather).anew(call, gather)
    return STAY


def _enter(call: Conversation, target: str) -> Next:
    call.let_go()
    call.steps += 1
    if call.steps > MOST_STEPS:
        raise Broken(f"{MOST_STEPS} states without listening, the last {target}")
    call.shared.table.place(call.cursor, target)
    call.frame.flow, _, call.frame.state = target.partition(".")
    state = call.state
    kind = state.kinds[0]
    if intent_question.due_on_entering(call):
        return intent_question.ask(call, Goto(target))
    call.outbox.record(Entered(target, kind))
    call.assign(state.set)
    return VERBS[kind].enter(call)


def _reserved(call: Conversation, target: str, need: HandoffNeed) -> Next:
    match target:
        case "human":
            return handoff.summon(call, need)
        case "goodbye":
            return flow_control.goodbye(call)
        case "back":
            return question.back(call)
        case "repeat" if call.gather is not None:
            return say_again(call, call.gather)
        case "place" | "quiet" | "music" if handoff.in_line(call) is not None:
            return wait.stay(call, target)
        case "machine":
            return question.back_to_machine(call)
    return Goto(call.here)


def _take(call: Conversation, take: Take) -> Next:
    if intent_question.due_on_leaving(call, take):
        return intent_question.ask(call, take)
    transition, leaving = take.transition, call.state
    call.failing = call.failing or transition.failure
    edge = transition.edge
    if edge.say is not None:
        call.say(call.own(transition.prompt_id, edge.say, call.visit))
    call.assign(edge.set)
    if edge.language or edge.persona:
        call.speak(edge.language or call.language, edge.persona or call.words.persona)
    reason, skill = call.filled_text(edge.reason), call.filled_text(edge.skill)  # before what they name is cleared
    call.frame.clear(*leaving.clear, *edge.clear)
    target = call.shared.table.take(call.cursor, transition.trigger)
    if not target.startswith(RESERVED):
        return Goto(target)
    call.shared.table.place(call.cursor, call.here)
    if transition.kind == "choice" and (risk := call.library.risk_of(call.flow, transition.name)):
        of = risk_question.need(call, risk)
        priority = of.priority if edge.priority is None else edge.priority
        return Goto(target, HandoffNeed(reason or of.reason, skill or of.skill, priority, Weight.RISK))
    weight = Weight.BROKEN if call.failing else Weight.MATTER
    return Goto(target, HandoffNeed(reason, skill, edge.priority, weight))
