"""Pictures, traffic and what simulated calls may be given, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.web.console import console


async def fetch(session: aiohttp.ClientSession, url: str, status: int = 200) -> Mapping[str, Any]:
    async with session.get(url) as answer:
        told: Mapping[str, Any] = await answer.json()
        assert answer.status == status, told
        return told


async def test_pictures_traffic_and_benches(tmp_path: Path) -> None:
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        flows = f"{served.base}/api/flows"
        live = await fetch(session, f"{flows}/discs/picture")
        assert (live["flow"], live["draft"]) == ("discs", "")
        assert not [found for found in live["findings"] if found["severity"] == "error"]
        assert live["version"] == served.serving.live.versions["discs"]
        assert (await fetch(session, f"{flows}/discs/picture?draft=newest"))["version"] == live["version"]

        caller = served.call()
        await caller.hang_up()
        told = await fetch(session, f"{flows}/main/traffic?days=1")
        assert (told["flow"], told["days"], told["calls"]) == ("main", 1, 1)
        assert told["states"]["greet"]["entered"] == 1

        bench = await fetch(session, f"{flows}/main/bench")
        assert bench["languages"] == list(served.serving.live.languages)
        assert "deliveries" in bench["services"] and "recogniser" in bench["parts"]


async def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        flows = f"{served.base}/api/flows"
        for what in ("picture", "traffic", "bench", "picture?draft=newest"):
            assert "there is no flow nowhere" in (await fetch(session, f"{flows}/nowhere/{what}", 404))["error"]
        for what in ("picture", "bench"):
            assert "there is no draft 7" in (await fetch(session, f"{flows}/main/{what}?draft=7", 404))["error"]
        for days in ("0", "367", "week"):
            assert "days must be" in (await fetch(session, f"{flows}/main/traffic?days={days}", 400))["error"]


async def test_a_draft_is_called_or_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    async with (
        console(tmp_path) as served,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{served.base}/flows/main/simulator") as socket,
    ):
        await socket.send_json({"call": {"caller": "5035550101", "draft": "7"}})
        assert "there is no draft 7" in (await socket.receive_json(timeout=60))["error"]
        await socket.send_json({"call": {"caller": "5035550101", "draft": "newest"}})
        assert (await socket.receive_json(timeout=60))["state"] == "main.ask"
