"""A scene of the demo that does not come to its end: told as a failure in words, and the demo goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.demo.__main__ import played
from ivr.demo.scenes import Outcome
from ivr.errors import ConfigError, TelephonyError

pytestmark = pytest.mark.asyncio
DONE = Outcome("zero", Path("b-zero.wav"))


async def scene(raised: Exception | None = None) -> Outcome:
    if raised is not None:
        raise raised
    return DONE


async def test_one_that_ends_is_what_it_is() -> None:
    assert await played("zero", scene()) is DONE


@pytest.mark.parametrize(
    ("raised", "why"),
    [(TimeoutError(), "what it waited for did not come"), (TelephonyError("nobody answered"), "nobody answered")],
)
async def test_one_that_does_not_is_a_failure_in_words(raised: Exception, why: str) -> None:
    outcome = await played("zero", scene(raised))
    assert outcome.checks == [(False, f"the scene “zero” did not come to its end: {why}")]
    assert not outcome.recording.exists()


async def test_a_machine_that_cannot_show_it_is_told_at_once() -> None:
    with pytest.raises(ConfigError):
        await played("zero", scene(ConfigError("no such voice")))
