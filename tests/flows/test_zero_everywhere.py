"""Promise one, state by state: a key or a word brings a human from every state of every reference flow.

A state is entered the way a resumed call enters it (or by its own road, where resuming is refused); then each key
sequence and word is tried on a fresh call. Parts fail as well: the recogniser, the store, the synthesiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

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
    PartFailed,
    Perform,
    ResumeLoaded,
    SpeechHeard,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.engine.start import Start
from ivr.events import ActionResult, Cause, Recognition, Term
from tests.flows.reference import library

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
QUEUE = tuple(Term(str(i), name, (name.lower(),)) for i, name in enumerate(("Casablanca", "Vertigo", "Metropolis"), 1))
MEMBER = ActionResult(
    "found",
    facts={
        "member.number": "10001",
        "member.first_name": "Ada",
        "member.name": "Ada Moreno",
        "member.damaged_reports": 0,
        "queue.size": 3,
        "queue.next": "Casablanca",
    },
    vocabularies={"queue": QUEUE, "discs": QUEUE[:1], "catalogue": QUEUE},
)
WAYS = ["0", "*0", "#0", "agent", "operator", "representative", "a real person", "human"]
# States that only the greeting's own road reaches: resuming happens after them.
BEFORE_RESUMING = {
    "main.greet",
    "main.which_number",
    "main.identify",
    "main.not_found",
    "main.try_again",
    "main.give_up",
}


class Drive:
    """A dialogue, its open tokens, and whether a human was asked for."""

    def __init__(self) -> None:
        start = Start(
            "c1",
            caller="5035550101",
            called="line",
            vocabularies={"catalogue": QUEUE},
            fact_source=lambda name: True if name == "hours.open" else None,
        )
        self.dialogue = Dialogue(library(), start)
        self.connect: Connect | None = None
        self.ended = False
        self.listen: Listen | None = None
        self.perform: Perform | None = None
        self.resume: LoadResume | None = None
        self.take(self.dialogue.begin(NOW))

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Connect():
                    self.connect = effect
                case End():
                    self.ended = True
                case Listen():
                    self.listen = effect
                case Perform():
                    self.perform = effect
                case LoadResume():
                    self.resume = effect

    def feed(self, *events: DialogueEvent) -> None:
        for event in events:
            self.take(self.dialogue.handle(event, NOW))

    def act(self, outcome: ActionResult) -> None:
        assert self.perform is not None
        perform, self.perform = self.perform, None
        self.feed(ActionDone(perform.token, outcome))

    def say(self, text: str) -> None:
        self.feed(SpeechHeard(Recognition(Cause.SUCCESS, (), text)))

    def try_way(self, way: str) -> None:
        if way[0] in "0*#":
            self.feed(*(KeyPressed(key) for key in way))
        else:
            self.say(way)


def snapshot_of(flow: str, state: str) -> Mapping[str, object]:
    """A dropped call in ``flow.state``, with everything it could have known."""
    stack = []
    if flow != "main":
        caller = next((s for s, spec in library().flows["main"].states.items() if spec.call == flow), "")
        assert caller, f"nothing in main calls {flow}"
        stack.append({"flow": "main", "state": caller, "variables": {}})
    stack.append({"flow": flow, "state": state, "variables": {}})
    return {"version": library().version, "stack": stack}


# Needs what the state before it set; entered bare, the engine itself sends the caller to a human.
NOT_BARE = {("queue", "read")}


def at(flow: str, state: str) -> Drive | None:
    """A call in that state, or None when entering it bare already brought a human."""
    drive = Drive()
    drive.act(MEMBER)
    assert drive.resume is not None
    drive.feed(ResumeLoaded(drive.resume.token, snapshot_of(flow, state)))
    drive.say("yes")
    assert not drive.ended
    assert bool(drive.connect) == ((flow, state) in NOT_BARE), f"{flow}.{state} was not entered"
    return None if drive.connect else drive


STATES = [
    (flow.flow, name)
    for flow in library().flows.values()
    for name, state in flow.states.items()
    if flow.flow != library().universals.human_flow
    and state.kinds[0] in {"question", "action", "http"}
    and f"{flow.flow}.{name}" not in BEFORE_RESUMING
]


def test_there_are_states_to_try() -> None:
    assert len(STATES) > 25


@pytest.mark.parametrize(("flow", "state"), STATES, ids=[f"{f}.{s}" for f, s in STATES])
def test_every_way_brings_a_human(flow: str, state: str) -> None:
    for way in WAYS:
        drive = at(flow, state)
        if drive is None:
            return  # entering it with nothing filled already brought a human
        drive.try_way(way)
        assert drive.connect is not None, f"{way!r} in {flow}.{state} (now in {drive.dialogue.state})"
        assert not drive.ended


@pytest.mark.parametrize(("flow", "state"), STATES, ids=[f"{f}.{s}" for f, s in STATES])
@pytest.mark.parametrize("part", ["recogniser", "store", "synthesiser"])
def test_a_failing_part_brings_a_human(flow: str, state: str, part: str) -> None:
    drive = at(flow, state)
    if drive is None:
        return
    drive.feed(PartFailed(part))
    assert drive.connect is not None
    assert not drive.ended


@pytest.mark.parametrize("way", WAYS)
def test_before_the_member_is_known(way: str) -> None:
    greeting = Drive()
    greeting.try_way(way)
    assert greeting.connect is not None, "while the greeting plays and the look-up runs"
    asked = Drive()
    asked.act(ActionResult("unknown"))
    assert asked.dialogue.state == "main.which_number"
    asked.try_way(way)
    assert asked.connect is not None
    again = Drive()
    again.act(ActionResult("unknown"))
    again.feed(*(KeyPressed(key) for key in "99999"), KeysPaused())
    again.act(ActionResult("unknown"))
    assert again.dialogue.state == "main.which_number"
    again.try_way(way)
    assert again.connect is not None


@pytest.mark.parametrize("way", WAYS)
def test_in_confirmations(way: str) -> None:
    drive = Drive()
    drive.act(MEMBER)
    assert drive.resume is not None
    drive.feed(ResumeLoaded(drive.resume.token, None))
    drive.say("remove vertigo")
    assert drive.perform is None, "removing asks first"
    drive.try_way(way)
    assert drive.connect is not None


@pytest.mark.parametrize("way", WAYS)
def test_when_nobody_answered_asking_again_tries_again(way: str) -> None:
    drive = Drive()
    drive.act(MEMBER)
    drive.try_way("0")
    for _ in range(2):
        assert drive.connect is not None
        connect, drive.connect = drive.connect, None
        drive.feed(HandoffDone(connect.token, "failed"))
    assert drive.connect is None and not drive.ended
    drive.try_way(way)
    assert drive.connect is not None
    assert not drive.ended


def test_silence_and_nonsense_end_with_a_human_in_every_question() -> None:
    for flow, state in STATES:
        if library().flows[flow].states[state].kinds[0] != "question":
            continue
        for event in (NoInput(), SpeechHeard(Recognition(Cause.NO_MATCH, (), "xyzzy plugh"))):
            drive = at(flow, state)
            if drive is None:
                continue
            for _ in range(3):
                drive.feed(event)
            assert drive.connect is not None, f"{event} in {flow}.{state}"
            assert not drive.ended
