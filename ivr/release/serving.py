"""The flow libraries that serve calls. A library is immutable; a call keeps the one it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError

log = structlog.get_logger(__name__)

BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Rejected:
    """The newest files did not pass the checker at ``at``; the version before them keeps serving."""

    findings: tuple[Finding, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Canary:
    """A version on trial: ``percent`` of the callers get it, and everybody who calls from or to ``numbers`` (E.164)."""

    library: FlowLibrary
    percent: int = 0
    numbers: frozenset[str] = frozenset()

    def serves(self, caller: str, called: str, call_id: str) -> bool:
        """The same caller always gets the same answer; a withheld number is decided call by call."""
        if not self.numbers.isdisjoint((caller, called)):
            return True
        return bucket(self.library.version, caller or call_id) < self.percent * BUCKETS // 100


def bucket(version: str, who: str) -> int:
    """Where a caller falls, 0 to 9,999, evenly. Another canary takes other callers: nobody tries everything."""
    return int.from_bytes(hashlib.sha256(f"{version} {who}".encode()).digest()[:8], "big") % BUCKETS


class ServingVersions:
    """What new calls get. ``reloads`` and ``rejections`` count since the start."""

    def __init__(self) -> None:
        self._live: FlowLibrary | None = None
        self.canary: Canary | None = None
        self.rejected: Rejected | None = None
        self.held: str = ""
        self.reloads = 0
        self.rejections = 0

    @property
    def live(self) -> FlowLibrary:
        if self._live is None:
            raise FlowError("no flows are loaded", remedy="ivr flow check flows")
        return self._live

    @property
    def libraries(self) -> Sequence[FlowLibrary]:
        """Those that new calls may get; none before the first is loaded."""
        trial = (self.canary.library,) if self.canary is not None else ()
        return (self._live, *trial) if self._live is not None else trial

    def choose(self, caller: str, called: str, call_id: str) -> FlowLibrary:
        """The version for a new call."""
        if self.canary is not None and self.canary.serves(caller, called, call_id):
            return self.canary.library
        return self.live

    def publish(self, library: FlowLibrary) -> None:
        """From now on new calls get ``library``."""
        self.reloads += self._live is not None
        self._live = library
        log.info("flows.published", flow_version=library.version)

    def try_out(self, canary: Canary | None) -> None:
        """From now on some of the new calls get the canary; None ends it."""
        if canary is None and self.canary is not None:
            log.info("flows.canary_ended", flow_version=self.canary.library.version)
        elif canary is not None:
            version, count = canary.library.version, len(canary.numbers)
            log.info("flows.canary", flow_version=version, percent=canary.percent, number_count=count)
        self.canary = canary

    def reject(self, findings: Sequence[Finding], at: datetime) -> None:
        """The newest files are wrong: one error line a finding; what serves goes on serving."""
        self.rejected = Rejected(tuple(findings), at)
        self.rejections += 1
        for f in findings:
            log.error("flows.rejected", file=f.file, line=f.line, column=f.column, code=f.code, finding=f.render())

    def accept(self) -> None:
        """The newest files are right again."""
        self.rejected = None
