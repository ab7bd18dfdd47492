"""Accounts at the console: who gets in, which rooms they may enter, and what ends that."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from ivr.accounts.authentication import Authentication
from ivr.desk.seats import Seats
from ivr.errors import StoreUnavailable
from ivr.limits.throttle import FREE_GUESSES
from ivr.ports import ROLES, Account, Role
from ivr.store import Store
from ivr.web import access, held_connections
from ivr.web.access import COOKIE, HOST_COOKIE, OPEN_PATHS
from ivr.web.app import application
from ivr.web.backend import Backend, Board, Words
from ivr.web.live import Feed
from ivr.web.navigation import ROOMS, rooms
from ivr.web.rules import rule_of
from tests.audit import FakeAudit
from tests.web.console import Console, console, stopped
from tests.web.fakes import FakeCalls, FakeFlows, ready, resources, serving
from tests.web.people import EVERYTHING, PASSWORD, browser, hire, log_in, nobodys

ROOT = Path(__file__).parents[2]
BROWSER = {"Accept": "text/html"}
STAFF: dict[str, tuple[Role, ...]] = {
    "rosa": ("supervisor",),
    "agnes": ("agent",),
    "dan": ("designer",),
    "otto": ("ops",),
    "tina": ("translator",),
    "newt": (),
}
# What each role gets of what there is: the names of those who may.
RULES = {
    ("GET", "/calls"): {"rosa", "otto"},
    ("GET", "/calls/c1"): {"rosa", "otto"},
    ("GET", "/api/calls"): {"rosa", "otto"},
    ("GET", "/api/calls/c1"): {"rosa", "otto"},
    ("GET", "/flows"): {"dan", "otto"},
    ("GET", "/flows/main"): {"dan", "otto"},
    ("GET", "/flows/main/simulator"): {"dan"},
    ("POST", "/flows/rollback"): {"dan"},
    ("GET", "/api/flows"): {"dan", "otto"},
    ("GET", "/words"): {"dan", "tina"},
    ("POST", "/words"): {"dan", "tina"},
    ("GET", "/words/sheet"): {"dan", "tina"},
    ("POST", "/words/sheet"): {"dan", "tina"},
    ("POST", "/words/undo"): {"dan", "tina"},
    ("GET", "/words/sound"): {"dan", "tina"},
    ("GET", "/api/flows/main/picture"): {"dan", "otto"},
    ("GET", "/api/flows/main/traffic"): {"dan", "otto"},
    ("GET", "/api/flows/main/bench"): {"dan"},
    ("POST", "/api/flows/rollback"): {"dan"},
    ("GET", "/workbench"): {"dan"},
    ("GET", "/api/flow-schema"): {"dan"},
    ("GET", "/api/drafts"): {"dan"},
    ("POST", "/api/drafts"): {"dan"},
    ("GET", "/api/drafts/c1"): {"dan"},
    ("DELETE", "/api/drafts/c1"): {"dan"},
    ("GET", "/api/drafts/c1/files/main"): {"dan"},
    ("PUT", "/api/drafts/c1/files/main"): {"dan"},
    ("POST", "/api/drafts/c1/check"): {"dan"},
    ("GET", "/api/drafts/c1/diff"): {"dan"},
    ("POST", "/api/drafts/c1/publish"): {"dan"},
    ("POST", "/api/drafts/c1/canary"): {"dan"},
    ("DELETE", "/api/flows/canary"): {"dan"},
    ("GET", "/accounts"): {"rosa", "otto"},
    ("POST", "/accounts"): {"rosa"},
    ("POST", "/accounts/agnes/roles"): {"rosa"},
    ("GET", "/audit"): {"rosa", "otto"},
    ("GET", "/tokens"): {"rosa", "otto"},
    ("POST", "/tokens"): {"rosa"},
    ("POST", "/tokens/abcdefghij/revoke"): {"rosa"},
    ("GET", "/account"): set(STAFF),
    ("POST", "/account"): set(STAFF),
    ("POST", "/logout"): set(STAFF),
    ("GET", "/desk"): {"agnes"},
    ("GET", "/desk/socket"): {"agnes"},
    ("GET", "/desk/recordings/c1"): {"rosa", "agnes"},
    ("GET", "/board"): {"rosa"},
    ("GET", "/board/socket"): {"rosa"},
    ("GET", "/board/day"): {"rosa"},
    ("GET", "/api/desk/promises"): set(STAFF),
    ("GET", "/api/drain"): {"rosa", "otto"},
    ("POST", "/api/drain"): {"otto"},
    ("DELETE", "/api/drain"): {"otto"},
    ("GET", "/api/config"): {"otto"},
    ("GET", "/events"): set(STAFF),
    ("GET", "/"): set(STAFF),
    ("GET", "/api/members/10001/queue"): {"rosa", "agnes", "otto"},
    ("GET", "/api/members/10001/hold"): {"rosa", "agnes", "otto"},
    ("PUT", "/api/members/10001/hold"): {"rosa", "agnes"},
}


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as running:
        yield running


async def csrf_of(session: aiohttp.ClientSession, base: str) -> str:
    async with session.get(f"{base}/account", headers=BROWSER) as answer:
        found = re.search(r'data-csrf="([^"]+)"', await answer.text())
    assert found is not None
    return found[1]


async def read(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    """Status and text, not followed; of a stream its head."""
    async with session.get(url, headers=BROWSER, allow_redirects=False) as answer:
        return answer.status, "" if answer.content_type == "text/event-stream" else await answer.text()


def whole_console(own_token: str = "") -> web.Application:
    """With every room; nobody enters."""
    authentication = nobodys()
    backend = Backend(
        FakeCalls(),
        FakeFlows(),
        ready,
        FakeCalls().get,
        FakeAudit(),
        seats=cast(Seats, object()),
        board=cast(Board, object()),
        words=cast(Words, object()),
    )
    return application(
        backend, Feed(), authentication=authentication, token="", own_token=own_token, resources=resources()
    )


async def every_route() -> list[web.AbstractRoute]:
    return list(whole_console().router.routes())


async def test_every_route_has_a_rule_or_is_open_to_everybody() -> None:
    for route in await every_route():
        assert route.resource is not None
        path = route.resource.canonical
        assert (rule_of(route.handler) is None) is path.startswith(OPEN_PATHS), path


async def test_the_table_above_knows_every_route() -> None:
    known = {(method, re.sub(r"/(c1|main|10001|agnes|abcdefghij)(?=/|$)", "/{}", path)) for method, path in RULES}
    known = {(method, path.replace("/{}/roles", "/{}/{}")) for method, path in known}
    for route in await every_route():
        assert route.resource is not None
        path = route.resource.canonical
        if route.method != "HEAD" and not path.startswith(OPEN_PATHS):
            assert (route.method, re.sub(r"\{\w+\}", "{}", path)) in known, f"{route.method} {path}: who may?"


async def test_a_flow_reaches_the_companys_resources_and_nothing_of_the_lines_own() -> None:
    """[[flows.services]] with a path for a url: whoever writes flows would drain the line, or read all calls."""
    app, ours = whole_console("of-flows"), {(route.method, route.path) for route in resources()}
    async with TestClient(TestServer(app)) as client:
        bearer = {"Authorization": "Bearer of-flows"}
        for route in await every_route():
            assert route.resource is not None
            path = route.resource.canonical
            if route.method == "HEAD" or path.startswith(OPEN_PATHS):
                continue
            async with client.request(route.method, re.sub(r"\{\w+\}", "x", path), headers=bearer) as answer:
                refused = answer.status == 403 and "flows reach" in await answer.text()
            assert refused is ((route.method, path) not in ours), f"{route.method} {path}: {answer.status}"


async def test_navigation_shows_each_role_its_rooms_as_the_readme_names_them() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").partition("\nRoles are ")[2].partition(". ")[0]
    named = {role: set(re.findall(r"\w+", rooms)) for role, rooms in re.findall(r"`(\w+)` \(([^)]*)\)", readme)}
    assert named.keys() == set(ROLES)
    app, everything = whole_console(), {name.lower() for _, name in ROOMS}
    for name, roles in STAFF.items():
        shown = rooms(app, Account(name, frozenset(roles)))
        assert {address for address, _ in shown} == {address for address, _ in ROOMS if name in RULES["GET", address]}
        for role in roles:
            assert {title.lower() for _, title in shown} == named[role] & everything, role


@pytest.mark.parametrize("name", STAFF)
async def test_each_role_reaches_its_rooms_and_no_others(name: str) -> None:
    async with serving(people=STAFF) as (base, _), browser() as session:
        assert (await log_in(session, base, name)).status == 303
        csrf = await csrf_of(session, base)
        for (method, path), who in RULES.items():
            if path == "/logout":
                continue
            form = {"csrf": csrf} if method != "GET" else None
            async with session.request(
                method, base + path, data=form, headers={"Origin": base}, allow_redirects=False
            ) as answer:
                assert (answer.status != 403 or "needs the role" not in await answer.text()) is (name in who), path
                assert answer.status != 401
        navigation = re.findall(
            r'<nav aria-label="Console">(.*?)</nav>', (await read(session, f"{base}/account"))[1], re.S
        )
        shown = set(re.findall(r'href="(/\w+)"', navigation[0])) - {"/desk", "/board", "/words"}
        assert shown == {path for path in ("/calls", "/flows", "/accounts", "/audit") if name in RULES[("GET", path)]}


@pytest.mark.parametrize("name", ["rosa", "otto"])
async def test_no_page_leads_where_its_reader_may_not_go(name: str) -> None:
    async with serving(people=STAFF) as (base, _), browser() as session:
        await log_in(session, base, name)
        for path in [path for (method, path), who in RULES.items() if method == "GET" and name in who]:
            status, page = await read(session, base + path)
            if status != 200:
                continue
            seen = re.sub(r"<div [^>]* hidden>.*?</div>", "", page, flags=re.S)
            for address in set(re.findall(r'<a [^>]*href="(/[^"#]+)', seen)):
                there, text = await read(session, base + address)
                assert there != 403, f"{path} leads {name} to {address}: {text}"


async def test_what_has_no_rule_is_served_to_nobody() -> None:
    async def forgotten(_: web.Request) -> web.Response:
        return web.Response(text="secret")

    authentication = nobodys()
    gate = access.Gate("hunter2", authentication)
    app = web.Application(middlewares=[gate.__call__])
    app.router.add_get("/forgotten", forgotten)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    bearer = {"Authorization": "Bearer hunter2"}
    async with (
        aiohttp.ClientSession(headers=bearer) as session,
        session.get(f"http://127.0.0.1:{port}/forgotten") as answer,
    ):
        assert answer.status == 403 and "secret" not in await answer.text()
    await runner.cleanup()


async def test_ceremony_begins_with_the_first_account() -> None:
    """Without accounts and without a token whoever is here may do everything; then everybody logs in, here too."""
    async with serving() as (base, _), browser() as local, browser() as session:
        status, page = await read(local, f"{base}/accounts")
        assert status == 200 and "Nobody has an account" in page
        csrf = await csrf_of(local, base)
        form = {"csrf": csrf, "name": "Ann", "display": "Ann Lee", "role-agent": "yes"}
        async with local.post(f"{base}/accounts", data=form, headers=BROWSER) as answer:
            assert answer.status == 409 and "supervisor" in await answer.text()
        async with local.post(f"{base}/accounts", data={**form, "role-supervisor": "yes"}, headers=BROWSER) as answer:
            text = await answer.text()
            found = re.search(r'id="secret">([a-z0-9-]+)<', text)
        assert answer.status == 200 and found is not None, text
        assert (await read(local, f"{base}/calls"))[0] == 303, "logged out of what nobody needed to log in to"
        async with local.get(f"{base}/api/calls") as answer:
            assert answer.status == 401 and "log in" in await answer.text()
        first = await log_in(session, base, "ann", found[1])
        assert first.status == 303
        status, _ = await read(session, f"{base}/calls")
        assert status == 303, "a password is chosen first"
        async with session.get(f"{base}/api/calls") as answer:
            assert answer.status == 403 and "/account" in await answer.text()
        csrf = await csrf_of(session, base)
        form = {"csrf": csrf, "password": PASSWORD, "again": PASSWORD}
        async with session.post(f"{base}/account", data=form, headers=BROWSER, allow_redirects=False) as answer:
            assert answer.status == 303
        assert (await read(session, f"{base}/calls"))[0] == 200
        assert (await log_in(session, base, "ann", found[1])).status == 401, "once"


async def test_streams_that_needed_no_log_in_end_with_the_first_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_connections, "LOOK_S", 0.1)
    store = Store("sqlite+aiosqlite://")
    await store.upgrade()
    authentication = Authentication(store.accounts, store.tokens)
    async with serving(authentication=authentication) as (base, session), session.get(f"{base}/events") as events:
        assert (await events.content.readline()).startswith(b"data:")
        await hire(authentication, EVERYTHING)
        async with asyncio.timeout(30):
            with suppress(aiohttp.ClientError):
                while await events.content.readline():
                    pass
    await store.close()


async def test_a_link_makes_one_account(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2") as served, browser() as session:
        base, secret = served.base, await served.authentication.first_secret()
        status, page = await read(session, f"{base}/login")
        assert status == 200 and "ivr accounts link" in page and secret not in page
        form = {"secret": "guessed", "name": "ann", "password": PASSWORD, "again": PASSWORD}
        good = {**form, "secret": secret}
        for wrong, expected in ((form, 401), ({**good, "again": "x"}, 400), ({**good, "password": "short"}, 400)):
            async with session.post(f"{base}/login/first", data=wrong) as answer:
                assert answer.status == expected
        form["secret"] = f"{base}/login#first={secret}"  # as a whole, however it was told
        async with session.post(f"{base}/login/first", data=form, headers={"Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
        async with session.post(f"{base}/login/first", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        assert (await read(session, f"{base}/accounts"))[0] == 200
        async with browser() as other, other.post(f"{base}/login/first", data={**form, "name": "eve"}) as answer:
            assert answer.status == 401
            assert "Log in" in await answer.text()


async def test_a_log_in_begins_a_session_of_its_own(guarded: Console) -> None:
    """Fixation: what the browser showed before counts for nothing, and is over."""
    base = guarded.base
    async with browser() as session, browser() as victim:
        await log_in(session, base)
        planted = session.cookie_jar.filter_cookies(URL(base))[COOKIE].value
        victim.cookie_jar.update_cookies({COOKIE: planted}, URL(base))
        await log_in(victim, base)
        assert victim.cookie_jar.filter_cookies(URL(base))[COOKIE].value != planted
        assert (await read(session, f"{base}/calls"))[0] == 303, "the planted one ended"
        assert (await read(victim, f"{base}/calls"))[0] == 200
        invented = "A" * 43
        victim.cookie_jar.update_cookies({COOKIE: invented}, URL(base))
        await log_in(victim, base)
        assert victim.cookie_jar.filter_cookies(URL(base))[COOKIE].value != invented


@pytest.mark.parametrize(
    ("source", "proto", "secure"),
    [("127.0.0.9", "https", True), ("127.0.0.9", "http", False), ("127.0.0.1", "https", False)],
)
async def test_cookies_know_tls_from_a_proxy_of_ours_only(
    tmp_path: Path, source: str, proto: str, secure: bool
) -> None:
    async with console(tmp_path, token="x", people=EVERYTHING, trusted_proxies=["127.0.0.9"]) as served:
        connector = aiohttp.TCPConnector(local_addr=(source, 0))
        headers = {"X-Forwarded-Proto": proto, "X-Forwarded-For": "203.0.113.5"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            answer = await log_in(session, served.base)
        for cookie in answer.headers.getall("Set-Cookie"):
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
            assert ("Secure" in cookie) is secure and "Domain" not in cookie
        (first, *_) = answer.headers.getall("Set-Cookie")
        name, _, rest = first.partition("=")
        assert name == (HOST_COOKIE if secure else COOKIE)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(source, 0))) as session:
            for shown, there in ((name, True), (COOKIE if secure else HOST_COOKIE, False)):
                told = {**headers, **BROWSER, "Cookie": f"{shown}={rest.partition(';')[0]}"}
                async with session.get(f"{served.base}/account", headers=told, allow_redirects=False) as answer:
                    assert (answer.status == 200) is there, "what another host could have set counts for nothing"


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 303), ("none", 303), ("same-site", 403), ("cross-site", 403)]
)
async def test_what_another_site_sends_is_refused_whatever_it_knows(guarded: Console, site: str, status: int) -> None:
    base = guarded.base
    async with browser() as session:
        await log_in(session, base)
        form = {"csrf": await csrf_of(session, base)}
        async with session.post(
            f"{base}/logout", data=form, headers={"Sec-Fetch-Site": site}, allow_redirects=False
        ) as answer:
            assert answer.status == status
        form = {"name": "rosa", "password": PASSWORD}
        async with session.post(
            f"{base}/login", data=form, headers={"Sec-Fetch-Site": site}, allow_redirects=False
        ) as answer:
            assert answer.status == status, "nobody is logged in as somebody else"


async def test_a_change_of_password_ends_the_others(guarded: Console) -> None:
    base = guarded.base
    async with browser() as mine, browser() as other:
        await log_in(mine, base)
        await log_in(other, base)
        csrf = await csrf_of(mine, base)
        before = mine.cookie_jar.filter_cookies(URL(base))[COOKIE].value
        new = {"csrf": csrf, "current": PASSWORD, "password": "entirely new words", "again": "entirely new words"}
        for wrong, status in (
            ({**new, "current": "no"}, 403),
            ({**new, "again": "no"}, 400),
            ({**new, "password": "rosa", "again": "rosa"}, 400),
            ({**new, "csrf": "no"}, 403),
        ):
            async with mine.post(f"{base}/account", data=wrong, headers={"Origin": base}) as answer:
                assert answer.status == status
        assert (await read(other, f"{base}/calls"))[0] == 200
        async with mine.post(f"{base}/account", data=new, headers={"Origin": base}) as answer:
            assert answer.status == 200 and "changed" in await answer.text()
        assert mine.cookie_jar.filter_cookies(URL(base))[COOKIE].value != before
        assert (await read(mine, f"{base}/calls"))[0] == 200
        assert (await read(other, f"{base}/calls"))[0] == 303
        assert (await log_in(other, base)).status == 401
        assert (await log_in(other, base, password="entirely new words")).status == 303


async def test_a_stranger_locks_nobody_out_of_the_browser_they_use(tmp_path: Path) -> None:
    async with (
        console(tmp_path, token="hunter2", people=EVERYTHING, clock=stopped) as guarded,
        browser() as rosas,
        browser() as stranger,
    ):
        base = guarded.base
        assert (await log_in(rosas, base)).status == 303
        statuses = [(await log_in(stranger, base, password=f"guess {n}")).status for n in range(130)]
        assert statuses[:FREE_GUESSES] == [401] * FREE_GUESSES and statuses[-1] == 429
        assert (await log_in(stranger, base)).status == 429, "what is not looked at cannot be right"
        csrf = await csrf_of(rosas, base)
        async with rosas.post(f"{base}/logout", data={"csrf": csrf}) as answer:
            assert answer.url.path == "/login"
        assert (await log_in(rosas, base)).status == 303
        await guarded.authentication.settle()
        trail = await guarded.store.accounts.trail(200)
        assert 1 <= len([each for each in trail if each.event.action == "account.login_refused"]) <= 3, (
            "nobody fills the trail"
        )


async def test_whoever_guesses_at_the_same_moment_guesses_no_more(tmp_path: Path) -> None:
    async with (
        console(tmp_path, token="hunter2", people=EVERYTHING, clock=stopped) as guarded,
        browser() as session,
    ):
        tries = [log_in(session, guarded.base, password=f"guess {n}") for n in range(30)]
        statuses = [answer.status for answer in await asyncio.gather(*tries)]
    assert statuses.count(401) <= FREE_GUESSES + 1


async def test_log_out_everywhere(guarded: Console) -> None:
    base = guarded.base
    async with browser() as mine, browser() as other:
        await log_in(mine, base)
        await log_in(other, base)
        form = {"csrf": await csrf_of(mine, base), "everywhere": "yes"}
        async with mine.post(f"{base}/logout", data=form) as answer:
            assert answer.url.path == "/login"
        for session in (mine, other):
            assert (await read(session, f"{base}/calls"))[0] == 303


async def test_open_streams_and_conversations_end_with_the_session(
    guarded: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_connections, "LOOK_S", 0.1)
    await guarded.store.accounts.set_roles("rosa", frozenset(ROLES), "test")
    async with browser() as session:
        await log_in(session, guarded.base)
        talk = await session.ws_connect(f"{guarded.base}/flows/main/simulator", headers={"Origin": guarded.base})
        async with session.get(f"{guarded.base}/events") as events:
            assert (await events.content.readline()).startswith(b"data:")
            await guarded.authentication.log_out_everywhere("rosa", "test")
            async with asyncio.timeout(30):
                with suppress(aiohttp.ClientError):  # however it ends
                    while await events.content.readline():
                        pass
                assert (await talk.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


async def test_while_the_store_is_away_nobody_is_thrown_out_and_log_in_says_why(
    guarded: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = guarded.base

    async def gone(*_: object, **__: object) -> None:
        raise StoreUnavailable("stopped")

    async with browser() as mine, browser() as new:
        await log_in(mine, base)
        assert (await read(mine, f"{base}/account"))[0] == 200
        for name in ("find_session", "find", "exist", "touch_session"):
            monkeypatch.setattr(guarded.store.accounts, name, gone)
        monkeypatch.setattr("ivr.accounts.sessions.FRESH_S", 0.0)
        assert (await read(mine, f"{base}/flows/main"))[0] == 200
        async with new.post(f"{base}/login", data={"name": "rosa", "password": PASSWORD}) as answer:
            assert answer.status == 503 and "database does not answer" in await answer.text()
        monkeypatch.setattr("ivr.accounts.sessions.AWAY_S", 0.0)
        monkeypatch.setattr("ivr.accounts.sessions.RETRY_S", 0.0)
        assert (await read(mine, f"{base}/flows/main"))[0] == 503


async def test_supervisors_manage_and_ops_only_look() -> None:
    async with serving(people=STAFF) as (base, _), browser() as rosa, browser() as otto, browser() as agnes:
        for session, name in ((rosa, "rosa"), (otto, "otto"), (agnes, "agnes")):
            await log_in(session, base, name)
        status, page = await read(otto, f"{base}/accounts")
        assert status == 200 and "Save roles" not in page and "<form" not in page.partition("<main")[2]
        csrf = await csrf_of(rosa, base)

        async def does(change: str, **form: str) -> tuple[int, str]:
            async with rosa.post(
                f"{base}/accounts/{change}", data={"csrf": csrf, **form}, headers=BROWSER, allow_redirects=False
            ) as answer:
                return answer.status, await answer.text()

        assert (await does("agnes/roles", **{"role-agent": "yes", "role-ops": "yes"}))[0] == 303
        assert (await read(agnes, f"{base}/account"))[0] == 303, "her session ended with her roles"
        await log_in(agnes, base, "agnes")
        assert (await read(agnes, f"{base}/calls"))[0] == 200
        assert (await does("agnes/disable"))[0] == 303
        assert (await read(agnes, f"{base}/account"))[0] == 303
        assert (await log_in(agnes, base, "agnes")).status == 401
        assert (await does("agnes/enable"))[0] == 303
        assert (await does("agnes/one-time"))[1].count('id="secret"') == 1
        assert (await log_in(agnes, base, "agnes")).status == 401
        status, text = await does("rosa/disable")
        assert status == 409 and "nobody would be left" in text.lower()
        assert (await does("nobody/enable"))[0] == 409
        assert (await does("agnes/nonsense"))[0] == 404
        assert (await does("agnes/remove"))[0] == 303
        text = (await read(rosa, f"{base}/accounts"))[1]
        assert 'data-account="agnes"' not in text and "removed" in text


async def test_events_tell_each_role_what_it_may_see() -> None:
    async with serving(people=STAFF) as (base, _):
        for name, shown in (("otto", '"call_id": "c1"'), ("dan", '"call_id": ""'), ("agnes", '"calls": []')):
            async with browser() as session:
                await log_in(session, base, name)
                async with session.get(f"{base}/events") as events:
                    line = (await events.content.readline()).decode()
                assert shown.replace(" ", "") in line.replace(" ", ""), name
