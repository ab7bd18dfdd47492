"""The checker and the engine mean the same language: no call ever does what the checker says cannot happen.

Random small flows are run by the real engine with a random caller and random back ends.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

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
    NoInput,
    Perform,
    Record,
    Start,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import load_library
from ivr.events import ActionResult
from ivr.record import Entered, Failed
from tests.unit.dialogue.checker.brute import SIGNATURES, Verdict, as_files, random_flows, search
from tests.unit.examples import examples

TURNS = 25
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _answer(dice: random.Random, effects: list[Effect]) -> DialogueEvent | None:
    """Something that may happen next: an action's or a handoff's end, silence, or a key."""
    for effect in reversed(effects):
        if isinstance(effect, Perform):
            outcomes = SIGNATURES[effect.name].all_outcomes
            outcome = dice.choice(outcomes)
            values = {"value": 1} if outcome not in ("failed", "timeout") else {}
            return ActionDone(effect.token, ActionResult(outcome, values))
        if isinstance(effect, Connect):
            return HandoffDone(effect.token, dice.choice(["closed", "failed"]))
    if effects and isinstance(effects[-1], End):
        return None
    listens = [e for e in effects if isinstance(e, Listen)]
    keyed = dice.random()
    if keyed < 0.35:
        return KeyPressed(dice.choice("12"))
    if keyed < 0.6:
        return KeysPaused()
    return NoInput(listens[-1].token) if listens else NoInput()


def run(seed: int) -> tuple[set[tuple[str, str]], list[str], Verdict]:
    """One call: the states it came to, what broke inside the engine, and what the search says of these flows."""
    flows = random_flows(seed)
    library = load_library(as_files(flows), SIGNATURES).library
    assert library is not None
    truth = search(flows)
    dice = random.Random(seed)
    facts = {"hours.open": dice.random() < 0.5, "call.caller": dice.choice(["", "100"])}
    dialogue = Dialogue(library, Start("c", seed=1, facts=facts))
    visited: set[tuple[str, str]] = set()
    broken: list[str] = []
    pending: list[Effect] = []
    effects = dialogue.begin(NOON)
    for turn in range(TURNS):
        for effect in effects:
            match effect:
                case Record(Entered(entered)):
                    flow, _, state = entered.partition(".")
                    visited.add((flow, state))
                case Record(Failed() as failed):
                    broken.append(str(failed))
            if isinstance(effect, (Perform, Connect, Listen, End)):
                pending = [effect] if not isinstance(effect, Listen) else [*pending, effect]
        if dialogue.ended:
            break
        event = _answer(dice, pending)
        if event is None:
            break
        if isinstance(event, (ActionDone, HandoffDone)):
            pending = []
        effects = dialogue.handle(event, NOON + timedelta(seconds=turn + 1))
    return visited, broken, truth


def clean(truth: Verdict) -> bool:
    """Where the checker objects the engine may take its own way out; everywhere else they must agree."""
    return not (truth.loops or truth.unfilled or truth.nothing_before or truth.no_else)


@examples(300)
@given(st.integers(0, 2**48))
def test_a_call_goes_only_where_the_checker_has_been(seed: int) -> None:
    visited, broken, truth = run(seed)
    if clean(truth):
        assert visited <= truth.visited
        # an answer to the very first question that leads back is passed through again: the engine stops that circle
        assert broken == [] or '"back"' in str(as_files(random_flows(seed)))


def test_the_calls_are_worth_the_name() -> None:
    """Enough of them run through clean flows, and through several states."""
    calls = [run(seed) for seed in range(600)]
    long = [visited for visited, _, truth in calls if clean(truth) and len(visited) >= 4]
    assert len(long) >= 10
