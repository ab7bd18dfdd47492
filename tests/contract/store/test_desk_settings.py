"""Settings of the desk in both databases: every process reads the same, every change is audited."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from ivr.clock import SystemClock
from ivr.desk.settings import LiveSettings
from ivr.ports import AuditEvent, AuditSearch, DeskAnnouncement, DeskSettings, HoursOverride
from ivr.store import Store
from tests.contract.store.conftest import Time
from tests.films import films_store


async def test_what_is_set_is_read_by_everybody(store: Store, url: str, now: Time) -> None:
    assert await store.desk_settings.settings() == DeskSettings()
    override = HoursOverride(False, now() + timedelta(hours=1), "A drill.")
    told = DeskAnnouncement("Discs are late.", now() + timedelta(days=1))
    await store.desk_settings.set_hours(override, "sue")
    await store.desk_settings.announce(told, "sue")
    other = films_store(url)
    assert await other.desk_settings.settings() == DeskSettings(override, told)
    await other.desk_settings.announce(DeskAnnouncement("All is well."), "tom")
    await other.close()
    assert await store.desk_settings.settings() == DeskSettings(override, DeskAnnouncement("All is well."))
    await store.desk_settings.set_hours(None, "sue")
    await store.desk_settings.announce(None, "sue")
    assert await store.desk_settings.settings() == DeskSettings()


async def test_who_changed_what_from_what_to_what(store: Store, now: Time) -> None:
    until = now() + timedelta(hours=1)
    await store.desk_settings.set_hours(HoursOverride(False, until, "A drill."), "sue")
    now.pass_(minutes=5)
    await store.desk_settings.set_hours(None, "tom")
    closed = {"open": False, "until": until.isoformat(), "reason": "A drill."}
    newest, first = (await store.audit_log.find(AuditSearch())).rows
    assert first.event == AuditEvent("sue", "desk.hours", "", None, closed)
    assert newest.event == AuditEvent("tom", "desk.hours", "", closed, None) and newest.at == now()


async def test_two_supervisors_at_once(store: Store, url: str, now: Time) -> None:
    """The trail has one order: each change begins where another ended."""
    other = films_store(url)
    overrides = [HoursOverride(False, now() + timedelta(minutes=n + 1)) for n in range(6)]
    tables = (store.desk_settings, other.desk_settings)
    await asyncio.gather(*(tables[n % 2].set_hours(each, "sue") for n, each in enumerate(overrides)))
    trail = [row.event for row in reversed((await store.audit_log.find(AuditSearch())).rows)]
    assert [each.before for each in trail] == [None, *(each.after for each in trail[:-1])]
    await other.close()


async def test_another_process_hears_of_it_within_about_a_second(store: Store, url: str, now: Time) -> None:
    other, changed = films_store(url), asyncio.Event()
    live, here = LiveSettings(other.desk_settings, changed.set), LiveSettings(store.desk_settings)
    following = asyncio.create_task(live.follow(SystemClock()))
    override = HoursOverride(True, now() + timedelta(hours=1))
    await here.set_hours(override, "sue")
    assert here.now().hours == override, "at once"
    async with asyncio.timeout(4):
        await changed.wait()
    assert live.now().hours == override
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await other.close()
