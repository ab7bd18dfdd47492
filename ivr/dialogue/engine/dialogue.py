"""The dialogue: events in, effects out. Pure and deterministic: no clock, no chance, no input or output of its own.

Whatever goes wrong inside, the caller goes to a human: ``handle`` never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ivr.dialogue.engine.compilation import compiled
from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    Agitated,
    DialogueEvent,
    Effect,
    HandoffDone,
    KeyPressed,
    KeysPaused,
    NoInput,
    PartFailed,
    ResumeLoaded,
    Said,
    Say,
    SpeechHeard,
)
from ivr.dialogue.engine.conversation import MASK, Conversation, HandoffNeed
from ivr.dialogue.engine.cursor import Frame
from ivr.dialogue.engine.gather import Mode
from ivr.dialogue.engine.outbox import Outbox
from ivr.dialogue.engine.responses import Exchange
from ivr.dialogue.engine.snapshot import snapshot
from ivr.dialogue.engine.walk import Walk
from ivr.dialogue.flows.library import FlowLibrary
from ivr.events import Term
from ivr.record import Decided, Failed, Keyed, Utterance


class Dialogue:
    """One call's dialogue.

    ``facts`` are what the driver knows at the start (dotted names); ``fact_source`` is asked at each use for facts that
    change (``hours.open``) and returns None for those it doesn't know. ``seed`` chooses among prompt variants.
    ``recognised``, ``spoken``: languages that can be listened to and spoken in (None: all); a call in a language that
    nobody recognises is led by keys. ``keys_led``: this one is, whatever its language.
    """

    def __init__(
        self,
        library: FlowLibrary,
        *,
        entry: str,
        language: str,
        persona: str,
        facts: Mapping[str, object],
        vocabularies: Mapping[str, tuple[Term, ...]],
        fact_source: Callable[[str], object] | None = None,
        call_id: str,
        seed: int = 0,
        keys_led: bool = False,
        recognised: Collection[str] | None = None,
        spoken: Collection[str] | None = None,
    ) -> None:
        shared = compiled(library)
        self._entry = entry
        self._call = Conversation(
            library=library,
            shared=shared,
            words=shared.wordings(language, persona),
            call_id=call_id,
            seed=seed,
            keys_led=keys_led,
            facts={"call.id": call_id, "call.language": language, **facts},
            fact_source=fact_source,
            vocabularies={},
            outbox=Outbox(language),
            stack=[Frame(entry)],
            recognised=recognised,
            spoken=spoken,
            deaf=keys_led,
        )
        self._call.learn(vocabularies)
        self._walk = Walk(self._call)
        self._exchange = Exchange(self._call, self._walk)
        self._begun = False

    # -- events in, effects out -------------------------------------------------------------------------------

    def begin(self, now: datetime) -> list[Effect]:
        """The call was answered. ``now`` is wall time where the flows' dates live."""
        return self._turn(self._start, now, cut=False)

    def handle(self, event: DialogueEvent, now: datetime) -> list[Effect]:
        """Never raises. Answers to tokens no longer waited for are ignored, and so is all that comes after the end."""
        if self._walk.departure.ended:
            return []
        caller = isinstance(event, SpeechHeard | KeyPressed | KeysPaused)
        return self._turn(lambda: self._dispatch(event), now, cut=caller)

    def _turn(self, step: Callable[[], str | None], now: datetime, *, cut: bool) -> list[Effect]:
        call = self._call
        call.now = now
        call.outbox.open(cut)
        try:
            self._walk.go(step())
        except Exception as error:
            self._rescue(error)
        effects = call.outbox.close()
        for effect in effects:
            if isinstance(effect, Say):
                call.transcribe("prompt", " ".join(words.text for words in effect.words))
        return effects

    def _start(self) -> str | None:
        call = self._call
        if self._begun:
            return None
        self._begun = True
        flow = call.library.flows[self._entry]
        return f"{self._entry}.{flow.start}"

    def _rescue(self, error: Exception) -> None:
        """The engine itself failed: a human, through the human flow if that is not what failed, else directly."""
        call, walk = self._call, self._walk
        call.outbox.drop()
        call.outbox.record(Failed("engine", type(error).__name__, str(error)[:200]))
        if walk.departure.connecting is not None:
            return
        try:
            if not walk.departure.in_human_flow:
                call.steps = 0
                call.say(call.system("apology"))
                walk.go(walk.departure.human(HandoffNeed("something on our side broke")))
                return
        except Exception as again:
            call.outbox.drop()
            call.outbox.record(Failed("human flow", type(again).__name__, str(again)[:200]))
        walk.departure.connect_directly("something on our side broke")

    def _dispatch(self, event: DialogueEvent) -> str | None:
        match event:
            case SpeechHeard(recognition=recognition, token=token):
                return self._exchange.heard(recognition) if self._current(token) else None
            case KeyPressed(key=key):
                return self._key(key)
            case KeysPaused():
                return self._exchange.paused()
            case NoInput(token=token):
                return self._exchange.silent() if self._current(token) else None
            case Said():
                return None
            case ActionDone(token=token):
                return self._action_done(event)
            case ActionSlow(token=token):
                return self._slow(token)
            case HandoffDone(token=token, outcome=outcome):
                return self._handed_over(token, outcome)
            case ResumeLoaded():
                return self._resume(event)
            case PartFailed(part=part, detail=detail):
                return self._part_failed(part, detail)
            case Agitated(evidence=evidence, weight=weight):
                return self._agitated(evidence, weight)

    def _current(self, token: int) -> bool:
        """Is this the Listen we are at? Token 0 stands for whichever that is. Silent ones (actions) have no timeout."""
        listening = self._walk.listening
        return listening is not None and token in (0, listening.token)

    def _key(self, key: str) -> str | None:
        secret = self._exchange.secret
        self._call.outbox.record(Keyed(MASK if secret else key))
        return self._exchange.key(key)

    def _action_done(self, done: ActionDone) -> str | None:
        walk, call = self._walk, self._call
        if walk.errands.running is not None and walk.errands.running.token == done.token:
            return walk.errands.done(done.result)
        if (started := call.tried.get(done.token)) is not None and started.endswith("under way"):
            name = started.partition(":")[0]
            call.tried[done.token] = f"{name}: {done.result.outcome}, after the caller had moved on"
            call.learn(done.result.vocabularies)
            call.facts.update(done.result.facts)
        return None

    def _slow(self, token: int) -> str | None:
        walk, call = self._walk, self._call
        if walk.errands.running is not None and walk.errands.running.token == token and call.state.wait is not None:
            call.say(call.own("wait", call.state.wait))
        return None

    def _handed_over(self, token: int, outcome: str) -> str | None:
        if self._walk.departure.connecting != token:
            return None
        self._call.outbox.record(Decided("handoff", outcome))
        if outcome == "connected":
            self._call.outcome = "handoff"
        return self._walk.departure.handed_over(outcome)

    def _resume(self, loaded: ResumeLoaded) -> str | None:
        walk = self._walk
        if walk.loading != loaded.token:
            return None
        walk.loading = None
        if not loaded.snapshot:
            return walk.not_resumed()
        walk.offer_resume(loaded.snapshot)
        return None

    def _part_failed(self, part: str, detail: str) -> str | None:
        call, walk = self._call, self._walk
        call.outbox.record(Failed(part, detail=detail[:200]))
        if walk.departure.connecting is not None:
            return None
        if walk.departure.in_human_flow:
            listening = walk.listening
            if part in ("recogniser", "synthesiser") and listening is not None:
                call.keys_led = call.deaf = True  # the way to the human goes on by keys
                self._exchange.patience.offer_keys(listening)
                return None
            walk.departure.connect_directly(f"{part} failed")
            return None
        call.say(call.system("apology"))
        return walk.departure.human(HandoffNeed(f"{part} failed"))

    def _agitated(self, evidence: str, weight: float) -> str | None:
        call, walk = self._call, self._walk
        call.temper.agitated(evidence, weight)
        call.outbox.record(Decided("agitated", evidence, {"level": round(call.temper.level, 2)}))
        if call.temper.enough and not walk.departure.in_human_flow and walk.departure.connecting is None:
            return walk.departure.human(HandoffNeed(call.temper.reason, "retention", 8))
        return None

    # -- what may be known from outside ---------------------------------------------------------------------------

    def snapshot(self) -> Mapping[str, object] | None:
        """What to take up again should the call drop now; None when nothing is worth it."""
        if self._walk.departure.ended or not self._begun:
            return None
        return snapshot(self._call, human_flow=self._walk.departure.in_human_flow)

    @property
    def state(self) -> str:
        """ "flow.state"."""
        return self._call.here

    @property
    def language(self) -> str:
        """What is spoken now: the opening's, until a flow or the caller chose another."""
        return self._call.language

    @property
    def keys_led(self) -> bool:
        """Whether nothing can be recognised in the language now spoken."""
        return self._call.keys_led

    @property
    def left_at(self) -> str:
        """Where the caller was when a human was sent for; "" before."""
        return self._call.left_at

    @property
    def facts(self) -> Mapping[str, object]:
        return dict(self._call.facts)

    @property
    def slots(self) -> Mapping[str, object]:
        """The current flow's variables by name, as they are said; secret ones masked."""
        call = self._call
        found: dict[str, object] = {}
        for frame in call.stack:
            for name, value in frame.variables.items():
                spec = call.variable(name, frame.flow)
                found[name] = MASK if spec is not None and spec.secret else value.value
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
    def handoff_reason(self) -> str:
        return self._call.need.reason

    @property
    def outcome(self) -> str:
        """ "goodbye", "handoff" or an end state's own word; "" while the call goes on."""
        return self._call.outcome

    @property
    def ended(self) -> bool:
        """The dialogue has nothing more to do: it said goodbye, or a human has the call (until that human drops it)."""
        return self._walk.departure.ended or self._walk.departure.connected

    @property
    def resolved(self) -> int:
        """How many requests were completed."""
        return self._call.resolved

    @property
    def waiting(self) -> str:
        """What answer the dialogue waits for: "human", "action", "snapshot", or ""."""
        walk = self._walk
        if walk.departure.connecting is not None:
            return "human"
        return "action" if walk.errands.running is not None else "snapshot" if walk.loading is not None else ""

    @property
    def mode(self) -> Mode | None:
        """What is being listened for, if anything."""
        return self._walk.listening.mode if self._walk.listening is not None else None
