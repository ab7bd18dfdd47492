"""The audit log at the console: what is read is noted before it is shown, and operators see who did what."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp

from ivr.ports import AuditEvent, AuditSearch
from tests.audit import FakeAudit
from tests.web.console import console
from tests.web.fakes import CALL, FakeCalls, serving
from tests.web.people import EVERYTHING, browser, log_in

BROWSER = {"Accept": "text/html"}


async def test_whoever_reads_a_call_is_noted() -> None:
    audit = FakeAudit()
    async with serving(token="hunter2", people=EVERYTHING, audit=audit) as (base, _), browser() as rosa:
        await log_in(rosa, base)
        for path in ("/calls", "/calls/c1", "/api/calls", "/api/calls/c1", "/api/calls/none"):
            async with rosa.get(f"{base}{path}") as answer:
                assert answer.status == (404 if path.endswith("none") else 200)
    assert audit.events == [AuditEvent("rosa", "call.read", "c1")] * 2


async def test_a_list_of_calls_does_not_say_what_was_said() -> None:
    said = [{"kind": "heard", "text": "my secret"}]
    call = {**CALL, "transcript": said, "handoff": {"reason": "asked", "transcript": said}}
    audit = FakeAudit()
    async with serving(calls=FakeCalls(call), audit=audit) as (base, session):
        async with session.get(f"{base}/api/calls") as answer:
            text = await answer.text()
            assert "my secret" not in text and '"reason": "asked"' in text
        assert not audit.events
        async with session.get(f"{base}/api/calls/c1") as answer:
            assert "my secret" in await answer.text()
    assert [event.target for event in audit.events] == ["c1"]


async def test_what_can_not_be_noted_is_not_shown() -> None:
    async with serving(people=EVERYTHING, audit=FakeAudit(broken=True)) as (base, _), browser() as rosa:
        assert (await log_in(rosa, base)).status == 303, "who may help gets in"
        for path in ("/calls/c1", "/api/calls/c1"):
            async with rosa.get(f"{base}{path}") as answer:
                assert answer.status == 503 and "transcript" not in await answer.text()
        async with rosa.get(f"{base}/calls") as answer:
            assert answer.status == 200, "what was said is not there"


async def test_who_opens_a_hand_overs_link_is_noted_and_never_kept_waiting() -> None:
    audit = FakeAudit()
    async with serving(audit=audit, context={"reason": "asked", "call_id": "c1"}) as (base, session):
        for broken in (False, True):
            audit.broken = broken
            async with session.get(f"{base}/handoff/right") as answer:
                assert answer.status == 200
    assert audit.events == [AuditEvent("link", "context.read", "c1")]


async def page(session: aiohttp.ClientSession, address: str) -> str:
    async with session.get(address, headers=BROWSER) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def test_the_page_is_searched_page_by_page(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served, browser() as rosa:
        await log_in(rosa, served.base)
        for number in range(60):
            await served.store.audit_log.note(AuditEvent("token:ab", "export.made", f"call-{number}", None, {"<b>": 1}))
        await served.store.audit_log.note(AuditEvent("rosa", "recording.played", "call-7", result="failed: it's gone"))
        first = await page(rosa, f"{served.base}/audit?what=export.")
        assert len(re.findall("<tr data-row", first)) == 50 and "Page 1 of 2" in first and "<b>" not in first
        assert "{&#34;&lt;b&gt;&#34;: 1}" in first and "call-59" in first
        second = await page(rosa, f"{served.base}/audit?what=export.&page=2")
        assert len(re.findall("<tr data-row", second)) == 10 and 'rel="prev"' in second
        both = await page(rosa, f"{served.base}/audit?on=call-7&who=rosa")
        assert len(re.findall("<tr data-row", both)) == 1 and "failed: it&#39;s gone" in both
        await served.store.audit_log.note(AuditEvent("rosa", "account.one_time", "sam", {}, {}))
        empty = await page(rosa, f"{served.base}/audit?what=account.one_time")
        assert empty.count("<tr data-row") == 1 and "{}" not in empty and "→" not in empty
        assert "Nothing of that kind" in await page(rosa, f"{served.base}/audit?who=nobody&day=2026-03-01")
        login = await page(rosa, f"{served.base}/audit?what=account.login")
        assert "127.0.0.1" in login and "rosa" in login
        for wrong in ("page=0", "page=x", "from=yesterday", f"who={'x' * 201}"):
            async with rosa.get(f"{served.base}/audit?{wrong}") as answer:
                assert answer.status == 400
        async with rosa.post(f"{served.base}/audit", data={}) as answer:
            assert answer.status in (403, 405)


async def test_what_happens_at_the_console_has_its_row(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served, browser() as rosa:
        await log_in(rosa, served.base, password="guess")
        await log_in(rosa, served.base, name="my password, by mistake")
        await served.authentication.settle()
        await log_in(rosa, served.base)
        csrf = re.findall('data-csrf="([^"]+)"', await page(rosa, f"{served.base}/account"))[0]
        form = {"csrf": csrf, "name": "sam", "role-agent": "yes"}
        async with rosa.post(f"{served.base}/accounts", data=form) as answer:
            assert answer.status == 200
        async with rosa.post(f"{served.base}/accounts/sam/roles", data={"csrf": csrf, "role-ops": "yes"}) as answer:
            assert answer.status == 200
        async with rosa.post(f"{served.base}/logout", data={"csrf": csrf}) as answer:
            assert answer.status == 200
        rows = (await served.store.audit_log.find(AuditSearch())).rows
        told = [(row.event.actor, row.event.action, row.event.target, row.event.result) for row in reversed(rows)]
        assert told[-7:] == [
            ("somebody", "account.login_refused", "rosa", "wrong name or password"),
            ("somebody", "account.login_refused", "", "wrong name or password"),
            ("rosa", "account.login", "rosa", "done"),
            ("rosa", "account.added", "sam", "done"),
            ("rosa", "account.one_time", "sam", "done"),
            ("rosa", "account.roles", "sam", "done"),
            ("rosa", "account.logout", "rosa", "done"),
        ]
        assert {row.source for row in rows[:7]} == {"127.0.0.1"}
        assert (await served.store.audit_log.verify()).broken is None
