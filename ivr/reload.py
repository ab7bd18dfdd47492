"""Reload (SIGHUP): config.toml is read again; what may change on a running line changes, what needs a restart is named.

The whole new configuration is checked before any of it counts; with a fault in it everything stays as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import structlog

from ivr.config import Config, RetentionConfig
from ivr.errors import ConfigError, IvrError, StoreUnavailable
from ivr.ports import AuditEvent, AuditLog

log = structlog.get_logger(__name__)

LIVE = frozenset(
    {
        *("sip.trunks", "sip.max_calls", "sip.busy_status", "sip.retry_after_s", "sip.session_expires_s"),
        *(f"retention.{kind}" for kind in RetentionConfig.model_fields),
        "sip.local_nets",
        *("flows.entry", "flows.language", "flows.persona", "flows.numbers", "flows.services"),
        *(
            "desk.hours",
            "desk.agents",
            "desk.line",
            "speech.second_ear",
            "recording.days",
            "media.processes",
            "media.legs_per_process",
            "http.oidc",
            "logs.path",
            "logs.level",
            "logs.redact",
            "cdr.path",
        ),
    }
)
"""What counts from the reload on, for new calls, new hand-overs and new log lines; calls in progress go on."""

SIGNAL = "signal"
"""Who it was, in the audit log: nobody can say more of a SIGHUP."""

Part = Callable[[Config], None]
"""Hands one part of the line its piece of a checked configuration. Doesn't wait, and shouldn't fail."""


class Reload:
    """``config``: what counts now; ``accepted``: the file was right when it was last read. ``check`` raises
    IvrError for what can't be; ``parts`` are told what counts next. ``audit``: where it is noted."""

    def __init__(
        self,
        config: Config,
        check: Callable[[Config], Awaitable[None]],
        parts: Sequence[Part],
        audit: AuditLog | None = None,
    ) -> None:
        self.config = config
        self.accepted = True
        self._check = check
        self._parts = parts
        self._audit = audit
        self._one_at_a_time = asyncio.Lock()

    async def run(self, read: Callable[[], Config]) -> bool:
        """Take what ``read`` finds; whether it was. Whatever is wrong with it is a log line."""
        async with self._one_at_a_time:
            self.accepted = False
            try:
                wanted = await asyncio.to_thread(read)
                changed = differences(self.config, wanted)
                merged = _merged(self.config, wanted, sorted_out(changed)[0])
                _check_secrets(self.config, merged)
                await self._check(merged)
            except IvrError as error:
                await self._reject(str(error))
                return False
            except (OSError, ValueError) as error:
                await self._reject(f"{type(error).__name__}: {error}")
                return False
            except Exception as error:  # whatever nobody foresaw, the next reload must find somebody
                log.exception("config.check_raised")
                await self._reject(f"{type(error).__name__}, which is a fault of ours: see config.check_raised")
                return False
            self.accepted = self._hand_out(merged)
            now, later = sorted_out(changed)
            if later:
                log.warning("config.restart_needed", keys=later)
            log.info("config.reloaded", changed=now)
            await self._note(AuditEvent(SIGNAL, "config.reloaded", after={"changed": now, "postponed": later}))
            return self.accepted

    async def _reject(self, error: str) -> None:
        log.error("config.rejected", error=error)
        await self._note(AuditEvent(SIGNAL, "config.reloaded", result=f"rejected: {error}"))

    async def _note(self, event: AuditEvent) -> None:
        """A reload is the operator's way to help a line whose database is away: that doesn't stop it."""
        if self._audit is not None:
            try:
                await self._audit.note(event)
            except StoreUnavailable as error:
                log.warning("config.not_noted", error=str(error))

    def _hand_out(self, merged: Config) -> bool:
        """Whether every part took it: one that raises keeps it from no other."""
        whole = True
        for part in self._parts:  # also where nothing changed: a file may have been renamed, a secret replaced
            try:
                part(merged)
            except Exception:
                whole = False
                log.exception("config.part_failed", remedy="restart the line: a part of it goes on as before")
        self.config = merged
        return whole


def differences(old: Config, new: Config) -> list[str]:
    """The keys ("sip.max_calls") whose values differ, in the file's order."""
    return [
        f"{section}.{key}"
        for section in Config.model_fields
        for key in type(getattr(old, section)).model_fields
        if getattr(getattr(old, section), key) != getattr(getattr(new, section), key)
    ]


def sorted_out(keys: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that count from a reload on, and those that need a restart."""
    known = list(keys)
    return [key for key in known if key in LIVE], [key for key in known if key not in LIVE]


def _merged(old: Config, new: Config, keys: Sequence[str]) -> Config:
    """``old`` with what ``new`` has under ``keys``."""
    sections: dict[str, dict[str, Any]] = {}
    for dotted in keys:
        section, _, key = dotted.partition(".")
        sections.setdefault(section, {})[key] = getattr(getattr(new, section), key)
    return old.model_copy(
        update={name: getattr(old, name).model_copy(update=values) for name, values in sections.items()}
    )


def _check_secrets(old: Config, new: Config) -> None:
    """A secret that came with this change must be where it is said to be. Raises ConfigError."""
    if missing := new.missing_secrets(known=set(old.secrets)):
        raise ConfigError("\n".join(missing))
