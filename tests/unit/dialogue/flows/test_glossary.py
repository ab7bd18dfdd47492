"""The glossary explains every key, kind, policy, risk and target of the flow language, and no other."""

from __future__ import annotations

from typing import get_args

import pytest
import yaml

from ivr.dialogue.flows import company_file, glossary, model, prompt, state
from ivr.dialogue.flows.signature import Risk
from ivr.dialogue.flows.state import RESERVED_TARGETS, WAIT_TARGETS, ConfirmPolicy, State, TransitionKind, Wait

NODES = {
    value.__name__: value
    for part in (prompt, state, model, company_file)
    for value in vars(part).values()
    if isinstance(value, type) and issubclass(value, prompt.Node) and value is not prompt.Node
}
KEYS = {(name, field.alias or key) for name, node in NODES.items() for key, field in node.model_fields.items()}
EVERYTHING = State.model_construct(**dict.fromkeys(State.model_fields, True) | {"wait": Wait()})  # type: ignore[arg-type]


def test_every_key_is_explained() -> None:
    assert not [f"{name}.{key}" for name, key in sorted(KEYS) if not glossary.key_help(key, name)]


def test_nothing_else_is() -> None:
    known = {key for _, key in KEYS} | {f"{name}.{key}" for name, key in KEYS}
    assert set(yaml.safe_load(glossary.SOURCE)["keys"]) <= known


@pytest.mark.parametrize(
    ("explained", "there_are"),
    [
        (glossary.KINDS, {*EVERYTHING.kinds, *State().kinds}),
        (glossary.POLICIES, set(get_args(ConfirmPolicy))),
        (glossary.RISKS, set(get_args(Risk))),
        (glossary.TARGETS, RESERVED_TARGETS | WAIT_TARGETS),
        ({name.partition(".")[0] for name in glossary.TRANSITIONS}, set(get_args(TransitionKind))),
        (
            {"prompt" if name == "" else name for name in glossary.PROMPTS} - {"confirm"},
            {
                name
                for model in (State, Wait)
                for name, field in model.model_fields.items()
                if "PromptItem" in str(field.annotation)
            },
        ),
    ],
    ids=["kinds", "policies", "risks", "targets", "transitions", "prompts"],
)
def test_the_words_are_those_of_the_model(explained: set[str], there_are: set[str]) -> None:
    assert set(explained) == there_are


def test_the_words_say_something() -> None:
    for words in (*glossary.KINDS.values(), *glossary.TRANSITIONS.values()):
        assert all(words.values())
    assert {*map(frozenset, glossary.KINDS.values())} == {frozenset({"noun", "does"})}
    assert {*map(frozenset, glossary.TRANSITIONS.values())} == {frozenset({"short", "taken", "written"})}


def test_policies_and_risks_stand_in_the_hovers() -> None:
    for value, meaning in {**glossary.POLICIES}.items():
        assert f"{value}: {meaning}" in glossary.key_help("policy")
    for value, meaning in {**glossary.RISKS}.items():
        assert f"{value}: {meaning}" in glossary.key_help("risk", "Http")
