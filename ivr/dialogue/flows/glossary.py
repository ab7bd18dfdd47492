"""Glossary of the flow language: what its keys, kinds, policies, risks and targets mean, in words (``glossary.yaml``).

For editors' hovers, remedies, pictures, ``ivr flow explain`` and ``ivr flow diff`` alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from ivr.dialogue.flows.state import State, Transition

Words = Mapping[str, str]

SOURCE = files(__package__).joinpath("glossary.yaml").read_text("utf-8")
_ALL: Mapping[str, Any] = yaml.load(SOURCE, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
KINDS: Mapping[str, Words] = _ALL["kinds"]
TRANSITIONS: Mapping[str, Words] = _ALL["transitions"]
TARGETS: Words = _ALL["targets"]
POLICIES: Words = _ALL["policies"]
RISKS: Words = _ALL["risks"]
PROMPTS: Words = _ALL["prompts"]
VERBS: Words = _ALL["verbs"]
NOUNS: Words = _ALL["nouns"]
_KEYS: Words = _ALL["keys"]


def key_help(key: str, model: str = "") -> str:
    """What ``key`` of a flow file means, in ``model`` where it means something particular there; "" for no key."""
    text = _KEYS.get(f"{model}.{key}") or _KEYS.get(key, "")
    for name, words in (("POLICIES", POLICIES), ("RISKS", RISKS)):
        text = text.replace(name, "; ".join(f"{value}: {meaning}" for value, meaning in words.items()) + ".")
    return text


def detail(state: State) -> str:
    """What the state does, in a few words."""
    return KINDS[state.kinds[0]]["does"].format(state=state).strip()


def short(transition: Transition) -> str:
    """A few words for a picture."""
    return _told(transition, "short")


def taken(transition: Transition) -> str:
    """When it is taken, as the beginning of a sentence about callers."""
    only = f" (if {transition.condition})" if transition.kind == "choice" and transition.condition else ""
    return _told(transition, "taken") + only


def written(transition: Transition) -> str:
    """As the file has it, with its key."""
    return _told(transition, "written") + (f" (key {transition.key})" if transition.key else "")


def _told(transition: Transition, how: str) -> str:
    words = TRANSITIONS.get(f"{transition.kind}.{transition.name}") or TRANSITIONS[transition.kind]
    return words[how].format(name=transition.name)
