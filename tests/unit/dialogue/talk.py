"""A caller in text for the dialogue's tests: small flows, and a queue kept in memory behind the actions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from ivr.dialogue.engine.contract import (
    ActionDone,
    Connect,
    DialogueEvent,
    Effect,
    End,
    HandoffDone,
    KeyPressed,
    KeysPaused,
    Listen,
    LoadResume,
    NoInput,
    Perform,
    Record,
    ResumeLoaded,
    Say,
    SpeechHeard,
    Start,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.understanding.classifier import Classifiers
from ivr.events import ActionResult, Cause, Recognition, Term
from ivr.record import Failed
from ivr.reference import COMPANY

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 3, 3, 10)
MEMBER = {"caller.id": "10001", "member.number": "10001", "caller.identity": "verified", "caller.identity_by": "PIN"}
QUEUE = ("Casablanca", "Vertigo", "Metropolis", "Nosferatu", "Alien", "Aliens", "The General", "12 Angry Men")

TITLES = """
flow: titles
start: menu
variables:
  title: {type: title, from: [queue], survive: true}
  other: {type: title, from: [queue]}
  position: {type: number, min: 1, max: 50}
  day: date
  pin: {type: digits, length: 4, secret: true}
  titles: text
intents:
  move_to_top: ["move {title} to the top [of my queue]", "put {title} first", "move a title"]
  move_to: ["move {title} to number {position}", "put {title} at number {position}"]
  swap: ["swap {title} and {other}", "swap {title} with {other}"]
  before: ["put {title} before {other}", "move {title} ahead of {other}"]
  after: ["put {title} after {other}", "move {title} behind {other}"]
  remove: ["remove {title}", "take {title} off my queue"]
  hear: ["what's in my queue", "read my queue"]
  hold: ["hold until {day}", "hold my deliveries"]
  pin: [my pin]
  look_up: [look it up]
  loop: [go round in circles]
states:
  menu:
    prompt: {1: "What would you like?", 2: "Anything else?"}
    choices:
      - {intent: move_to_top, key: 1, label: "move a title to the top", goto: which_title}
      - {intent: hear, key: 2, label: "hear your queue", goto: read}
      - {intent: move_to, key: 3, label: "move a title", goto: move_to}
      - {intent: swap, goto: swap}
      - {intent: before, goto: before}
      - {intent: after, goto: after}
      - {intent: remove, goto: remove}
      - {intent: hold, key: 4, label: "hold deliveries", goto: until}
      - {intent: pin, key: 5, label: "your PIN", goto: ask_pin}
      - {intent: look_up, key: 6, label: "look it up", goto: sub}
      - {intent: loop, goto: round}
    help: "Say, for example: move Casablanca to the top."
  which_title: {ask: title, prompt: "Which title?", goto: move}
  move:
    action: queue.move
    with: {title: title, position: 1}
    confirm: {policy: auto, prompt: "Move {title} to the top?", no: {goto: which_title, clear: [title]}}
    on:
      ok: moved
      already_there: {goto: menu, say: "{title} is already at the top.", clear: [title]}
      failed: {goto: human, reason: "the queue is broken"}
      timeout: human
  moved: {prompt: "Done. {title} is at the top now.", clear: [title], goto: menu}
  move_to: {call: place, with: {title: title, position: position}, on: {done: {goto: menu, clear: [title, position]}}}
  swap:
    action: queue.swap
    with: {title: title, other: other}
    confirm: {policy: auto, prompt: "Swap {title} and {other}?"}
    on: {ok: {goto: menu, say: "Swapped.", clear: [title, other]}, failed: human, timeout: human}
  before:
    action: queue.beside
    with: {title: title, other: other, side: "'before'"}
    confirm: {policy: auto, prompt: "{title} before {other}?"}
    on: {ok: {goto: menu, clear: [title, other]}, failed: human, timeout: human}
  after:
    action: queue.beside
    with: {title: title, other: other, side: "'after'"}
    confirm: {policy: auto, prompt: "{title} after {other}?"}
    on: {ok: {goto: menu, clear: [title, other]}, failed: human, timeout: human}
  remove:
    action: queue.remove
    with: {title: title}
    confirm: {policy: explicit, prompt: "Take {title} out?"}
    on: {ok: {goto: menu, clear: [title]}, failed: human, timeout: human}
  read:
    action: queue.read
    returns: {titles: titles}
    wait: "One moment."
    on: {ok: say_it, failed: human, timeout: human}
  say_it: {prompt: "{titles|list}.", goto: menu}
  until: {ask: day, prompt: "Until when?", goto: held}
  held: {prompt: "Held until {day}.", clear: [day], goto: menu}
  ask_pin: {ask: pin, prompt: "Your PIN?", goto: got_pin}
  got_pin: {prompt: "Thanks.", clear: [pin], goto: menu}
  sub: {call: place, on: {done: menu}}
  round: {prompt: "Round.", goto: and_round}
  and_round: {goto: round}
