"""Identity in a call: refused below the level, given by outcomes only, never mixed, and no dropped call of others'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ivr.dialogue.engine.contract import ActionDone, KeyPressed, LoadResume, Perform, Record, ResumeLoaded, Start
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.events import ActionResult
from ivr.record import Decided
from tests.unit.dialogue.checker.test_identity_reached import EDGES, HUMAN, MAIN, SIGNATURES, UNIVERSALS
from tests.unit.dialogue.talk import NOW, Talk, reference

ADA = {"caller.id": "10001", "member.number": "10001", "member.first_name": "Ada", "queue.size": 3}


def flows(act: str, go: str = "act") -> FlowLibrary:
    main = MAIN.replace("ACT", act).replace("GO", go).replace("UNKNOWN", "ask")
    loaded = load_library({"main.yaml": main, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}, SIGNATURES)
    assert loaded.library is not None, loaded.findings
    return loaded.library


def calling(library: FlowLibrary, outcome: str = "ok", **facts: object) -> Talk:
    """A call whose caller was looked up, with that outcome."""
    talk = Talk(library, entry="main", perform=False, facts={"caller.id": "", "caller.identity": "unknown"})
    return done(talk, outcome, **facts)


def done(talk: Talk, outcome: str, **facts: object) -> Talk:
    return talk.send(ActionDone(talk.performed[-1].token, ActionResult(outcome, facts=facts)))


def level(talk: Talk) -> object:
    return talk.dialogue.facts["caller.identity"]


# -- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["tell", "wipe"])
def test_below_its_level_an_action_is_not_done_and_a_human_comes(action: str) -> None:
    talk = calling(flows(f"action: {action}, confirm: {{policy: explicit, prompt: Now?}}, on: {EDGES}"))
    assert level(talk) == "unverified", "found by a number that is withheld here"
    before = len(talk.performed)
    talk.say("do it now")
    assert len(talk.performed) == before
    assert talk.connect.reason == "identity not verified"
    assert talk.said.startswith("For that I have to be sure who you are. Let me get you a person.")


def test_it_goes_where_the_flow_leads_refusals_and_on_once_verified() -> None:
    talk = calling(flows(f"action: tell, on: {EDGES.replace('{ok', '{not_verified: which, ok')}"))
    talk.say("do it now")
    assert talk.dialogue.state == "main.which"
    talk.key("1234p")
    done(talk, "ok")
    assert level(talk) == "verified"
    assert not [each for each in talk.dialogue.tried if each.endswith(": ok")], "who they are was not tried for them"
    assert talk.dialogue.facts["caller.identity_by"] == "PIN"
    talk.say("do it now")
    assert talk.performed[-1].name == "tell"


def test_what_the_service_itself_refuses_is_refused() -> None:
    act = "http: {service: s, path: /a, needs: unknown}, on: {ok: done, refused: done, failed: human, timeout: human}"
    talk = calling(flows(act), "unknown").say("do it now")
    done(talk, "not_verified")
    assert talk.connect.reason == "identity not verified"


def test_an_http_call_can_verify() -> None:
    act = (
        "http: {service: s, path: /a, needs: unknown, gives: verified, by: PIN}, "
        "on: {ok: done, refused: done, failed: human, timeout: human}"
    )
    talk = calling(flows(act), "unknown").say("do it now")
    assert level(done(talk, "ok")) == "verified"
    assert Record(Decided("identity", "verified", {"by": "PIN"})) in talk.effects


# -- given --------------------------------------------------------------------------------------------------------


def test_no_back_end_writes_a_level() -> None:
    talk = calling(flows(f"action: hours, on: {EDGES}"), "unknown").say("do it now")
    done(talk, "ok", **{"caller.identity": "verified", "caller.identity_by": "PIN", "call.caller_trusted": True})
    assert level(talk) == "unknown"
    assert talk.dialogue.facts["call.caller_trusted"] is False


def test_who_becomes_somebody_else_keeps_neither_level_nor_facts() -> None:
    talk = member(reference(), ADA)
    assert level(talk) == "likely"
    talk.say("what's next")
    done(talk, "ok", **{"caller.id": "10002", "member.number": "10002"})
    assert level(talk) == "unknown"
    assert "member.first_name" not in talk.dialogue.facts
    assert "queue.size" not in talk.dialogue.facts


def test_a_late_answer_changes_nobody() -> None:
    talk = Talk(reference(), entry="main", perform=False, facts={"caller.id": "", "caller.identity": "unknown"})
    looked_up = talk.performed[-1].token
    talk.key("0")
    talk.send(ActionDone(looked_up, ActionResult("found", facts=ADA)))
    assert level(talk) == "unknown"
    assert not talk.dialogue.facts["caller.id"]


@pytest.mark.parametrize(("trusted", "expected"), [(True, "likely"), (False, "unverified")])
def test_a_number_makes_likely_only_where_it_can_be_trusted(trusted: bool, expected: str) -> None:
    start = Start("test", caller="5035550101", caller_trusted=trusted)
    dialogue = Dialogue(reference(), start)
    perform = next(e for e in dialogue.begin(NOW) if isinstance(e, Perform))
    dialogue.handle(ActionDone(perform.token, ActionResult("found", facts=ADA)), NOW)
    assert dialogue.facts["caller.identity"] == expected


# -- dropped calls ------------------------------------------------------------------------------------------------


def member(library: FlowLibrary, facts: Mapping[str, Any], number: str = "5035550101") -> Talk:
    """A call from a number that is on file."""
    about = {"caller.id": "", "caller.identity": "unknown", "call.caller": number}
    talk = Talk(library, entry="main", perform=False, facts=about)
    return talk.send(ActionDone(talk.performed[-1].token, ActionResult("found", facts=facts)))


def offered(now: str, kept: str, number: str = "5035550101") -> bool:
    """Whether a call dropped at level ``kept``, from 5035550101, is offered to the same member at level ``now``."""
    facts = {"caller.id": "10001", "caller.identity": now}
    start = Start("test", entry="main", caller=number, facts=facts)
    dialogue = Dialogue(reference(), start)
    perform = next(e for e in dialogue.begin(NOW) if isinstance(e, Perform))
    effects = dialogue.handle(ActionDone(perform.token, ActionResult("unknown")), NOW)
    assert dialogue.state == "main.which_number"
    for key in "10001":
        effects += dialogue.handle(KeyPressed(key), NOW)
    token = next(e for e in effects if isinstance(e, Perform)).token
    outcome = "found" if now == "likely" else "claimed"
    effects = dialogue.handle(ActionDone(token, ActionResult(outcome, facts=ADA)), NOW)
    load = next((e for e in effects if isinstance(e, LoadResume)), None)
    if load is None:
        return False
    stack = [{"flow": "main", "state": "ask", "variables": {}}]
    found = {"identity": kept, "caller": "5035550101", "state": "main.ask", "stack": stack}
    dialogue.handle(ResumeLoaded(load.token, found), NOW)
    return dialogue.mode == "resume"


@pytest.mark.parametrize(
    ("now", "kept", "number", "expected"),
    [
        ("likely", "likely", "5035550101", True),
        ("likely", "likely", "2125550199", True),  # another phone of theirs
        ("verified", "verified", "2125550199", True),
        ("likely", "verified", "5035550101", True),  # the same phone
        ("likely", "verified", "2125550199", False),
        ("unverified", "likely", "5035550101", False),
        ("unverified", "unverified", "5035550101", False),
        ("likely", "unverified", "5035550101", False),  # whoever left it there was nobody known
        ("likely", "", "5035550101", False),
    ],
)
def test_a_dropped_call_is_offered_to_whom_it_belongs(now: str, kept: str, number: str, expected: bool) -> None:
    assert offered(now, kept, number) is expected


def test_a_snapshot_says_whose_it_is_and_nobodys_is_kept() -> None:
    talk = member(reference(), ADA)
    snapshot = talk.dialogue.snapshot()
    assert snapshot is not None
    assert snapshot["identity"] == "likely"
    unknown = Talk(reference(), entry="main", perform=False, facts={"caller.id": "", "caller.identity": "unknown"})
    assert unknown.dialogue.snapshot() is None
