"""API tokens: which scope opens which route and no other, and what a lost, an old or a guessed one is worth."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from ivr.accounts.authentication import Authentication
from ivr.ports import SCOPES, AuditSearch, Scope
from ivr.store import Store
from ivr.web import held_connections
from ivr.web.access import OPEN_PATHS
from ivr.web.rules import PEOPLE, rule_of
from tests.web.console import Console, console, stopped
from tests.web.fakes import serving
from tests.web.people import EVERYTHING, browser, log_in
from tests.web.test_accounts import RULES, csrf_of, every_route

BROWSER = {"Accept": "text/html"}
# What each route asks of a token; "people": no token opens it.
NEEDED: dict[tuple[str, str], str] = {
    ("GET", "/"): "calls:read",
    ("GET", "/calls"): "calls:read",
    ("GET", "/calls/c1"): "calls:read",
    ("GET", "/api/calls"): "calls:read",
    ("GET", "/api/calls/c1"): "calls:read",
    ("GET", "/events"): "calls:read",
    ("GET", "/board/day"): "calls:read",
    ("GET", "/board"): "calls:control",
    ("GET", "/board/socket"): "calls:control",
    ("GET", "/desk"): "calls:control",
    ("GET", "/desk/socket"): "calls:control",
    ("GET", "/desk/recordings/c1"): "recordings:read",
    ("GET", "/flows"): "flows:read",
    ("GET", "/flows/main"): "flows:read",
    ("GET", "/flows/main/simulator"): "flows:read",
    ("GET", "/api/flows"): "flows:read",
    ("GET", "/words"): "flows:read",
    ("GET", "/words/sheet"): "flows:read",
    ("GET", "/words/sound"): "flows:read",
    ("POST", "/words"): "flows:publish",
    ("POST", "/words/sheet"): "flows:publish",
    ("POST", "/words/undo"): "flows:publish",
    ("GET", "/api/flows/main/picture"): "flows:read",
    ("GET", "/api/flows/main/traffic"): "flows:read",
    ("GET", "/api/flows/main/bench"): "flows:read",
    ("POST", "/flows/rollback"): "flows:publish",
    ("POST", "/api/flows/rollback"): "flows:publish",
    ("GET", "/workbench"): "flows:publish",
    ("GET", "/api/flow-schema"): "flows:read",
    ("GET", "/api/drafts"): "flows:read",
    ("POST", "/api/drafts"): "flows:publish",
    ("GET", "/api/drafts/c1"): "flows:read",
    ("DELETE", "/api/drafts/c1"): "flows:publish",
    ("GET", "/api/drafts/c1/files/main"): "flows:read",
    ("PUT", "/api/drafts/c1/files/main"): "flows:publish",
    ("POST", "/api/drafts/c1/check"): "flows:read",
    ("GET", "/api/drafts/c1/diff"): "flows:read",
    ("POST", "/api/drafts/c1/publish"): "flows:publish",
    ("POST", "/api/drafts/c1/canary"): "flows:publish",
    ("DELETE", "/api/flows/canary"): "flows:publish",
    ("GET", "/api/desk/promises"): "metrics:read",
    ("GET", "/api/drain"): "calls:read",
    ("POST", "/api/drain"): "calls:control",
    ("DELETE", "/api/drain"): "calls:control",
    ("GET", "/api/config"): "admin",
    ("GET", "/api/members/10001/queue"): "members:read",
    ("GET", "/api/members/10001/hold"): "members:read",
    ("PUT", "/api/members/10001/hold"): "admin",
    ("GET", "/accounts"): "admin",
    ("POST", "/accounts"): "admin",
    ("POST", "/accounts/agnes/roles"): "admin",
    ("GET", "/audit"): "admin",
    ("GET", "/tokens"): "admin",
    ("POST", "/tokens"): "admin",
    ("POST", "/tokens/abcdefghij/revoke"): "admin",
    ("GET", "/account"): PEOPLE,
    ("POST", "/account"): PEOPLE,
    ("POST", "/logout"): PEOPLE,
}


async def made(served: Console, *scopes: Scope, days: int = 1) -> Mapping[str, str]:
    """What a program with such a token sends."""
    shown, _ = await served.authentication.tokens.make("a program", scopes, days, "rosa")
    return {"Authorization": f"Bearer {shown}"}


async def test_every_route_names_its_scope() -> None:
    assert NEEDED.keys() == RULES.keys()
    for route in await every_route():
        assert route.resource is not None
        rule, path = rule_of(route.handler), route.resource.canonical
        assert path.startswith(OPEN_PATHS) or (rule is not None and rule.scope), f"{path}: which scope?"


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_opens_its_routes_and_no_others(scope: Scope) -> None:
    store = Store("sqlite+aiosqlite://")
    await store.upgrade()
    authentication = Authentication(store.accounts, store.tokens)
    token, _ = await authentication.tokens.make("a program", [scope], 1, "rosa")
    async with serving(token="hunter2", people=EVERYTHING, authentication=authentication) as (base, session):
        for (method, path), needed in NEEDED.items():
            headers = {"Authorization": f"Bearer {token}"}
            async with session.request(method, base + path, headers=headers, allow_redirects=False) as answer:
                assert answer.status != 401, path
                if needed == scope:
                    assert answer.status != 403, path
                    continue
                assert answer.status == 403, path
                told = (await answer.json())["error"]
                if needed == PEOPLE:
                    assert told == "no token opens this: log in"
                else:
                    assert told == f"this needs the scope {needed}; the token has {scope}"
                    assert answer.headers["WWW-Authenticate"] == (
                        f'Bearer error="insufficient_scope", scope="{needed}"'
                    )
    await store.close()


async def status(served: Console, headers: Mapping[str, str], path: str = "/api/calls") -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{served.base}{path}", headers=headers) as answer:
        text = await answer.text()
        return answer.status, text, answer.headers.get("WWW-Authenticate", "")


async def test_the_tokens_life(tmp_path: Path) -> None:
    """Also on this machine, while nobody has an account: whoever shows a token is what it says."""
    async with console(tmp_path) as served:
        reading = await made(served, "calls:read")
        assert (await status(served, {}))[0] == 200, "anybody at this machine"
        assert (await status(served, reading))[0] == 200
        assert (await status(served, reading, "/api/flows"))[0] == 403
        (kept,) = await served.store.tokens.all()
        assert kept.used_at is not None and served.store.now() - kept.used_at < timedelta(minutes=1)
        before = kept.used_at
        await status(served, reading)
        assert (await served.store.tokens.all())[0].used_at == before, "once a minute"
        await served.store.tokens.revoke(kept.id, "rosa")
        served.authentication.tokens.forget(kept.id)
        code, told, challenge = await status(served, reading)
        assert code == 401 and "counts no more" in told and 'error="invalid_token"' in challenge
        invented = {"Authorization": f"Bearer ivr_{'a' * 10}_{'A' * 43}"}
        assert (await status(served, invented))[0] == 401
        stolen = reading["Authorization"].removeprefix("Bearer ")
        rows = (await served.store.audit_log.find(AuditSearch(what="token."))).rows
        events = [(row.event.actor, row.event.action, row.event.target) for row in reversed(rows)]
        assert events[:2] == [("rosa", "token.added", kept.id), ("rosa", "token.revoked", kept.id)]
        await served.authentication.settle()
        refused = (await served.store.audit_log.find(AuditSearch(what="token.refused"))).rows
        assert {row.event.target for row in refused} == {kept.id}, "once a minute for a source"
        content = (tmp_path / "ivr.sqlite3").read_bytes() + (tmp_path / "ivr.sqlite3-wal").read_bytes()
        assert stolen.rpartition("_")[2].encode() not in content


async def test_an_old_one_counts_no_more(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served:
        reading = await made(served, "calls:read")
        assert (await status(served, reading))[0] == 200
        served.authentication.tokens._now = lambda: served.store.now() + timedelta(days=1, seconds=1)
        assert (await status(served, reading))[0] == 401
        endless = await made(served, "calls:read", days=0)
        assert (await status(served, endless))[0] == 200


async def test_another_process_notices_the_end_of_one_within_a_second(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served:
        reading = await made(served, "calls:read")
        assert (await status(served, reading))[0] == 200
        tokens = served.authentication.tokens
        await tokens.store.revoke(reading["Authorization"].split("_")[1], "rosa")
        assert (await status(served, reading))[0] == 200, "what was known a moment ago"
        clock = tokens._clock
        tokens._clock = lambda: clock() + 1.0
        assert (await status(served, reading))[0] == 401


@pytest.mark.parametrize("end", ["revoked", "over"])
async def test_what_one_holds_open_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(held_connections, "LOOK_S", 0.05)
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served, aiohttp.ClientSession() as session:
        reading, other = await made(served, "calls:read", "flows:read"), await made(served, "calls:read")
        talk = await session.ws_connect(f"{served.base}/flows/main/simulator", headers=reading)
        async with (
            session.get(f"{served.base}/events", headers=reading) as events,
            session.get(f"{served.base}/events", headers=other) as others,
        ):
            assert (await events.content.readline()).startswith(b"data:")
            tokens = served.authentication.tokens
            clock, now = tokens._clock, tokens._now
            if end == "revoked":
                identity = reading["Authorization"].split("_")[1]
                await tokens.store.revoke(identity, "rosa")  # by another process
                tokens._clock = lambda: clock() + 1.0
            else:
                tokens._now = lambda: now() + timedelta(days=1, seconds=1)
            async with asyncio.timeout(30):
                with suppress(aiohttp.ClientError):  # however it ends
                    while await events.content.readline():
                        pass
                assert (await talk.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
            if end == "revoked":
                assert (await others.content.readline()).startswith(b"data:"), "the others go on"


async def test_guesses_wait_and_the_token_of_the_configuration_has_all_scopes(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING, clock=stopped) as served:
        everything = {"Authorization": "Bearer hunter2"}
        for (method, path), needed in NEEDED.items():
            if method == "GET" and needed != PEOPLE and path in ("/api/calls", "/api/flows", "/accounts", "/audit"):
                assert (await status(served, everything, path))[0] == 200
        assert (await status(served, everything, "/account"))[0] == 403
        identity = (await made(served, "admin"))["Authorization"].split("_")[1]
        guess = f"Bearer ivr_{identity}_"
        answers = [(await status(served, {"Authorization": f"{guess}{n:043}"}))[0] for n in range(110)]
        assert answers[0] == 401 and answers[-1] == 429, "the same counters as for passwords"


async def test_a_program_reads_as_what_it_is_and_that_is_noted(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served:
        await served.store.calls.begin("c0ffee", "5035550101", "5035550100", served.store.now(), {})
        reading = await made(served, "calls:read")
        assert (await status(served, reading, "/api/calls/c0ffee"))[0] == 200
        (row,) = (await served.store.audit_log.find(AuditSearch(what="call.read"))).rows
        identity = reading["Authorization"].split("_")[1]
        assert (row.event.actor, row.event.target, row.source) == (f"token:{identity}", "c0ffee", "127.0.0.1")


async def test_supervisors_make_and_revoke_them(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served, browser() as rosa:
        await log_in(rosa, served.base)
        csrf = await csrf_of(rosa, served.base)
        form = {"csrf": csrf, "label": "Prometheus", "days": "30", "scope-metrics:read": "yes"}
        for wrong in ({"label": " "}, {"days": "x"}, {"days": "99999"}, {"scope-metrics:read": ""}):
            async with rosa.post(f"{served.base}/tokens", data={**form, **wrong}, headers=BROWSER) as answer:
                assert answer.status == 409, wrong
        async with rosa.post(f"{served.base}/tokens", data=form, headers=BROWSER) as answer:
            text = await answer.text()
        found = re.search(r'id="secret">(ivr_[^<]+)<', text)
        assert found is not None and "Prometheus" in text
        shown = {"Authorization": f"Bearer {found[1]}"}
        assert (await status(served, shown, "/api/calls"))[0] == 403
        async with rosa.get(f"{served.base}/tokens") as answer:
            assert found[1] not in await answer.text()
        identity = found[1].split("_")[1]
        async with rosa.post(f"{served.base}/tokens/{identity}/revoke", data={"csrf": csrf}) as answer:
            assert answer.status == 200 and "revoked" in await answer.text()
        assert (await status(served, shown))[0] == 401, "at once, here"
        async with rosa.post(f"{served.base}/tokens/{identity}/revoke", data={"csrf": csrf}) as answer:
            assert answer.status == 409