"""
PLACE = """
flow: place
start: title
parameters:
  title: {type: title, from: [queue]}
  position: {type: number, min: 1, max: 50}
states:
  title: {ask: title, prompt: "Which one?", goto: position}
  position: {ask: position, prompt: "Where to?", goto: move}
  move:
    action: queue.move
    with: {title: title, position: position}
    confirm: {policy: auto, prompt: "Move {title} to number {position}?"}
    on: {ok: done, already_there: done, failed: human, timeout: human}
  done: {prompt: "{title} is {position|ordinal}.", return: done}
"""
HUMAN = """
flow: human
start: desk
states:
  desk:
    when:
      - {if: "hours.open", goto: connect}
      - {goto: closed}
  connect: {prompt: "Connecting.", handoff: {}, on: {closed: closed, failed: closed}}
  closed:
    prompt: "Nobody is here. Shall we call you back?"
    choices:
      - {intent: "yes", key: 1, label: "a call back", goto: bye}
      - {intent: "no", key: 2, label: "no call back", goto: bye}
  bye: {prompt: "Bye.", end: closed}
"""
RESUME = """
flow: resume
start: pick_up
states:
  pick_up: {resume: true, prompt: "Shall we go on?", on: {none: go}}
  go: {call: titles, on: {}, goto: bye}
  bye: {end: resolved}
