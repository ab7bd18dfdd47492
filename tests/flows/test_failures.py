"""After two failures: keys, in words that fit what is asked, and a person within a breath."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ivr.dialogue.engine.contract import NoInput
from ivr.dialogue.engine.gather import MOST_BEFORE_HUMAN
from tests.flows.conftest import Begin
from tests.flows.line import moment

AT: datetime = moment("2026-03-03T10:00")
ADA = {"from": "5035550101"}
LUIS = {"from": "5415550104", "language": "es-ES"}
WAYS: list[tuple[dict[str, Any], list[str]]] = [
    (ADA, []),
    (ADA, ["add a title"]),
    (ADA, ["remove something"]),
    (ADA, ["change the order"]),
    (ADA, ["my disc is scratched"]),
    (ADA, ["report a disc"]),
    (ADA, ["hold my deliveries"]),
    (ADA, ["remove Casablanca"]),
    (LUIS, []),
    (LUIS, ["cambiar el orden"]),
    (LUIS, ["agregar un título"]),
]


@pytest.mark.parametrize(("who", "way"), WAYS)
async def test_a_person_is_named_within_25_words(begin: Begin, who: dict[str, Any], way: list[str]) -> None:
    line = await begin(who, AT)
    for said in way:
        await line.step({"say": said})
    await line.feed(NoInput())
    await line.feed(NoInput())
    human = next(place for place, said in enumerate(line.said) if "person" in said)
    assert len(" ".join(line.said[:human]).split()) <= MOST_BEFORE_HUMAN, line.said
    assert "zero" in line.said[human] or "cero" in line.said[human]


@pytest.mark.parametrize(
    ("who", "way", "words", "unsaid"),
    [
        (ADA, "my disc is scratched", "disc's title", "queue"),
        (ADA, "add a title", "first letters of its name", "queue"),
        (ADA, "remove something", "its place in your queue", "disc"),
        (LUIS, "mi disco está rayado", "título del disco", "lista"),
    ],
)
async def test_keys_are_named_for_what_is_asked(
    begin: Begin, who: dict[str, Any], way: str, words: str, unsaid: str
) -> None:
    line = await begin(who, AT)
    await line.step({"say": way})
    await line.feed(NoInput(), NoInput())
    said = " ".join(line.said)
    assert words in said and unsaid not in said.partition("keys")[2]
