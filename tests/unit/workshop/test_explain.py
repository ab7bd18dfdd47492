"""States in plain words."""

from __future__ import annotations

import itertools

import pytest

from ivr.errors import FlowError
from ivr.reference import COMPANY
from ivr.workshop.folder import state_of
from ivr.workshop.tell.explain import explain_flow, explain_state
from ivr.workshop.tell.routes import AT_HUMAN, route_to, route_to_human
from tests.unit.workshop.reference import reference

STATES = [(f.flow, s) for f in reference().flows.values() for s in f.states]


def _section(text: str, heading: str) -> str:
    blocks = [b for b in text.split("\n\n") if b.startswith(heading)]
    assert len(blocks) == 1, f"one {heading!r} in\n{text}"
    return " ".join(blocks[0].split())


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
@pytest.mark.parametrize(("flow", "state"), STATES)
def test_every_state_can_be_explained(flow: str, state: str, language: str) -> None:
    text = explain_state(reference(), flow, state, language=language).render()
    assert text.startswith(f"{flow}.{state}: ")
    assert _section(text, "To a human")
    assert "no call comes here" not in text
    arrivals = _section(text, "How callers get here")
    for name, other in reference().flows[flow].states.items():
        if any(w.target == state for w in other.transitions()):
            assert name in arrivals


def test_a_question_says_what_callers_hear_say_and_key() -> None:
    text = explain_state(reference(), "notes", "what_now").render()
    assert "Should we keep them, delete them, or correct something?" in _section(text, "What they hear")
    said = _section(text, "What they can say")
    assert "“keep them”" in said
    assert "correct: “correct them”" in said and "which_note" in said
    offered = _section(explain_state(reference(), "discs", "offer").render(), "What they can say")
    assert "a human (reason: disc reported," in offered
    assert "3: correcting something" in _section(text, "What they can key")
    patience = _section(text, "When callers are silent")
    assert "nothing is heard for 6 s" in patience
    assert "the third time" in patience


def test_phrases_carry_real_titles() -> None:
    text = _section(explain_state(reference(), "main", "ask", examples=COMPANY.examples).render(), "What they can say")
    assert "“remove Casablanca”" in text
    assert "{" not in text


def test_an_action_says_what_is_confirmed_and_what_fails() -> None:
    text = explain_state(reference(), "queue", "remove").render()
    done = _section(text, "What is done")
    assert "beforehand callers are always asked" in done
    assert "“Take {title} out of your queue?”" in done
    assert "after 'ok': removed" in _section(text, "Where it leads")
    assert "when something of ours breaks (failed or timeout): sorry (and so to a human)" in _section(
        text, "To a human"
    )


def test_spanish_words() -> None:
    text = explain_state(reference(), "hold", "until", language="es-ES").render()
    assert "¿Hasta qué día detenemos sus envíos?" in text
    assert "cuatro de julio" in _section(text, "What they can say")


def test_hours_of_the_human_flow() -> None:
    text = explain_state(reference(), "human", "after_hours").render()
    assert "after 'closed': nobody_here" in _section(text, "Where it leads")


def test_a_flow_lists_its_states_and_who_calls_it() -> None:
    text = explain_flow(reference(), "hold").render()
    assert "main.hold calls it" in text
    assert "returns" in text
    for state in reference().flows["hold"].states:
        assert f"  {state}: " in text


@pytest.mark.parametrize(("flow", "state"), STATES)
def test_routes_are_real(flow: str, state: str) -> None:
    library = reference()
    route = route_to(library, (flow, state))
    assert route is not None
    for one, other in itertools.pairwise(route):
        assert one.target == other.source
    for step in route:
        if step.transition is not None:
            assert step.transition in list(library.flows[step.source[0]].states[step.source[1]].transitions())


def test_the_way_knows_what_was_passed_on() -> None:
    route = route_to(reference(), ("queue", "swap"))
    assert route is not None
    assert ("main", "swap") in [s.source for s in route], "only that call passes request: swap"


def test_the_route_to_a_human() -> None:
    route = route_to_human(reference(), ("hold", "hold"))
    assert route is not None
    assert [s.target for s in route] == [("hold", "sorry"), AT_HUMAN]


def test_names_of_states() -> None:
    assert state_of(reference(), "pick_up") == ("main", "pick_up")
    with pytest.raises(FlowError, match="several flows"):
        state_of(reference(), "sorry")
    with pytest.raises(FlowError, match="which_title"):
        state_of(reference(), "queue.wich_title")


@pytest.mark.parametrize(
    "language, said", [("en-US", "the four digits of your PIN"), ("es-ES", "las cuatro cifras de su clave")]
)
def test_how_an_answer_is_keyed_is_told_in_the_words_of_its_state(language: str, said: str) -> None:
    text = explain_state(reference(), "verify", "which_pin", language=language).render()
    assert said in " ".join(text.split())
