"""The check before a reload: whether the line could go on with a configuration, asked of each part that takes it."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from ivr.config import Config
from ivr.desk.hours import Calendar
from ivr.engines import Engines
from ivr.limits import descriptors
from ivr.line_facts import KnownFacts, line_facts
from ivr.line_telemetry import LineTelemetry
from ivr.logs import Log
from ivr.release.entry import CallEntry, PromptPreparation, check_entries
from ivr.release.live import LiveFlows, aside
from ivr.release.serving import ServingVersions
from ivr.sip.certificates import Pair


class ReloadCheck:
    """``config``: what counts now. ``facts``: of what was checked last, for when it counts."""

    def __init__(
        self,
        config: Callable[[], Config],
        serving: ServingVersions,
        entry: CallEntry,
        prompts: PromptPreparation,
        flows: LiveFlows,
        known: KnownFacts,
        telemetry: LineTelemetry,
        engines: Engines,
        written: Log | None,
    ) -> None:
        self._config = config
        self._serving = serving
        self._entry = entry
        self._prompts = prompts
        self._flows = flows
        self._known = known
        self._telemetry = telemetry
        self._engines = engines
        self._written = written
        self.facts = known.facts

    async def __call__(self, wanted: Config) -> None:
        """Raises IvrError for what the line could not go on with."""
        now, serving, entry = self._config(), self._serving, self._entry
        Calendar(wanted.desk.hours, ZoneInfo(now.flows.time_zone))
        if wanted.sip.tls is not None:
            await aside(Pair.read, wanted.sip.tls)
        check_entries(wanted.flows, serving.live)
        if self._written is not None and wanted.logs.path != now.logs.path:
            self._written.check(wanted.logs.path)
        self._telemetry.check(wanted)
        self.facts = await aside(line_facts, wanted)
        await self._flows.check(self._known.now(self.facts))
        chosen = serving.live.universals.languages
        if entry.voices(chosen, wanted.flows) != entry.voices(chosen):
            await self._prompts.prepare(serving.live, config=wanted.flows)
        self._engines.check(wanted)
        if wanted.sip.max_calls != now.sip.max_calls:
            descriptors.warn(wanted.sip.max_calls)
