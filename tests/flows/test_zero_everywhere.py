"""Promise one, state by state: a key or a word brings a human from every state of every reference flow.

A state is entered the way a resumed call enters it (or by its own road, where resuming is refused); then each key
sequence and word is tried on a fresh call. Parts fail as well: the recogniser, the store, the synthesiser.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ivr.dialogue.engine.contract import ActionDone, NoInput, PartFailed, SpeechHeard
from ivr.events import ActionResult, Cause, Recognition, Term
from tests.flows.reference import library
from tests.unit.dialogue.talk import Talk

QUEUE = ("Casablanca", "Vertigo", "Metropolis")
TITLES = tuple(Term(str(i), name, (name.lower(),)) for i, name in enumerate(QUEUE, 1))
MEMBER = ActionResult(
    "found",
    facts={
        "caller.id": "10001",
        "member.number": "10001",
        "member.first_name": "Ada",
        "member.name": "Ada Moreno",
        "member.damaged_reports": 0,
        "queue.size": 3,
        "queue.next": "Casablanca",
    },
    vocabularies={"queue": TITLES, "discs": TITLES[:1], "catalogue": TITLES},
)
WAYS = ["0", "*0", "#0", "agent", "operator", "representative", "a real person", "human"]
# States that only the greeting's own road reaches: resuming happens after them.
BEFORE_RESUMING = {
    "main.greet",
    "main.which_number",
    "main.identify",
    "main.prove",
    "main.not_theirs",
    "main.try_again",
    "main.give_up",
}


def called(snapshot: Mapping[str, object] | None = None) -> Talk:
    """A call of a member who isn't identified yet; ``snapshot`` is what a look for a dropped call will find."""
    facts = {"call.caller": "5035550101", "member.number": None, "caller.id": "", "caller.identity": "unknown"}
    return Talk(library(), entry="main", queue=QUEUE, facts=facts, perform=False, snapshot=snapshot)


def act(talk: Talk, outcome: ActionResult) -> Talk:
    return talk.send(ActionDone(talk.performed[-1].token, outcome))


def try_way(talk: Talk, way: str) -> Talk:
    return talk.key(way) if way[0] in "0*#" else talk.say(way)


def snapshot_of(flow: str, state: str) -> Mapping[str, object]:
    """A dropped call in ``flow.state``, with everything it could have known."""
    stack = []
    if flow != "main":
        caller = next((s for s, spec in library().flows["main"].states.items() if spec.call == flow), "")
        assert caller, f"nothing in main calls {flow}"
        stack.append({"flow": "main", "state": caller, "variables": {}})
    stack.append({"flow": flow, "state": state, "variables": {}})
    return {"version": library().version, "identity": "likely", "stack": stack}


# Needs what the state before it set; entered bare, the engine itself sends the caller to a human.
NOT_BARE = {
    ("queue", "read"),
    ("queue", "first_title"),
    ("queue", "other_title"),
    ("verify", "check_number"),
    ("verify", "check_caller"),
}


def at(flow: str, state: str) -> Talk | None:
    """A call in that state, or None when entering it bare already brought a human."""
    talk = act(called(snapshot_of(flow, state)), MEMBER).say("yes")
    assert not talk.ends
    assert bool(talk.connects) == ((flow, state) in NOT_BARE), f"{flow}.{state} was not entered"
    return None if talk.connects else talk


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
        talk = at(flow, state)
        if talk is None:
            return  # entering it with nothing filled already brought a human
        try_way(talk, way)
        assert talk.connects, f"{way!r} in {flow}.{state} (now in {talk.dialogue.state})"
        assert not talk.ends


@pytest.mark.parametrize(("flow", "state"), STATES, ids=[f"{f}.{s}" for f, s in STATES])
@pytest.mark.parametrize("part", ["recogniser", "store", "synthesiser"])
def test_a_failing_part_brings_a_human(flow: str, state: str, part: str) -> None:
    talk = at(flow, state)
    if talk is None:
        return
    talk.send(PartFailed(part))
    assert talk.connects
    assert not talk.ends


@pytest.mark.parametrize("way", WAYS)
def test_before_the_member_is_known(way: str) -> None:
    assert try_way(called(), way).connects, "while the greeting plays and the look-up runs"
    asked = act(called(), ActionResult("unknown"))
    assert asked.dialogue.state == "main.which_number"
    assert try_way(asked, way).connects
    again = act(called(), ActionResult("unknown")).key("99999p")
    act(again, ActionResult("unknown"))
    assert again.dialogue.state == "verify.which_pin"
    act(again.key("1111p"), ActionResult("wrong"))
    assert again.dialogue.state == "main.which_number"
    assert try_way(again, way).connects


@pytest.mark.parametrize("way", WAYS)
def test_in_confirmations(way: str) -> None:
    talk = act(called(), MEMBER)
    before = len(talk.performed)
    talk.say("remove vertigo")
    assert len(talk.performed) == before, "removing asks first"
    assert try_way(talk, way).connects


@pytest.mark.parametrize("way", WAYS)
def test_when_nobody_answered_asking_again_tries_again(way: str) -> None:
    talk = try_way(act(called(), MEMBER), "0")
    rung = 0
    for _ in range(2):
        assert len(talk.connects) > rung
        rung = len(talk.connects)
        talk.answer("failed")
    assert len(talk.connects) == rung and not talk.ends
    assert len(try_way(talk, way).connects) > rung
    assert not talk.ends


def test_silence_and_nonsense_end_with_a_human_in_every_question() -> None:
    for flow, state in STATES:
        if library().flows[flow].states[state].kinds[0] != "question":
            continue
        for event in (NoInput(), SpeechHeard(Recognition(Cause.NO_MATCH, (), "xyzzy plugh"))):
            talk = at(flow, state)
            if talk is None:
                continue
            asked = library().flows[flow].states[state].ask
            variable = library().flows[flow].variables.get(asked)
            dictated = variable is not None and variable.type == "text"
            for _ in range(3 + dictated):  # the first nonsense is the text, and then asked about
                talk.send(event)
            assert talk.connects, f"{event} in {flow}.{state}"
            assert not talk.ends
