"""What the pages and the API ask of the service, answered from memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from ivr.accounts.authentication import Authentication
from ivr.accounts.oidc import Oidc
from ivr.call_search import CallSearch, CallsFound, CallTotals, summed
from ivr.company import Times
from ivr.errors import StoreUnavailable
from ivr.limits.throttle import Budgets
from ivr.ports import AuditLog, EngineStatus, Recordings
from ivr.readiness import Readiness
from ivr.reference import COMPANY, deliveries
from ivr.reference.backend import MemberProfile
from ivr.reference.company import OpenFilms, queue_routes
from ivr.store import Store
from ivr.store.memory import MemoryLedger
from ivr.web.access import GATE
from ivr.web.app import HttpServer, application, bound, port_of
from ivr.web.backend import Backend, Drain, Expose, FlowSummary, Trial
from ivr.web.live import Feed
from tests.audit import FakeAudit
from tests.films import ZONE
from tests.web.people import Roles, hire

CALL: dict[str, Any] = {
    **dict.fromkeys(("caller", "called", "flow_version", "language", "outcome"), ""),
    "call_id": "c1",
    "state": "main.ask",
    "started_at": "2026-01-02T03:04:05+00:00",
    "live": True,
    "transcript": [],
}
STATUS = {"version": "v1", "canary": None, "rejected_findings": 0, "held": "", "reloads": 0, "rejections": 0}
ENGINE = EngineStatus("moonshine", ("en-US",), True)
READY = Readiness(0, True, "ok", (ENGINE,), (), (), STATUS)


async def ready() -> Readiness:
    return READY


class FakeCalls:
    """web.backend.Calls. ``broken``: the store is gone."""

    def __init__(self, *calls: Mapping[str, Any], broken: bool = False) -> None:
        self.calls = calls or (CALL,)
        self.broken = broken
        self.asked: list[CallSearch] = []

    def live(self) -> Sequence[Mapping[str, Any]]:
        return [call for call in self.calls if call["live"]]

    async def find(self, asked: CallSearch) -> CallsFound:
        if self.broken:
            raise StoreUnavailable("stopped")
        self.asked.append(asked)
        found = [call for call in self.calls if asked.live is None or call["live"] is asked.live]
        return CallsFound(found, CallTotals(len(found), outcomes=summed(*((c["outcome"], 1) for c in found))))

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        return next((call for call in self.calls if call["call_id"] == call_id), None)


class FakeFlows:
    """web.backend.Flows: one flow, whose picture is empty, and what it is told to say of it."""

    def __init__(self, about: str = "", findings: Sequence[Mapping[str, Any]] = (), by: str = "ops") -> None:
        self._about = about
        self._findings = findings
        self._by = by

    def summaries(self) -> Sequence[FlowSummary]:
        return [FlowSummary("main", self._about, "v1", 3)]

    def languages(self) -> Sequence[str]:
        return ("en-US",)

    def company(self) -> tuple[str, Mapping[str, Sequence[str]]] | None:
        return None

    def status(self) -> Mapping[str, Any]:
        return STATUS

    def findings(self) -> Sequence[Mapping[str, Any]]:
        return self._findings

    def rejected_at(self) -> str:
        return "2026-01-02T03:04:05+00:00"

    async def picture(self, flow: str) -> str:
        return "<svg><style>text{}</style></svg>"

    async def history(self, limit: int) -> Sequence[Mapping[str, Any]]:
        step = {"at": self.rejected_at(), "kind": "publish", "version": "v1", "previous": "", "by": self._by}
        return [{**step, "changed": ["main"]}]

    async def roll_back(self, by: str, version: str) -> str:
        raise StoreUnavailable("stopped")

    async def trial(self, flow: str, caller: str, language: str) -> Trial:
        raise StoreUnavailable("stopped")


async def profile_of(number: str) -> MemberProfile | None:
    """Of the films company's example members. Member 0 is the one whose record can't be read."""
    if number == "0":
        raise StoreUnavailable("stopped")
    return await films().backend.profile(number)


def films() -> OpenFilms:
    return COMPANY.in_memory(Times(lambda: datetime.now(UTC), ZONE), MemoryLedger())


def resources() -> Sequence[web.RouteDef]:
    """What the films company adds to the API."""
    return [*queue_routes(profile_of), *deliveries.routes(films().backend, lambda: datetime.now(UTC).date())]


@asynccontextmanager
async def serving(
    *,
    token: str = "",
    readiness: Readiness = READY,
    calls: FakeCalls | None = None,
    flows: FakeFlows | None = None,
    context: Mapping[str, Any] | None = None,
    started: bool = True,
    people: Roles | None = None,
    authentication: Authentication | None = None,
    recordings: Recordings | None = None,
    budgets: Budgets | None = None,
    audit: AuditLog | None = None,
    metrics: Expose | None = None,
    oidc: Callable[[str], Oidc] | None = None,
    drain: Drain | None = None,
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Where it listens, and a client. The hand-over's token is "right". ``people``: who has an account. ``budgets``:
    how much a source may ask before it has to wait, where that is not the gate's own."""

    async def now() -> Readiness:
        return readiness

    async def context_of(secret: str) -> Mapping[str, Any] | None:
        if secret == "boom":
            raise RuntimeError("a bug")
        return context or {"reason": "asked"} if secret == "right" else None

    backend = Backend(
        calls or FakeCalls(), flows or FakeFlows(), now, context_of, audit or FakeAudit(),
        mask=False, started=lambda: started, recordings=recordings, metrics=metrics, drain=drain,
    )  # fmt: skip
    store = Store("sqlite+aiosqlite://")
    await store.upgrade()
    authentication = authentication or Authentication(store.accounts, store.tokens)
    await hire(authentication, people or {})
    sockets = bound("127.0.0.1", 0)
    app = application(
        *(backend, Feed()),
        authentication=authentication,
        token=token,
        resources=resources(),
        oidc=oidc(f"http://127.0.0.1:{port_of(sockets)}") if oidc is not None else None,
    )
    if budgets is not None:
        app[GATE].opened = app[GATE].refused = budgets
    server = HttpServer(app, sockets)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{port_of(sockets)}", session
    finally:
        await server.stop()
        await store.close()
