"""Drain by the API: who may, what it says, and that no other site's page can ask for it."""

from __future__ import annotations

import aiohttp
import pytest

from ivr.drain import Drain
from ivr.readiness import Life, Lifecycle
from ivr.web.access import COMMAND_HEADER
from tests.audit import FakeAudit
from tests.call.fakes import FakeEndpoint
from tests.web.fakes import serving
from tests.web.people import Roles, browser, log_in


class Calls:
    def __len__(self) -> int:
        return 2

    async def drained(self) -> None:
        raise AssertionError("nobody waits here")


def serving_line() -> Drain:
    lifecycle = Lifecycle()
    lifecycle.reach(Life.SERVING)
    return Drain(lifecycle, FakeEndpoint(), Calls())


async def told(session: aiohttp.ClientSession, method: str, base: str, **headers: str) -> tuple[int, dict[str, object]]:
    async with session.request(method, f"{base}/api/drain", headers=headers) as answer:
        return answer.status, await answer.json()


BEARER = {"Authorization": "Bearer hunter2"}


async def test_a_drain_is_begun_told_and_taken_back() -> None:
    drain, audit = serving_line(), FakeAudit()
    async with serving(drain=drain, token="hunter2", audit=audit) as (base, session):
        serves = (200, {"state": "serving", "calls": 2, "final": False})
        drains = (200, {"state": "draining", "calls": 2, "final": False})
        for method, expected in (
            *(("GET", serves), ("POST", drains), ("POST", drains), ("GET", drains)),
            *(("DELETE", serves), ("DELETE", serves)),
        ):
            assert await told(session, method, base, **BEARER) == expected
        drain.final = True
        status, body = await told(session, "DELETE", base, **BEARER)
        assert status == 409 and "start it again" in str(body["error"])
        assert [(each.actor, each.action) for each in audit.events] == [
            ("api", "line.drained"),
            ("api", "line.drained"),
            ("api", "line.drain_undone"),
            ("api", "line.drain_undone"),
        ]
        drain.final, audit.broken = False, True
        assert (await told(session, "POST", base, **BEARER))[0] == 200, "it helps a line whose database is away, too"


@pytest.mark.parametrize(("role", "may"), [("ops", True), ("supervisor", False), ("agent", False)])
async def test_operators_drain_and_nobody_else(role: str, may: bool) -> None:
    people: Roles = {"rosa": ("supervisor",), "sam": (role,)}  # type: ignore[dict-item]
    drain = serving_line()
    async with serving(drain=drain, people=people) as (base, _), browser() as sams:
        assert (await log_in(sams, base, "sam")).status == 303
        async with sams.get(f"{base}/account") as page:
            csrf = (await page.text()).partition('name="csrf" value="')[2].partition('"')[0]
        status, _ = await told(sams, "POST", base, **{"X-CSRF-Token": csrf})
        assert (status, drain.state) == ((200, "draining") if may else (403, "serving"))


async def test_a_command_on_this_machine_needs_no_page_and_a_page_elsewhere_gets_nothing() -> None:
    drain = serving_line()
    async with serving(drain=drain) as (base, session):
        status, body = await told(session, "POST", base)
        assert status == 403 and "programs show an API token" in str(body["error"]), (
            "another site's form looks like that"
        )
        foreign = {COMMAND_HEADER: "1", "Origin": "https://evil.example"}
        assert (await told(session, "POST", base, **foreign))[0] == 403
        assert (await told(session, "POST", base, **{COMMAND_HEADER: "1", "Host": "line.example"}))[0] == 401
        assert drain.state == "serving"
        assert (await told(session, "POST", base, **{COMMAND_HEADER: "1"}))[0] == 200
    async with serving(drain=drain, people={"rosa": ("supervisor",)}) as (base, session):
        assert (await told(session, "DELETE", base, **{COMMAND_HEADER: "1"}))[0] == 401, "there are accounts"
