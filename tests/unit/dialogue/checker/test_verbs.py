"""Every verb that the engine runs is known to the checker and has words: a further one cannot be forgotten there."""

from __future__ import annotations

from typing import get_args

from ivr.dialogue.checker.references import _KEYS
from ivr.dialogue.checker.steps import _Compiler
from ivr.dialogue.engine.states import VERBS
from ivr.dialogue.flows.glossary import KINDS, TRANSITIONS
from ivr.dialogue.flows.state import State, TransitionKind


def test_the_checker_compiles_every_verb() -> None:
    assert [kind for kind in VERBS if not hasattr(_Compiler, f"_{kind}")] == []


def test_the_checker_knows_which_keys_go_with_every_verb() -> None:
    assert _KEYS.keys() == VERBS.keys()
    assert set().union(*_KEYS.values()) <= State.model_fields.keys()


def test_verbs_and_transitions_are_in_the_glossary() -> None:
    assert VERBS.keys() <= KINDS.keys()
    assert set(get_args(TransitionKind)) <= TRANSITIONS.keys()
