"""Metric labels: only what the configuration or a fixed list names; whatever else callers, flows and peers come up with
is "other". So the number of series is bounded by what operators wrote, and below a ceiling whatever that is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ivr.config import TIE_LINE, Config
from ivr.events import Cause
from ivr.ports.line import GENERAL

OTHER = "other"

OUTCOMES = frozenset(
    {"resolved", "abandoned", "failed", "handed over", "goodbye", "unanswered", "withdrawn", "callback", "message"}
)
REASONS = frozenset({"asked", "silent", "not understood", "media failed", "something failed", "repeat-call"})
FAULTY = frozenset({"recogniser", "synthesiser", "store", "engine", "media"})
CAUSES = frozenset(str(cause) for cause in Cause)
HANDOVERS = frozenset({"connected", "closed", "failed"})
RINGS = frozenset({"answered", "declined", "no_answer", "unreachable", "lost", "withdrawn"})
ENDS = frozenset({"over", "dropped", "line", "machine", "transferred"})
REFUSALS = ("busy", "draining", "speech", "overload", "stranger", "credentials")
PARTS = ("media", "listen", "speak")
AGENTS = ("away", "idle", "offered", "busy", "wrap_up")


def one_of(known: Collection[str], value: str) -> str:
    """``value`` where it is known, else "other"."""
    return value if value in known else OTHER


@dataclass(slots=True)
class Labels:
    """What the configuration names, as reloads leave it; ``actions``, ``skills``, ``reasons`` (of risks) and the
    languages that are ``spoken`` are what the flows that serve may use."""

    trunks: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    skills: Callable[[], Collection[str]] = field(default=lambda: (GENERAL,))
    reasons: Callable[[], frozenset[str]] = field(default=frozenset)
    spoken: Callable[[], Collection[str]] = field(default=tuple)
    planned: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Config) -> Labels:
        labels = cls()
        labels.apply(config)
        return labels

    def language(self, tag: str) -> str:
        return tag if tag in self.planned else one_of(self.spoken(), tag)

    def apply(self, config: Config) -> None:
        flows = config.flows
        self.trunks = frozenset({TIE_LINE, *(trunk.name for trunk in config.sip.trunks)})
        self.entries = frozenset({flows.entry, *(plan.entry for plan in flows.numbers if plan.entry)})
        self.services = frozenset(service.name for service in flows.services)
        self.planned = frozenset({flows.language, *(plan.language for plan in flows.numbers if plan.language)})
