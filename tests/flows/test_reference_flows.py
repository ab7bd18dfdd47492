"""What the reference flows promise in every state, tried in every state where they listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.engine.contract import PartFailed
from tests.flows.conftest import Begin
from tests.flows.line import Line, moment
from tests.flows.reference import library
from tests.flows.test_scripts import SCRIPTS

SKILLS = ("general", "retention", "discs")
DAY = moment("2026-03-03T10:00")
LISTENING = sorted(
    f"{flow.flow}.{name}"
    for flow in library().flows.values()
    for name, state in flow.states.items()
    if state.ask or state.choices or state.confirm is not None or state.resume
)
WAITING = tuple(name for name in LISTENING if library().flows[name.split(".")[0]].states[name.split(".")[1]].line)
BY_VOICE = ("agent", "operator", "representative", "a real person", "human")
WORRIED = (
    ("cancel my membership", "thinking of cancelling"),
    ("Blockbuster is cheaper", "comparing with a competitor"),
    ("this is ridiculous", "upset"),
    ("I'm thinking of leaving", "thinking of cancelling"),
    ("I'm so angry", "upset"),
)
BY_KEY = ("*0", "#0")


def test_the_checker_finds_nothing() -> None:
    findings = check(library(), LineFacts(skills=SKILLS, services=("deliveries",), entries=("main",)))
    assert findings == (), "\n".join(finding.render() for finding in findings)


# --- in every state -------------------------------------------------------------------------------------------


def leading_to(state: str) -> Iterator[tuple[datetime, Mapping[str, Any], int]]:
    """Scripts that say they come to ``state``, and after how many steps: the shortest way first."""
    found = []
    for _, at, call in SCRIPTS:
        for count, step in enumerate(call["steps"]):
            if step.get("expect", {}).get("state") == state and not call.get("language"):
                found.append((at, call, count))
    yield from sorted(found, key=lambda way: way[2])


@pytest.fixture
async def reach(begin: Begin, state: str) -> AsyncIterator[Any]:
    """Makes calls that have come as far as ``state``, nothing broken."""

    async def go() -> Line:
        for at, call, count in leading_to(state):
            line = await begin(call, at)
            for step in call["steps"][:count]:
                await line.step(step)
            if line.dialogue.facts["call.language"] == "en-US":  # a caller may have chosen another meanwhile
                break
        assert line.dialogue.state == state
        for part in tuple(line.simulation.broken):
            await line.simulation.mend(part)
        return line

    yield go


async def served(line: Line, state: str) -> None:
    """Who waits for a human already goes on waiting, until one is free; and so does who wants one from a state that a
    script came to while everybody was busy."""
    if state in WAITING:
        assert line.dialogue.state == state and line.connected is None
    await line.simulation.line(0)


@pytest.mark.parametrize("state", LISTENING)
async def test_a_human_is_one_word_or_key_away(state: str, reach: Any) -> None:
    for words in BY_VOICE:
        line = await reach()
        await line.step({"say": words})
        await served(line, state)
        await line.finish({"outcome": "connected", "reason": "asked", "skill": "general"})
    for keys in (*BY_KEY, "0"):
        line = await reach()
        await line.step({"key": keys})
        await served(line, state)
        await line.finish({"outcome": "connected", "reason": "asked"})


@pytest.mark.parametrize("state", LISTENING)
async def test_worried_words_bring_a_human_with_the_reason(state: str, reach: Any) -> None:
    words, reason = WORRIED[LISTENING.index(state) % len(WORRIED)]
    line = await reach()
    await line.step({"say": words})
    await served(line, state)
    await line.finish({"outcome": "connected", "reason": reason, "skill": "retention"})


@pytest.mark.parametrize("state", LISTENING)
async def test_a_broken_part_brings_a_human(state: str, reach: Any) -> None:
    for part in ("recogniser", "store"):
        line = await reach()
        await line.feed(PartFailed(part))
        if state in WAITING:  # who waits goes on waiting
            await served(line, state)
        elif state.startswith("human.") and line.connected is None:  # a human was tried already: by keys from here on
            await line.step({"expect": {"state": state, "prompt": "press zero"}})
            await line.step({"key": "*0"})
        await line.simulation.line(0)
        await line.finish({"outcome": "connected"})


@pytest.mark.parametrize("state", LISTENING)
async def test_silence_and_noise_never_hang_up(state: str, reach: Any) -> None:
    for step in ({"silence": True}, {"say": "wobbly custard umbrella"}):
        line = await reach()
        for _ in range(4):  # where a text is dictated the first noise is one, and then asked about
            if line.connected is None:
                await line.step(step)
        await served(line, state)
        await line.finish({"outcome": "connected"})


@pytest.mark.parametrize("state", LISTENING)
async def test_help_repeat_and_back_keep_the_call_going(state: str, reach: Any) -> None:
    for word in ("help", "repeat", "go back"):
        line = await reach()
        await line.step({"say": word})
        assert line.said
        assert line.connected is None and not line.ended


# --- what the demonstration database cannot bring about ----------------------------------------------------------


async def test_nobody_at_the_desk_and_nobody_on_call(begin: Begin) -> None:
    line = await begin({"from": "5035550101"}, moment("2026-03-01T03:00"), {"desk": "closed"})
    await line.step({"key": "0"})
    await line.step({"expect": {"state": "human.offer_callback", "prompt": ["closed", "Nobody is at the desk"]}})
    await line.step({"key": "1"})
    await line.step({"key": "1"})
    await line.finish({"outcome": "callback", "actions": ["callback.request"]})


async def test_a_disc_that_came_back_meanwhile(begin: Begin) -> None:
    line = await begin({"from": "5035550101"}, DAY, {"disc.report": "not_out"})
    await line.step({"say": "my copy of The Lady Vanishes is scratched"})
    await line.step({"say": "yes"})
    await line.step({"expect": {"prompt": "can't find The Lady Vanishes"}})
    await line.finish({"outcome": "connected", "reason": "reported a disc that is not out", "skill": "discs"})


async def test_the_third_damaged_disc_as_the_store_counts_it(begin: Begin) -> None:
    line = await begin({"from": "5035550101"}, DAY, {"disc.report": "third_time"})
    await line.step({"say": "my copy of The Lady Vanishes is scratched"})
    await line.step({"say": "yes"})
    await line.finish({"outcome": "connected", "reason": "third damaged disc", "skill": "discs", "priority": 8})


@pytest.mark.parametrize(
    ("sentence", "action", "outcome", "state", "prompt"),
    [
        ("put Vertigo first", "queue.move_to_position", "not_in_queue", "queue.which_title", "isn't in your queue"),
        ("put Vertigo before Nosferatu", "queue.move_before", "not_in_queue", "queue.which_title", "Vertigo isn't"),
        (
            "put Vertigo before Nosferatu",
            "queue.move_before",
            "other_not_in_queue",
            "queue.which_other",
            "Nosferatu isn't",
        ),
        ("put Vertigo after Nosferatu", "queue.move_after", "already_there", "main.ask", "already"),
        ("swap Vertigo and Nosferatu", "queue.swap", "same_title", "queue.which_other", "one and the same"),
        ("add Citizen Kane", "queue.add", "unknown_title", "queue.which_film", "don't have that one"),
        ("undo that", "queue.undo", "changed_since", "main.ask", "left it alone"),
    ],
)
async def test_a_queue_that_changed_meanwhile(
    begin: Begin, sentence: str, action: str, outcome: str, state: str, prompt: str
) -> None:
    line = await begin({"from": "5035550101"}, DAY, {action: outcome})
    await line.step({"say": sentence})
    await line.step({"expect": {"state": state, "prompt": prompt}})


@pytest.mark.parametrize("outcome", ["failed", "timeout"])
@pytest.mark.parametrize(
    ("sentence", "action"),
    [
        ("what's in my queue", "queue.read"),
        ("what's next", "queue.next"),
        ("put Vertigo first", "queue.move_to_position"),
        ("put Vertigo last", "queue.move_to_position"),
        ("make Vertigo number four", "queue.move_to_position"),
        ("put Vertigo before Nosferatu", "queue.move_before"),
        ("put Vertigo after Nosferatu", "queue.move_after"),
        ("swap Vertigo and Nosferatu", "queue.swap"),
        ("add Citizen Kane", "queue.add"),
        ("add Citizen Kane to the top", "queue.add_to_top"),
        ("remove Vertigo", "queue.remove"),
        ("undo that", "queue.undo"),
        ("The Lady Vanishes never arrived", "disc.report"),
        ("my notes", "notes.read"),
        ("delete my notes", "notes.delete_all"),
        ("hold my deliveries until July fourth", "http.call"),
    ],
)
async def test_a_broken_back_end_brings_a_human(begin: Begin, sentence: str, action: str, outcome: str) -> None:
    line = await begin({"from": "5035550101"}, DAY, {action: outcome})
    await line.step({"say": sentence})
    if action.startswith("notes."):
        await line.step({"key": "2401"})
    if line.connected is None:
        await line.step({"say": "yes"})
    await line.step({"expect": {"prompt": "Sorry"}})
    await line.finish({"outcome": "connected", "actions": [action]})
