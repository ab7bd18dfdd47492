"""The flow libraries that serve calls. A library is immutable; a call keeps the one it began with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from ivr.dialogue.finding import Finding
from ivr.dialogue.library import FlowLibrary
from ivr.errors import FlowError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The newest files did not pass the checker; the version before them keeps serving."""

    findings: tuple[Finding, ...]


class Shelf:
    """Holds the live library."""

    def __init__(self) -> None:
        self._live: FlowLibrary | None = None
        self.rejected: Rejected | None = None

    @property
    def live(self) -> FlowLibrary:
        if self._live is None:
            raise FlowError("no flows are loaded", remedy="ivr flow check flows")
        return self._live

    def publish(self, library: FlowLibrary) -> None:
        self._live = library
        self.rejected = None
        log.info("flows.published", flow_version=library.version)

    def reject(self, findings: Sequence[Finding]) -> None:
        self.rejected = Rejected(tuple(findings))
        for finding in findings:
            log.error("flows.rejected", finding=finding.render())
