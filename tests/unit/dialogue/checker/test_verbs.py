"""Every verb that the engine runs is known to the checker and has words: a further one cannot be forgotten there."""

from __future__ import annotations

import ast
import inspect
from typing import get_args

from ivr.dialogue.checker import steps
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


def test_the_proof_takes_every_kind_of_transition() -> None:
    """A kind that no verb's compiler asks for would be left out of the proof without a word."""
    taken: set[object] = set()
    for node in ast.walk(ast.parse(inspect.getsource(steps))):
        match node:
            case ast.Call(func=ast.Name(id="_each" | "_only"), args=[_, ast.Constant(value=kind), *_]):
                taken.add(kind)
            case ast.Compare(left=ast.Attribute(attr="kind"), ops=[ast.Eq()], comparators=[ast.Constant(value=kind)]):
                taken.add(kind)
    assert set(get_args(TransitionKind)) <= taken