"""


def signature(name: str, parameters: Mapping[str, str], outcomes: Sequence[str], risk: str) -> ActionSignature:
    made = tuple(Parameter(name, kind) for name, kind in parameters.items())
    return ActionSignature(name, made, tuple(outcomes), risk=risk)  # type: ignore[arg-type]


SIGNATURES = {
    s.name: s
    for s in (
        signature("queue.move", {"title": "title", "position": "number"}, ("ok", "already_there"), "reversible"),
        signature("queue.swap", {"title": "title", "other": "title"}, ("ok",), "reversible"),
        signature("queue.beside", {"title": "title", "other": "title", "side": "text"}, ("ok",), "reversible"),
        signature("queue.remove", {"title": "title"}, ("ok",), "irreversible"),
        ActionSignature("queue.read", (), ("ok",), {"titles": "text"}),
    )
}


def made(sources: Mapping[str, str], known: Mapping[str, ActionSignature]) -> FlowLibrary:
    loaded = load_library(sources, known)
    assert loaded.library is not None, [f.render() for f in loaded.errors]
    return loaded.library


@lru_cache(maxsize=1)
def small() -> FlowLibrary:
    """The flows above with the reference universals, in English and Spanish."""
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    sources = {"titles.yaml": TITLES, "place.yaml": PLACE, "human.yaml": HUMAN, "resume.yaml": RESUME}
    return made({**sources, **universals}, SIGNATURES)


@lru_cache(maxsize=1)
def reference() -> FlowLibrary:
    """The flows that ship."""
    flows = sorted((ROOT / "flows").glob("*.yaml"))
    sources = {p.name: p.read_text(encoding="utf-8") for p in flows if not p.name.endswith(".test.yaml")}
    return made(sources, COMPANY.all_signatures)


@lru_cache(maxsize=1)
def catalogue() -> tuple[Term, ...]:
    seed = json.loads((ROOT / "ivr/reference/seed/titles.json").read_text(encoding="utf-8"))
    rows = seed["titles"] if isinstance(seed, dict) else seed
    return terms(dict.fromkeys(row[0] for row in rows))


def terms(labels: Sequence[str] | Mapping[str, object]) -> tuple[Term, ...]:
    return tuple(Term(label.lower().replace(" ", "-"), label) for label in labels)


def text(said: str) -> SpeechHeard:
    return SpeechHeard(Recognition(Cause.SUCCESS, transcript=said))


class Talk:
    """Drives one dialogue: ``say``, ``key``, ``silence``; performs its actions on a queue in memory when told to."""

    def __init__(
        self,
        library: FlowLibrary | None = None,
        *,
        entry: str = "titles",
        queue: Sequence[str] = QUEUE,
        facts: Mapping[str, object] | None = None,
        language: str = "en-US",
        persona: str = "neutral",
        keys_led: bool = False,
        seed: int = 0,
        perform: bool = True,
        snapshot: Mapping[str, object] | None = None,
        classifiers: Classifiers | None = None,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self.queue = list(terms(queue))
        self.perform = perform
        self.snapshot = snapshot
        self.effects: list[Effect] = []
        self.last: list[Effect] = []
        start = Start(
            "test",
            entry=entry,
            language=language,
            persona=persona,
            facts={"hours.open": True, **MEMBER, **(facts or {})},
            vocabularies={"queue": tuple(self.queue), "catalogue": catalogue()},
            seed=seed,
            keys_led=keys_led,
            classifiers=classifiers,
        )
        self.dialogue = Dialogue(library or small(), start, kept)
        self._take(self.dialogue.begin(NOW))

    def send(self, event: DialogueEvent) -> Talk:
        self._take(self.dialogue.handle(event, NOW))
        return self

    def say(self, said: str) -> Talk:
        return self.send(text(said))

    def heard(self, recognition: Recognition) -> Talk:
        return self.send(SpeechHeard(recognition))

    def key(self, keys: str) -> Talk:
        """ "p" is the inter-digit pause. What was said since the first of the keys counts as one turn."""
        turn: list[Effect] = []
        for key in keys:
            self.send(KeysPaused() if key == "p" else KeyPressed(key))
            turn += self.last
        self.last = turn
        return self

    def silence(self) -> Talk:
        return self.send(NoInput())

    def answer(self, outcome: str) -> Talk:
        """The desk's answer to the Connect under way."""
        return self.send(HandoffDone(self.connect.token, outcome))

    def _take(self, effects: list[Effect]) -> None:
        self.last = list(effects)
        waiting = list(effects)
        while waiting:
            effect = waiting.pop(0)
            self.effects.append(effect)
            more: list[Effect] = []
            if isinstance(effect, Perform) and self.perform:
                more = self.dialogue.handle(ActionDone(effect.token, self._performed(effect)), NOW)
            elif isinstance(effect, LoadResume):
                more = self.dialogue.handle(ResumeLoaded(effect.token, self.snapshot), NOW)
            waiting += more
            self.last += more

    def _performed(self, perform: Perform) -> ActionResult:
        arguments, labels = perform.arguments, [term.label for term in self.queue]
        title = next((term for term in self.queue if term.id == arguments.get("title")), None)
        other = next((term for term in self.queue if term.id == arguments.get("other")), None)
        if title is not None:
            at = self.queue.index(title)
            match perform.name:
                case "queue.move":
                    self.queue.remove(title)
                    self.queue.insert(int(str(arguments["position"])) - 1, title)
                case "queue.remove":
                    self.queue.remove(title)
                case "queue.swap" if other is not None:
                    to = self.queue.index(other)
                    self.queue[at], self.queue[to] = other, title
                case "queue.beside" if other is not None:
                    self.queue.remove(title)
                    self.queue.insert(self.queue.index(other) + (arguments["side"] == "after"), title)
        return ActionResult("ok", {"titles": labels}, vocabularies={"queue": tuple(self.queue)})

    # -- what came of it -------------------------------------------------------------------------------------

    @property
    def said(self) -> str:
        """Everything said in the last turn."""
        return " ".join(words.text for effect in self.last if isinstance(effect, Say) for words in effect.words)

    @property
    def performed(self) -> list[Perform]:
        return [effect for effect in self.effects if isinstance(effect, Perform)]

    @property
    def connects(self) -> list[Connect]:
        return [effect for effect in self.effects if isinstance(effect, Connect)]

    @property
    def connect(self) -> Connect:
        return self.connects[-1]

    @property
    def listen(self) -> Listen:
        return next(effect for effect in reversed(self.effects) if isinstance(effect, Listen))

    @property
    def ends(self) -> list[End]:
        return [effect for effect in self.effects if isinstance(effect, End)]

    @property
    def errors(self) -> list[Failed]:
        return [e.what for e in self.effects if isinstance(e, Record) and isinstance(e.what, Failed)]

    @property
    def labels(self) -> list[str]:
        return [term.label for term in self.queue]
