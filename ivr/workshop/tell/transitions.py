"""A transition in words: a few for a picture, or the beginning of a sentence about callers."""

from __future__ import annotations

from ivr.dialogue.flows.state import Transition


def short(transition: Transition) -> str:
    """A few words for a picture."""
    name = transition.name
    match transition.kind:
        case "answer":
            return f"{name} given"
        case "case":
            return f"if {name}" if name else "otherwise"
        case "then":
            return "then"
        case "no":
            return "said no"
        case "universal":
            return f"asks for {name}" if name != "back" else "goes back"
        case _:
            return name


def told(transition: Transition) -> str:
    """When it is taken, as the beginning of a sentence about callers."""
    name = transition.name
    match transition.kind:
        case "answer":
            return f"once {name} is known"
        case "choice":
            return f"callers who choose {name}" + (f" (if {transition.condition})" if transition.condition else "")
        case "outcome":
            return f"after '{name}'"
        case "result":
            return f"when the sub-flow returns '{name}'"
        case "case":
            return f"if {name}" if name else "otherwise"
        case "then":
            return "then"
        case "no":
            return "callers who say no"
        case "universal":
            return f"callers who ask for {name}"
