"""Vocabularies of real HTTP services: known before a version serves, asked again, and kept while a service is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from ivr.actions.http import HttpActions
from ivr.clock import SystemClock
from ivr.config import HttpService
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.errors import ActionError, UnavailableError
from ivr.events import Term
from ivr.release.service_vocabularies import AGAIN_S, ServiceVocabularies
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

pytestmark = pytest.mark.asyncio

COMPANY = """
company: A shop
vocabularies:
  products:
    {service: shop, path: /products, query: {kind: all}, refresh: 60s, list: /items,
     id: /sku, label: /name, spoken: /also}
  sizes: {terms: {s: [small]}}
"""
MAIN = "flow: main\nstart: bye\nstates:\n  bye: {prompt: Bye., end: resolved}\n"
LAMP = Term("1", "Lamp", ("light",))


class Hand(SystemClock):
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept = asyncio.Event()

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.set()
        await asyncio.Event().wait()


class Shop:
    def __init__(self) -> None:
        self.items: Any = [{"sku": 1, "name": "Lamp", "also": "light"}]
        self.status, self.asked = 200, 0

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert request.query == {"kind": "all"} and request.headers["X-Client"] == "line"
        return web.json_response({"items": self.items}, status=self.status)


@asynccontextmanager
async def shop() -> AsyncIterator[tuple[Shop, HttpActions]]:
    made = Shop()
    app = web.Application()
    app.router.add_get("/api/products", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    service = HttpService(name="shop", url=url, headers={"X-Client": "line"}, retries=0)
    try:
        async with aclosing(HttpActions([service])) as http:
            yield made, http
    finally:
        await runner.cleanup()


def library(text: str = COMPANY) -> FlowLibrary:
    sources = {"main.yaml": MAIN, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS, "company.yaml": text}
    loaded = load_library(sources, {})
    assert loaded.library is not None, loaded.findings
    return loaded.library


async def test_they_are_known_before_a_version_serves_and_asked_again_when_due() -> None:
    serving, clock, order = library(), Hand(), []
    async with shop() as (service, http):
        known = ServiceVocabularies(http, lambda: [serving], clock)
        assert known.of(serving) == {}

        async def prepare(each: FlowLibrary) -> None:
            order.append(known.of(each))

        await known.before(prepare)(serving)
        assert order == [{"products": (LAMP,)}]
        service.items = [{"sku": 2, "name": "Desk"}]
        clock.at = 59.0
        await known.load(serving)
        assert (known.of(serving), service.asked) == ({"products": (LAMP,)}, 1)
        clock.at = 60.0
        await known.load(serving)
        assert (known.of(serving), service.asked) == ({"products": (Term("2", "Desk"),)}, 2)


@pytest.mark.parametrize("fault", ["status", "rubbish", "gone", "silent"])
async def test_what_was_said_last_is_kept_while_a_service_is_away(fault: str) -> None:
    serving, clock = library(), Hand()
    async with shop() as (service, http):
        known = ServiceVocabularies(http, lambda: [serving], clock)
        await known.load(serving)
        if fault == "status":
            service.status = 503
        elif fault == "rubbish":
            service.items = [{"name": "without an id"}]
        elif fault == "gone":
            http.apply([HttpService(name="shop", url="http://127.0.0.1:9/api", retries=0)])
        else:
            http.apply([HttpService(name="shop", url="http://192.0.2.1/api", retries=0, timeout_s=0.02)])
        with capture_logs() as lines:
            for at in (60.0, 60.0 + AGAIN_S):
                clock.at = at
                await known.load(serving)
        told = known.stale()
        assert [line["event"] for line in lines].count("vocabulary.stale") == 1, "once a change"
        assert list(told) == ["products"] and told["products"].endswith("; 1 terms of before are used")
        assert known.of(serving) == {"products": (LAMP,)}
        service.status, service.items = 200, [{"sku": 2, "name": "Desk"}]
        clock.at = 60.0 + 2 * AGAIN_S - 1
        asked = service.asked
        await known.load(serving)
        assert service.asked == asked, "not at once"


async def test_once_it_answers_again_nothing_is_stale() -> None:
    serving, clock = library(), Hand()
    async with shop() as (service, http):
        known = ServiceVocabularies(http, lambda: [serving], clock)
        await known.load(serving)
        for status, stale in ((503, ["products"]), (200, [])):
            service.status = status
            clock.at += 60.0
            with capture_logs() as lines:
                await known.load(serving)
            assert list(known.stale()) == stale
        assert "vocabulary.back" in [line["event"] for line in lines]


async def test_a_service_that_never_answered_costs_nothing_but_its_words() -> None:
    serving = library()
    async with shop() as (service, http):
        service.status = 500
        known = ServiceVocabularies(http, lambda: [serving], Hand())
        await known.load(serving)
        assert known.of(serving) == {"products": ()}
        assert known.stale()["products"].endswith("; callers are not understood to say it")


async def test_two_versions_on_trial_have_each_their_own() -> None:
    old, new = library(), library(COMPANY.replace("id: /sku", "id: /name"))
    async with shop() as (_, http):
        clock = Hand()
        known = ServiceVocabularies(http, lambda: [old, new], clock)
        following = asyncio.create_task(known.follow())
        await clock.slept.wait()
        following.cancel()
        for each in (old, new):
            await known.load(each)
        assert known.of(old) == {"products": (LAMP,)}
        assert known.of(new) == {"products": (Term("Lamp", "Lamp", ("light",)),)}


async def test_thousands_are_taken_and_more_than_that_refused() -> None:
    async with shop() as (service, http):
        places: Mapping[str, str] = {"list": "/items", "id": "/sku", "label": "/name", "spoken": ""}
        service.items = [{"sku": n, "name": f"Product {n}", "picture": "x" * 200} for n in range(5_000)]
        assert len(await http.vocabulary("shop", "/products", {"kind": "all"}, places, "k")) == 5_000
        service.items = [{"sku": n, "name": f"Product {n}"} for n in range(20_001)]
        with pytest.raises(UnavailableError, match="more than 20,000"):
            await http.vocabulary("shop", "/products", {"kind": "all"}, places, "k")
        with pytest.raises(ActionError, match="no service is called store"):
            await http.vocabulary("store", "/products", {}, places, "k")
