"""What supervisors set while the desk runs: hours, announcements."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivr.config import DeskConfig, Hours
from ivr.desk import ConfiguredDesk
from ivr.desk.settings import LiveSettings
from ivr.errors import StoreUnavailable
from ivr.ports import DeskAnnouncement, DeskSettings, HoursOverride
from tests.unit.desk.test_routing import AGENTS
from tests.unit.desk.test_screen_pop import Contexts

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NIGHT = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Kept:
    """``ivr.ports.DeskSettingsStore`` in memory. ``broken``: the database is away."""

    def __init__(self) -> None:
        self.kept = DeskSettings()
        self.broken = False

    async def settings(self) -> DeskSettings:
        if self.broken:
            raise StoreUnavailable("stopped")
        return self.kept

    async def set_hours(self, override: HoursOverride | None, by: str) -> None:
        if self.broken:
            raise StoreUnavailable("stopped")
        self.kept = replace(self.kept, hours=override)

    async def announce(self, announcement: DeskAnnouncement | None, by: str) -> None:
        self.kept = replace(self.kept, announcement=announcement)


def desk(settings: DeskSettings) -> ConfiguredDesk:
    config = DeskConfig(hours=Hours(mon="08:00-20:00", tue="09:00-20:00"), agents=AGENTS)
    return ConfiguredDesk(config, Contexts(), base_url="https://x/", time_zone="UTC", settings=lambda: settings)


def test_closed_until() -> None:
    found = desk(DeskSettings(HoursOverride(False, NOON + HOUR, "We are at a drill.")))
    assert not found.open_at(NOON)
    assert found.fact("hours.open", NOON) is False
    assert found.fact("desk.closed_reason", NOON) == "We are at a drill."
    assert found.fact("hours.next_opening", NOON) == NOON.date()
    assert [each.name for each in found.destinations("retention", NOON)] == ["both"], "who is on call still is"
    assert found.open_at(NOON + HOUR), "then the calendar counts again"
    assert found.fact("desk.closed_reason", NOON + HOUR) is None


def test_closed_until_after_the_calendar_closes() -> None:
    found = desk(DeskSettings(HoursOverride(False, NIGHT)))
    assert found.fact("hours.next_opening", NOON) == (NOON + timedelta(days=1)).date()
    assert found.hours_at(NOON).next_opening == datetime(2026, 6, 2, 9, 0, tzinfo=UTC)
    assert found.fact("desk.closed_reason", NOON) is None, "no reason was given"


def test_open_until() -> None:
    found = desk(DeskSettings(HoursOverride(True, NIGHT + HOUR)))
    assert found.open_at(NIGHT)
    assert len(found.destinations("retention", NIGHT)) == 3
    assert found.fact("hours.next_opening", NIGHT) is None
    assert not found.open_at(NIGHT + HOUR)


def test_an_announcement_counts_until_then() -> None:
    told = desk(DeskSettings(announcement=DeskAnnouncement("Discs are late.", NOON + HOUR)))
    assert told.fact("desk.announcement", NOON) == "Discs are late."
    assert told.fact("desk.announcement", NOON + HOUR) is None
    for_good = desk(DeskSettings(announcement=DeskAnnouncement("Discs are late.")))
    assert for_good.fact("desk.announcement", NIGHT + 100 * HOUR) == "Discs are late."


async def test_what_was_set_counts_at_once_and_is_told() -> None:
    changes: list[DeskSettings] = []
    live = LiveSettings(Kept(), lambda: changes.append(live.now()))
    override = HoursOverride(False, NOON)
    await live.set_hours(override, "ann")
    await live.load()
    assert live.now().hours == override
    assert changes == [DeskSettings(override)], "once: looking again changes nothing"
    await live.announce(DeskAnnouncement("Hello."), "ann")
    assert live.now() == DeskSettings(override, DeskAnnouncement("Hello."))


async def test_with_the_database_away_what_counted_goes_on() -> None:
    kept = Kept()
    live = LiveSettings(kept)
    await live.set_hours(HoursOverride(False, NOON), "ann")
    kept.broken = True
    with pytest.raises(StoreUnavailable):
        await live.set_hours(None, "ann")
    assert live.now().hours == HoursOverride(False, NOON)
