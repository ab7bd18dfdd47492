"""http.call against a real server on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from ivr.actions.http import LARGEST_ANSWER, SIGNATURES, HttpActions
from ivr.actions.http_answer import find
from ivr.actions.registry import parse
from ivr.config import HttpService, Secret
from ivr.errors import ActionError
from ivr.events import ActionResult
from ivr.ports import ActionCall, HttpAnswered
from ivr.trace_context import Sampling

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Company:
    """The other side: remembers requests, answers as told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.answers: list[Handler] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, str(request.rel_url), dict(request.headers), await request.read()))
        return await self.answers[min(len(self.requests), len(self.answers)) - 1](request)

    def will(self, *answers: Handler) -> None:
        self.answers = list(answers)


def answer(status: int, body: object = None) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return handle


async def never(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def breaks(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(LARGEST_ANSWER // 65536 + 2):
        await response.write(b" " * 65536)
    return response


async def page(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<h1>hello</h1>")


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    found = Company()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.handle)
    server = TestServer(app)
    await server.start_server()
    found.url = f"http://127.0.0.1:{server.port}/api/"
    yield found
    await server.close()


async def call(company: Company, *, retries: int = 1, timeout_s: float = 5.0, **arguments: Any) -> ActionResult:
    service = HttpService(
        name="deliveries",
        url=company.url,
        headers={"Authorization": "Bearer {token}", "X-Client": "line"},
        secrets={"token": Secret("env:TEST_DELIVERIES_TOKEN")},
        timeout_s=timeout_s,
        retries=retries,
    )
    async with aclosing(HttpActions([service])) as http:
        given = {"service": "deliveries", "path": "/holds", **arguments}
        request = ActionCall("http.call", given, "call-1/3", "call-1", {"member.number": "10001"})
        return await http.call(parse(SIGNATURES[0], request))


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DELIVERIES_TOKEN", "s3cret")


async def test_a_request_as_configured(company: Company) -> None:
    company.will(answer(201, {"hold": {"id": "H7", "days": [3, 4]}}))
    result = await call(
        company,
        path="/members/{member.number}/holds/{until}",
        body={"until": "2026-12-24", "reason": "away"},
        query={"dry": False},
        returns={"reference": "hold.id", "last": "/hold/days/1"},
    )
    assert (result.outcome, result.values) == ("ok", {"reference": "H7", "last": 4})
    ((method, url, headers, body),) = company.requests
    assert (method, url) == ("POST", "/api/members/10001/holds/2026-12-24?dry=false")
    assert json.loads(body) == {"until": "2026-12-24", "reason": "away"}
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["X-Client"] == "line"
    assert headers["Idempotency-Key"] == "call-1/3"
    assert headers["X-IVR-Call-ID"] == "call-1"


@pytest.mark.parametrize(
    ("status", "refused", "outcome"),
    [
        (200, (), "ok"),
        (204, (), "ok"),
        (404, (), "refused"),
        (409, (), "refused"),
        (409, (409,), "refused"),
        (404, (409,), "failed"),
        (500, (), "failed"),
        (500, (500,), "refused"),
        (302, (), "failed"),
    ],
)
async def test_outcomes(company: Company, status: int, refused: tuple[int, ...], outcome: str) -> None:
    company.will(answer(status, {}))
    assert (await call(company, refused=refused, retries=0)).outcome == outcome


async def test_a_refusal_may_say_why(company: Company) -> None:
    company.will(answer(409, {"why": "already held"}))
    result = await call(company, returns={"why": "why", "id": "id"})
    assert (result.outcome, result.values) == ("refused", {"why": "already held"})


async def test_a_promised_value_that_lacks_is_a_failure(company: Company) -> None:
    company.will(answer(200, {"other": 1}))
    assert (await call(company, returns={"reference": "hold.id"})).outcome == "failed"


async def test_trying_again_with_the_same_key(company: Company) -> None:
    company.will(answer(503), breaks, answer(200, {}))
    assert (await call(company, retries=2)).outcome == "ok"
    assert [headers["Idempotency-Key"] for _, _, headers, _ in company.requests] == ["call-1/3"] * 3


async def test_no_second_try_after_a_clear_answer(company: Company) -> None:
    company.will(answer(404), answer(200))
    assert (await call(company, retries=3)).outcome == "refused"
    assert len(company.requests) == 1


async def test_attempts_are_counted(company: Company) -> None:
    company.will(answer(503))
    assert (await call(company, retries=2)).outcome == "failed"
    assert len(company.requests) == 3


@pytest.mark.parametrize("handler", [breaks, huge, page])
async def test_senseless_answers_fail(company: Company, handler: Handler) -> None:
    company.will(handler)
    assert (await call(company, retries=0)).outcome == "failed"


async def test_silence_is_a_timeout(company: Company) -> None:
    company.will(never)
    assert (await call(company, timeout_s=0.2)).outcome == "timeout"


async def test_nobody_listening_fails(company: Company) -> None:
    company.url = "http://127.0.0.1:1/"
    assert (await call(company, retries=0)).outcome == "failed"


async def test_redirects_are_not_followed(company: Company) -> None:
    async def away(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    company.will(away)
    assert (await call(company, retries=0)).outcome == "failed"
    assert len(company.requests) == 1


@pytest.mark.parametrize(
    "path",
    ["/../admin", "/a/../../b", "/%2e%2e/admin", "/.%2E/x", "//evil.example/x", "/a b", "/a?x=1", "/a#b", "/a\r\nX: 1",
     "/{missing}", "/{member.name}", "\\evil"],
)  # fmt: skip
async def test_paths_stay_below_the_service(company: Company, path: str) -> None:
    company.will(answer(200))
    with pytest.raises(ActionError):
        await call(company, path=path)
    assert company.requests == []


@pytest.mark.parametrize("said", ["../../admin", "a/b?c#d", "x\r\nHost: evil", "..", "%2e%2e", "ü"])
async def test_what_callers_say_stays_one_segment(company: Company, said: str) -> None:
    company.will(answer(200))
    if said == ".." or "\n" in said:
        with pytest.raises(ActionError):
            await call(company, path="/holds/{until}", body={"until": said})
        return
    await call(company, path="/holds/{until}", body={"until": said})
    ((_, url, _, _),) = company.requests
    assert url.startswith("/api/holds/")
    assert url.count("/") == 3
    assert "?" not in url


@pytest.mark.parametrize("blank", ["", "  ", ".", "/", "\u00a0", None])
async def test_nothing_is_asked_about_everything(company: Company, blank: object) -> None:
    company.will(answer(200))
    with pytest.raises(ActionError, match="nothing is known for until"):
        await call(company, method="DELETE", path="/holds/{until}", body={"until": blank})
    with pytest.raises(ActionError, match="nothing is known for until"):
        await call(company, method="DELETE", path="/holds", query={"until": blank})
    assert company.requests == []


@pytest.mark.parametrize("blank", ["", " ", None])
async def test_an_answer_with_a_blank_in_it_is_incomplete(company: Company, blank: object) -> None:
    company.will(answer(200, {"hold": {"id": blank}}))
    result = await call(company, returns={"reference": "hold.id"})
    assert (result.outcome, result.values) == ("failed", {})


async def test_faults_that_somebody_must_mend(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ActionError, match="no service is called elsewhere"):
        await call(company, service="elsewhere")
    with pytest.raises(ActionError, match="method"):
        await call(company, method="TRACE")
    monkeypatch.delenv("TEST_DELIVERIES_TOKEN")
    with pytest.raises(ActionError, match="TEST_DELIVERIES_TOKEN"):
        await call(company)


@pytest.mark.parametrize("status", [401, 403, 405, 407, 415])
async def test_our_own_faults_are_no_refusal(company: Company, status: int) -> None:
    company.will(answer(status))
    assert (await call(company, retries=0)).outcome == "failed", "the caller is not told no for a wrong password"


async def test_a_service_of_our_own_server_is_reached_with_its_token(company: Company) -> None:
    company.will(answer(204))
    service = HttpService(name="deliveries", url="/api")
    async with aclosing(HttpActions([service], company.url.removesuffix("/api/"), "t0ken")) as http:
        request = ActionCall("http.call", {"service": "deliveries", "path": "/holds"}, "k", "c", {})
        assert (await http.call(parse(SIGNATURES[0], request))).outcome == "ok"
    ((_, url, headers, _),) = company.requests
    assert (url, headers["Authorization"]) == ("/api/holds", "Bearer t0ken")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("$.a.b", 1),
        ("/a/b", 1),
        ("/a/x~1y", 2),
        ("list[1].n", 5),
        ("/list/0/n", 4),
        ("list[9].n", None),
        ("a.b.c", None),
        ("nothing", None),
    ],
)
def test_finding(path: str, value: object) -> None:
    assert find({"a": {"b": 1, "x/y": 2}, "list": [{"n": 4}, {"n": 5}]}, path) == value


_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON, st.text(max_size=12))
def test_finding_never_raises(payload: object, path: str) -> None:
    find(payload, path)


async def test_a_reload_changes_services_and_their_secrets(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_OTHER_TOKEN", "0th3r")
    before = HttpService(name="old", url=company.url)
    after = HttpService(
        name="deliveries",
        url=company.url,
        headers={"Authorization": "Bearer {token}"},
        secrets={"token": Secret("env:TEST_OTHER_TOKEN")},
    )
    async with aclosing(HttpActions([before])) as http:
        request = ActionCall("http.call", {"service": "deliveries", "path": "/x"}, "k", "call-1", {})
        with pytest.raises(ActionError, match="no service is called deliveries"):
            await http.call(parse(SIGNATURES[0], request))
        http.apply([after])
        company.will(answer(200, {}))
        assert (await http.call(parse(SIGNATURES[0], request))).outcome == "ok"
        assert company.requests[-1][2]["Authorization"] == "Bearer 0th3r"
        gone = ActionCall("http.call", {"service": "old", "path": "/x"}, "k", "call-1", {})
        with pytest.raises(ActionError, match="no service is called old"):
            await http.call(parse(SIGNATURES[0], gone))


async def test_how_each_call_of_a_service_went_is_told_and_the_company_can_follow_the_trace(company: Company) -> None:
    told: list[tuple[str, HttpAnswered]] = []
    service = HttpService(name="deliveries", url=company.url, retries=0, timeout_s=0.3)
    company.will(answer(201, {}), answer(503, {}))
    async with aclosing(
        HttpActions([service], observe=lambda *what: told.append(what), sampling=Sampling(1.0))
    ) as http:
        for number in range(2):
            request = ActionCall("http.call", {"service": "deliveries"}, f"call-1/{number}", "call-1", {})
            await http.call(parse(SIGNATURES[0], request))
    assert [(call_id, each.service, each.method, each.status) for call_id, each in told] == [
        ("call-1", "deliveries", "POST", 201),
        ("call-1", "deliveries", "POST", 503),
    ]
    assert all(0 < each.took_s < 0.3 for _, each in told) and told[0][1].span != told[1][1].span
    assert company.requests[0][2]["traceparent"] == Sampling(1.0).traceparent("call-1", told[0][1].span)


async def test_without_traces_no_traceparent_is_sent(company: Company) -> None:
    company.will(answer(201, {}))
    await call(company)
    assert "traceparent" not in company.requests[0][2]
