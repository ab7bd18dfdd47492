"""The HTTP API over real sockets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import pytest
from structlog.testing import capture_logs
from yarl import URL

from ivr.call_search import CallSearch
from ivr.errors import ConfigError, StoreUnavailable
from ivr.limits.throttle import FREE_GUESSES
from ivr.log_sink import SinkStatus
from ivr.ports import EngineStatus, RegistrationStatus
from ivr.readiness import Life
from ivr.web.access import COOKIE
from ivr.web.app import HttpServer, application, bound, port_of
from ivr.web.backend import Backend
from ivr.web.live import Feed
from tests.audit import FakeAudit
from tests.web.console import console
from tests.web.fakes import CALL, ENGINE, READY, STATUS, FakeCalls, FakeFlows, serving
from tests.web.fakes import ready as is_ready
from tests.web.people import EVERYTHING, browser, log_in, nobodys


async def fetch(url: str, session: aiohttp.ClientSession, **headers: str) -> tuple[int, Any]:
    async with session.get(url, headers=headers) as response:
        return response.status, await response.json()


async def test_readiness_says_what_waits_for_the_database() -> None:
    async with serving(readiness=replace(READY, store="ok", spooled=12, unkept=3)) as (base, session):
        status, body = await fetch(f"{base}/readyz", session)
        assert (status, body["store"], body["writes_lost"]) == (200, "ok; 12 writes wait in the spool", 3)
    async with serving(readiness=replace(READY, store="gone", spooled=12)) as (base, session):
        status, body = await fetch(f"{base}/readyz", session)
        assert (status, body["store"]) == (503, "gone; 12 writes wait in the spool")


async def test_health_and_readiness() -> None:
    until = datetime(2026, 1, 2, tzinfo=UTC)
    trunk = RegistrationStatus("office", "registered", "", until)
    down = EngineStatus("vosk", ("de-DE",), False, "no model")
    full = SinkStatus("full: No space left on device", 3)  # which no caller depends on
    ready = replace(READY, calls=2, recognisers=(ENGINE, down), synthesisers=(down,), registrations=(trunk,), log=full)
    shown = {
        "status": "ready",
        "state": "ready",
        "reasons": [],
        "calls": 2,
        "media": "ok",
        "media_processes": [],
        "store": "ok",
        "retention": "ok",
        "log": "full: No space left on device; 3 lines lost",
        "log_lines_lost": 3,
        "recognisers": [
            {"name": "moonshine", "healthy": True, "detail": ""},
            {"name": "vosk", "healthy": False, "detail": "no model"},
        ],
        "synthesisers": [{"name": "vosk", "healthy": False, "detail": "no model"}],
        "registrations": [
            {
                "trunk": "office",
                "state": "registered",
                "detail": "",
                "expires_at": "2026-01-02T00:00:00+00:00",
                "by": "",
            }
        ],
        "sip": {
            "transactions": 0,
            "full": False,
            "dropped": 0,
            "connections": 0,
            "connections_refused": 0,
            "certificate_ends": None,
        },
        "speech": {"talkers": 0, "most": 0, "waited_s": 0.0, "refuses": "", "crowded": False},
        "flow_version": "v1",
        "flows": STATUS,
    }
    async with serving(readiness=ready) as (base, session):
        assert await fetch(f"{base}/healthz", session) == (200, {"status": "ok"})
        assert await fetch(f"{base}/readyz", session) == (200, shown)
    for change, state, reason in (
        ({"media": False}, "media", "media: restarting"),
        ({"store": "gone"}, "store", "store: gone"),
        ({"recognisers": (down,)}, "speech", "recognisers: no model"),
        ({"registrations": (replace(trunk, state="failed", expires_at=None),)}, "trunk", "trunk office: failed"),
        (
            {"life": Life.STARTING, "step": "rendering prompts, 3 of 9"},
            "starting",
            "starting: rendering prompts, 3 of 9",
        ),
        ({"life": Life.DRAINING}, "draining", "draining: no new calls; 2 in progress may end by themselves"),
        ({"life": Life.STOPPING}, "stopping", "stopping"),
    ):
        async with serving(readiness=replace(ready, **change)) as (base, session):
            status, body = await fetch(f"{base}/readyz", session)
            assert (status, body["status"], body["state"], body["reasons"]) == (503, "not ready", state, [reason])


STRANGER = {"Host": "line.example"}  # a page of another site, or whoever doesn't sit at this machine


@pytest.mark.parametrize(
    ("change", "started", "status", "verdict"),
    [
        ({}, True, 200, {"status": "ready", "state": "ready"}),
        ({"store": "gone", "calls": 3}, True, 503, {"status": "not ready", "state": "store"}),
        ({"life": Life.DRAINING, "calls": 3}, True, 503, {"status": "not ready", "state": "draining"}),
        ({"life": Life.STOPPING}, True, 503, {"status": "not ready", "state": "stopping"}),
        (
            {"life": Life.STARTING, "step": "rendering prompts, 3 of 9"},
            False,
            503,
            {"status": "not ready", "state": "starting", "reasons": ["starting: rendering prompts, 3 of 9"]},
        ),
    ],
)
async def test_readiness_tells_strangers_the_verdict_and_nothing_else(
    change: dict[str, Any], started: bool, status: int, verdict: dict[str, Any]
) -> None:
    readiness = replace(READY, **change)
    async with serving(readiness=readiness, started=started, token="hunter2", people=EVERYTHING) as (base, session):
        assert await fetch(f"{base}/readyz", session, **STRANGER) == (status, verdict)
        for token in ("guessed", ""):
            assert await fetch(f"{base}/readyz", session, **STRANGER, Authorization=f"Bearer {token}") == (
                status,
                verdict,
            )
        cookie = f"{COOKIE}=invented"
        assert await fetch(f"{base}/readyz", session, **STRANGER, Cookie=cookie) == (status, verdict)


async def test_readiness_tells_its_details_to_who_works_here_and_on_this_machine() -> None:
    async with serving(token="hunter2", people=EVERYTHING) as (base, session), browser() as rosas, browser() as away:
        assert "recognisers" in (await fetch(f"{base}/readyz", session))[1], "on this machine"
        shown = await fetch(f"{base}/readyz", session, **STRANGER, Authorization="Bearer hunter2")
        assert "recognisers" in shown[1]
        assert (await log_in(rosas, base)).status == 303
        secret = rosas.cookie_jar.filter_cookies(URL(base))[COOKIE].value
        shown = await fetch(f"{base}/readyz", away, **STRANGER, Cookie=f"{COOKIE}={secret}")
        assert "recognisers" in shown[1]


async def test_readiness_behind_a_proxy_looks_at_who_asks(tmp_path: Path) -> None:
    async with (
        console(tmp_path, token="hunter2", trusted_proxies=["127.0.0.9"]) as served,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))) as proxy,
    ):
        shown = await fetch(f"{served.base}/readyz", proxy, **{"X-Forwarded-For": "203.0.113.5"})
        assert shown == (200, {"status": "ready", "state": "ready"})
        shown = await fetch(f"{served.base}/readyz", proxy, **{"X-Forwarded-For": "127.0.0.1"})
        assert "recognisers" in shown[1]


async def test_tokens_are_not_guessed_by_asking_for_readiness() -> None:
    async with serving(token="hunter2", people=EVERYTHING) as (base, session):
        for number in range(FREE_GUESSES + 1):
            await fetch(f"{base}/readyz", session, **STRANGER, Authorization=f"Bearer guess-{number}")
        shown = await fetch(f"{base}/readyz", session, **STRANGER, Authorization="Bearer hunter2")
        assert shown == (200, {"status": "ready", "state": "ready"}), "the right one isn't looked at for a while"


async def test_while_the_database_is_away_readiness_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: object) -> None:
        raise StoreUnavailable("stopped")

    monkeypatch.setattr("ivr.accounts.sessions.Sessions.find", gone)
    async with serving(readiness=replace(READY, store="gone"), token="x", people=EVERYTHING) as (base, session):
        shown = await fetch(f"{base}/readyz", session, **STRANGER, Cookie=f"{COOKIE}=invented")
        assert shown == (503, {"status": "not ready", "state": "store"})


async def test_until_it_has_started_only_the_probes_are_answered() -> None:
    async with serving(readiness=replace(READY, life=Life.STARTING, step="x"), started=False) as (base, session):
        assert (await fetch(f"{base}/healthz", session))[0] == 200
        assert (await fetch(f"{base}/readyz", session))[0] == 503
        for path in ("/api/calls", "/api/flows", "/nothing"):
            status, body = await fetch(f"{base}{path}", session)
            assert status == 503 and "starting" in body["error"]


async def test_calls_and_queues() -> None:
    calls = FakeCalls()
    async with serving(calls=calls) as (base, session):
        assert await fetch(f"{base}/api/calls?limit=3&live=true", session) == (
            200,
            {
                "calls": [{name: each for name, each in CALL.items() if name != "transcript"}],
                "totals": {"count": 1, "live": 0, "seconds": 0.0, "outcomes": {}, "reasons": {}},
                "page": 1,
                "pages": 1,
            },
        )
        assert calls.asked == [CallSearch(live=True, limit=3)]
        assert (await fetch(f"{base}/api/calls?limit=many", session))[0] == 400
        assert (await fetch(f"{base}/api/calls?live=perhaps", session))[0] == 400
        assert await fetch(f"{base}/api/calls/c1", session) == (200, CALL)
        assert (await fetch(f"{base}/api/calls/c2", session))[0] == 404
        status, body = await fetch(f"{base}/api/members/10001/queue", session)
        assert (status, body["member"], len(body["queue"])) == (200, "10001", 8)
        assert body["queue"][1] == {"position": 2, "title": "Vertigo", "id": body["queue"][1]["id"]}
        assert await fetch(f"{base}/api/members/1/queue", session) == (404, {"error": "no such member"})
        unread = await fetch(f"{base}/api/members/0/queue", session)
        assert unread == (503, {"error": "the store does not answer"})


async def test_a_token_is_asked_for_and_compared() -> None:
    async with serving(token="hunter2") as (base, session):
        assert (await fetch(f"{base}/api/calls", session))[0] == 401
        assert (await fetch(f"{base}/api/calls", session, Authorization="Bearer wrong"))[0] == 401
        assert (await fetch(f"{base}/api/calls", session, Authorization="Bearer hunter2"))[0] == 200
        assert (await fetch(f"{base}/healthz", session))[0] == 200


async def test_a_handover_opens_with_its_own_token_only() -> None:
    async with serving(token="hunter2") as (base, session):
        assert await fetch(f"{base}/handoff/right", session) == (200, {"reason": "asked"})
        assert (await fetch(f"{base}/handoff/wrong", session))[0] == 404


async def test_failures_are_told_plainly() -> None:
    async with serving(calls=FakeCalls(broken=True)) as (base, session):
        assert (await fetch(f"{base}/api/calls", session))[0] == 503
        with capture_logs() as logs:
            status, body = await fetch(f"{base}/handoff/boom", session)
        assert status == 500 and "bug" not in body["error"]
        (line,) = (line for line in logs if line["event"] == "http.failed")
        assert line["route"] == "/handoff/{token}" and "boom" not in str(line), "the link's secret is in its address"


async def test_every_answer_tells_browsers_what_to_refuse_and_caches_to_keep_nothing() -> None:
    async with serving(token="hunter2", people=EVERYTHING) as (base, session):
        bearer = {"Authorization": "Bearer hunter2"}
        for path in ("/healthz", "/readyz", "/login", "/api/calls", "/calls", "/nope", "/handoff/right", "/events"):
            for asked in ({}, {"Accept": "text/html"}):
                async with session.get(base + path, headers={**bearer, **asked}, allow_redirects=False) as answer:
                    told = answer.headers
                    assert told["Cache-Control"] == "no-store" and told["X-Content-Type-Options"] == "nosniff", path
                    assert "frame-ancestors 'none'" in told["Content-Security-Policy"]
                    assert told["Cross-Origin-Resource-Policy"] == "same-origin" and "Server" not in told
        async with session.get(f"{base}/static/console.js") as answer:
            assert (
                answer.headers["Cache-Control"] == "no-cache" and answer.headers["X-Content-Type-Options"] == "nosniff"
            )


async def test_a_taken_port_says_what_to_do() -> None:
    async with serving() as (base, _):
        with pytest.raises(ConfigError, match="--http"):
            bound("127.0.0.1", int(base.rpartition(":")[2]))
    here, there = bound("127.0.0.1", 0), []
    try:
        there = bound("127.0.0.1", port_of(here))  # both bound, nobody listens yet
        nobody = nobodys()
        backend = Backend(FakeCalls(), FakeFlows(), is_ready, FakeCalls().get, FakeAudit())
        app = application(backend, Feed(), authentication=nobody, token="")
        first, second = HttpServer(app, here), HttpServer(aiohttp.web.Application(), there)
        await first.start()
        with pytest.raises(ConfigError, match="--http"):
            await second.start()
        await second.stop()
        await first.stop()
    finally:
        for each in (*here, *there):
            each.close()
