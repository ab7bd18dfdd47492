"""Renewal of our certificate (SIP over TLS): its files are looked at once a minute and on SIGHUP; new connections get
the new one, those that are up stay, unless a list revokes them. What can't be used leaves everything as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ivr.config import TlsConfig
from ivr.errors import ConfigError
from ivr.sip.certificates import OwnCertificate
from ivr.sip.tls import TlsContexts

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_EVERY_S = 60.0
SOON = timedelta(days=7)  # from then on it is told once a day
TELL_EVERY = timedelta(days=1)


class Renewal:
    """``run`` until cancelled."""

    def __init__(self, contexts: TlsContexts, config: TlsConfig, renewed: Callable[[], None] = lambda: None) -> None:
        """``renewed`` is told that what new connections begin with is another."""
        self._contexts, self._renewed = contexts, renewed
        self._config = config
        self._seen = self._stamps()
        self._one_at_a_time = asyncio.Lock()
        self._told_at = datetime.min.replace(tzinfo=UTC)

    @property
    def own(self) -> OwnCertificate:
        return self._contexts.own

    async def run(self) -> None:
        while True:
            self._tell_of_its_end(datetime.now(UTC))
            await asyncio.sleep(LOOK_EVERY_S)
            if self._stamps() != self._seen:
                await self.renew()

    async def renew(self) -> None:
        """Read the files, whatever their time says. What is wrong with them is a log line."""
        async with self._one_at_a_time:
            seen, before, revoked = self._stamps(), self.own, self._contexts.revocations
            try:
                own = await asyncio.to_thread(self._contexts.renew)
            except ConfigError as error:
                if seen != self._seen:
                    log.error("sip.certificate_rejected", error=str(error), remedy="what served before goes on serving")
                self._seen = seen
                return
            self._seen = seen
            self._renewed()
            if (now := self._contexts.revocations) != revoked:
                ends = now.ends.isoformat() if now.ends is not None else None
                log.info("sip.revocations_renewed", revoked=now.count, ends=ends)
            if own != before:
                log.info("sip.certificate_renewed", names=own.names, ends=own.ends.isoformat(), sha256=own.pin)

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        """What changes with the files: of each its inode, time and size."""
        return tuple(_stamp(file) for file in self._config.files)

    def _tell_of_its_end(self, now: datetime) -> None:
        if now - self._told_at < TELL_EVERY:
            return
        until, left = self._contexts.revocations.ends, self.own.ends - now
        if until is not None and until <= now:
            self._told_at = now
            log.error("sip.revocations_expired", ended=until.isoformat(), remedy=f"fetch a new {self._config.crl}")
        if left > SOON:
            return
        self._told_at = now
        event = "sip.certificate_expired" if left <= timedelta() else "sip.certificate_ends_soon"
        log.error(event, ends=self.own.ends.isoformat(), remedy=f"renew {self._config.certificate}")


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
