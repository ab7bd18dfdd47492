"""Why a human is wanted, on the flows that ship: what the caller said counts, whatever happens on the way."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import NoInput
from tests.flows.conftest import Begin
from tests.flows.line import moment

AT = moment("2026-03-03T10:00")
ADA = {"from": "5035550101"}


@pytest.mark.parametrize(
    ("steps", "reason", "also"),
    [
        ([{"say": "i want to cancel my membership"}], "thinking of cancelling", ["silent"]),
        ([{"say": "agent"}, {"say": "cancel my account"}], "thinking of cancelling", ["asked", "silent"]),
        ([{"say": "this is bullshit"}], "swearing", ["silent"]),
        ([{"say": "agent"}], "asked", ["silent"]),
        ([{"fail": "action:queue.next"}, {"say": "what's next"}], "the line could not reach the queue", ["silent"]),
        (
            [{"fail": "action:queue.next"}, {"say": "what's next"}, {"key": "0"}],
            "asked",
            ["the line could not reach the queue", "silent"],
        ),
    ],
)
async def test_three_silences_change_no_reason(
    begin: Begin, steps: list[dict[str, str]], reason: str, also: list[str]
) -> None:
    line = await begin(ADA, AT)
    await line.step({"fail": "agent"})
    for step in steps:
        await line.step(step)
    await line.step({"mend": "agent"})
    await line.feed(NoInput(), NoInput(), NoInput())
    assert line.connected is not None
    assert line.connected.reason == line.dialogue.reason == reason
    assert [other.reason for other in line.connected.also] == also
