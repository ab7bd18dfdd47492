"""Who gets in, and what other sites can't make a browser do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from ivr.web.live import Feed
from tests.web.console import Console, console
from tests.web.people import EVERYTHING, PASSWORD, browser

BEARER = {"Authorization": "Bearer hunter2"}
BROWSER = {"Accept": "text/html"}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as running:
        yield running


@pytest.fixture
async def open_one(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path) as running:
        yield running


async def test_a_form_needs_its_own_page(guarded: Console, client: aiohttp.ClientSession) -> None:
    base = guarded.base
    async with client.get(f"{base}/calls", headers=BROWSER) as answer:
        assert answer.url.path == "/login"
    for onwards in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        async with client.post(
            f"{base}/login", data={"name": "rosa", "password": PASSWORD, "next": onwards}, allow_redirects=False
        ) as answer:
            assert answer.headers["Location"] in ("/desk", "/board", "/calls")
    async with client.get(f"{base}/calls", headers=BROWSER) as answer:
        page = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    for data, headers in (
        ({}, {}),
        ({"csrf": "guess"}, {}),
        ({"csrf": found[1]}, {"Origin": "http://evil.example"}),
        ({"csrf": found[1]}, {"Origin": "null"}),
    ):
        async with client.post(f"{base}/flows/rollback", data=data, headers=headers) as answer:
            assert answer.status == 403
    async with client.post(f"{base}/logout", data={"csrf": found[1]}, headers={"Origin": base}) as answer:
        assert answer.url.path == "/login"
    async with client.get(f"{base}/api/calls") as answer:
        assert answer.status == 401


async def test_another_site_cannot_open_the_simulator(open_one: Console, client: aiohttp.ClientSession) -> None:
    address = f"{open_one.base}/flows/main/simulator"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(address, headers={"Origin": "http://evil.example"})
    assert refused.value.status == 403
    async with client.ws_connect(address, headers={"Origin": open_one.base}) as ws:
        await ws.send_str("[1")
        assert "error" in await ws.receive_json()
        await ws.send_json({"line": "hello"})
        assert (await ws.receive_json())["error"] == "call first"
        await ws.send_json({"call": {"caller": "5035550101"}})
        assert (await ws.receive_json())["state"] == "main.ask"
        await ws.send_json({"line": "/fail nonsense"})
        assert "nonsense" in (await ws.receive_json())["error"]


async def test_without_a_token_only_plain_addresses_are_served(
    open_one: Console, client: aiohttp.ClientSession
) -> None:
    for host, status in (("evil.example", 401), ("203.0.113.7", 401), ("localhost", 200), ("127.0.0.1", 200)):
        async with client.get(f"{open_one.base}/api/calls", headers={"Host": host}) as answer:
            assert answer.status == status


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"])
async def test_a_proxy_that_nobody_told_us_of_makes_nobody_local(
    open_one: Console, client: aiohttp.ClientSession, header: str
) -> None:
    """It runs beside us: whom it asks for is not at this machine."""
    for path in ("/api/calls", "/metrics"):
        async with client.get(f"{open_one.base}{path}", headers={header: "127.0.0.1"}) as answer:
            assert answer.status in (401, 404), path
    async with client.get(f"{open_one.base}/readyz", headers={header: "127.0.0.1"}) as answer:
        assert "media" not in await answer.json()


async def test_a_proxy_of_ours_makes_local_whom_it_names_as_such(tmp_path: Path) -> None:
    async with console(tmp_path, trusted_proxies=["127.0.0.1"]) as served, browser() as session:
        for client_, status in (("127.0.0.1", 200), ("203.0.113.5", 401), ("unknown", 401), ("", 401)):
            async with session.get(f"{served.base}/api/calls", headers={"X-Forwarded-For": client_}) as answer:
                assert answer.status == status, client_
        async with session.get(f"{served.base}/api/calls", headers={"X-Forwarded-Proto": "https"}) as answer:
            assert answer.status == 401, "it does not say for whom"


async def test_programs_roll_back_with_a_bearer(guarded: Console, client: aiohttp.ClientSession) -> None:
    url = f"{guarded.base}/api/flows/rollback"
    async with client.post(url, json={}) as answer:
        assert answer.status == 401
    async with client.post(url, json={}, headers=BEARER) as answer:
        assert answer.status == 409, "nothing before it"
    async with client.post(url, data="nonsense", headers=BEARER) as answer:
        assert answer.status == 400
    async with client.get(f"{guarded.base}/api/flows", headers=BEARER) as answer:
        body = await answer.json()
    assert body["version"] == guarded.serving.live.version
    assert body["findings"] == [] and len(body["flows"]) == len(guarded.serving.live.flows)


async def test_going_back_may_take_longer_than_the_store(
    guarded: Console, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is checked and its prompts are rendered: nobody is told that the store does not answer."""
    monkeypatch.setattr("ivr.web.backend.STORE_TIMEOUT_S", 0.01)

    async def rendering(by: str, version: str, why: str) -> str:
        await asyncio.sleep(0.2)
        return version

    monkeypatch.setattr(guarded.workshop, "roll_back", rendering)
    async with client.post(f"{guarded.base}/api/flows/rollback", json={"version": "v1"}, headers=BEARER) as answer:
        assert (answer.status, await answer.json()) == (200, {"version": "v1"})


async def test_what_is_not_there(open_one: Console, client: aiohttp.ClientSession) -> None:
    for path in ("/calls/none", "/flows/none", "/handoff/wrong", "/static/../access.py", "/static/none.js"):
        async with client.get(f"{open_one.base}{path}", headers=BROWSER) as answer:
            assert answer.status == 404
    async with client.get(f"{open_one.base}/handoff/right") as answer:
        assert (await answer.json())["reason"] == "cancellation-risk", "programs get JSON"


async def test_the_feed_ends_when_it_is_closed() -> None:
    feed = Feed(most_often_s=0)
    heard = []
    async for moved in feed.changes():
        heard.append(moved)
        feed.touch() if len(heard) == 1 else feed.close()
    assert heard == [True, True]
