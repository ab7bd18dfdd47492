"""Live settings of the desk: what supervisors say now, the same in every process within about a second."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from ivr.errors import StoreUnavailable
from ivr.ports import Clock, DeskAnnouncement, DeskSettings, DeskSettingsStore, HoursOverride

POLL_S = 1.0

log = structlog.get_logger(__name__)


class LiveSettings:
    """``on_change``: told when something else counts. While the database is away what was known last goes on."""

    def __init__(self, store: DeskSettingsStore, on_change: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._on_change = on_change
        self.current = DeskSettings()

    def now(self) -> DeskSettings:
        return self.current

    async def load(self) -> None:
        """Raises StoreUnavailable."""
        found = await self._store.settings()
        if found != self.current:
            self.current = found
            log.info("desk.settings", **_told(found))
            self._on_change()

    async def follow(self, clock: Clock) -> None:
        """What other processes were told; until cancelled."""
        while True:
            try:
                await self.load()
            except StoreUnavailable as error:
                log.debug("desk.settings_stale", error=str(error))
            await clock.sleep(POLL_S)

    async def set_hours(self, override: HoursOverride | None, by: str) -> None:
        """Raises StoreUnavailable, and nothing has changed."""
        await self._at_once(self._store.set_hours(override, by))

    async def announce(self, announcement: DeskAnnouncement | None, by: str) -> None:
        """Raises StoreUnavailable, and nothing has changed."""
        await self._at_once(self._store.announce(announcement, by))

    async def _at_once(self, change: Awaitable[None]) -> None:
        await change
        await self.load()


def _told(settings: DeskSettings) -> dict[str, object]:
    hours = settings.hours
    return {
        "hours": None if hours is None else f"{'open' if hours.open else 'closed'} until {hours.until.isoformat()}",
        "announcement": settings.announcement is not None,
    }
