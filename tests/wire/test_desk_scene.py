"""The demo's scene at the desk: real telephones, a real Chromium, one agent; every outcome that it tells is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.demo.desk_scene import desk, waiting
from ivr.demo.screen import Screen

pytestmark = [pytest.mark.wire, pytest.mark.slow]


async def test_two_wait_for_one_agent_and_nobody_loses_their_place(tmp_path: Path) -> None:
    complaints: list[str] = []
    async with desk(tmp_path / "line", Screen()) as at:
        at.agent.page.on("pageerror", lambda error: complaints.append(str(error)))
        outcome = await waiting(at, Screen(), tmp_path)
    assert len(outcome.checks) >= 13
    assert not [text for held, text in outcome.checks if not held]
    assert not complaints
    assert outcome.recording.stat().st_size > 100_000, "what Ada heard when she was called back"
