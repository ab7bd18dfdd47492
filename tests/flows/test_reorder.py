"""The ways people ask for another order, each in one sentence at the open question, each ending in the right queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flows.conftest import Begin
from tests.flows.line import moment

START = (
    "Metropolis",
    "Vertigo",
    "Casablanca",
    "The General",
    "City Lights",
    "Nosferatu",
    "The Third Man",
    "Rear Window",
)
Change = Callable[[list[str]], None]


def to(position: int, title: str) -> Change:
    def change(queue: list[str]) -> None:
        queue.remove(title)
        queue.insert(position - 1 if position > 0 else len(queue), title)

    return change


def beside(title: str, other: str, after: int = 0) -> Change:
    def change(queue: list[str]) -> None:
        queue.remove(title)
        queue.insert(queue.index(other) + after, title)

    return change


def swapped(title: str, other: str) -> Change:
    def change(queue: list[str]) -> None:
        a, b = queue.index(title), queue.index(other)
        queue[a], queue[b] = queue[b], queue[a]

    return change


SENTENCES: list[tuple[str, Change]] = [
    ("move Casablanca to the top", to(1, "Casablanca")),
    ("please move Casablanca to the top of my queue", to(1, "Casablanca")),
    ("put The Third Man first", to(1, "The Third Man")),
    ("bump Nosferatu up to the top", to(1, "Nosferatu")),
    ("I want to see City Lights next", to(1, "City Lights")),
    ("send me Rear Window next", to(1, "Rear Window")),
    ("The General should be first", to(1, "The General")),
    ("could Vertigo be next", to(1, "Vertigo")),
    ("make Vertigo number three", to(3, "Vertigo")),
    ("move Rear Window to number two", to(2, "Rear Window")),
    ("put Nosferatu in position four", to(4, "Nosferatu")),
    ("move City Lights to second place", to(2, "City Lights")),
    ("put Metropolis fifth", to(5, "Metropolis")),
    ("Casablanca should be number six", to(6, "Casablanca")),
    ("put Nosferatu before Vertigo", beside("Nosferatu", "Vertigo")),
    ("move Rear Window ahead of Casablanca", beside("Rear Window", "Casablanca")),
    ("I want to see The General before Metropolis", beside("The General", "Metropolis")),
    ("Metropolis should come after City Lights", beside("Metropolis", "City Lights", 1)),
    ("put Vertigo right behind Nosferatu", beside("Vertigo", "Nosferatu", 1)),
    ("move Casablanca below The Third Man", beside("Casablanca", "The Third Man", 1)),
    ("swap Metropolis and Rear Window", swapped("Metropolis", "Rear Window")),
    ("switch the places of Vertigo and Nosferatu", swapped("Vertigo", "Nosferatu")),
    ("exchange City Lights and Casablanca", swapped("City Lights", "Casablanca")),
    ("let The General and Metropolis change places", swapped("The General", "Metropolis")),
    ("put Metropolis at the bottom of my queue", to(0, "Metropolis")),
    ("Vertigo can wait", to(0, "Vertigo")),
]


@pytest.mark.parametrize(("sentence", "change"), SENTENCES, ids=[sentence for sentence, _ in SENTENCES])
async def test_one_sentence_is_enough(sentence: str, change: Change, begin: Begin) -> None:
    line = await begin({"from": "5035550101"}, moment("2026-03-03T10:00"))
    await line.step({"say": sentence})
    if not line.dialogue.state.startswith("main."):  # it may ask back first; it may not act on a guess
        await line.step({"say": "yes"})
    expected = list(START)
    change(expected)
    await line.finish({"queue": expected})
    await line.step({"expect": {"state": "main.ask"}})
