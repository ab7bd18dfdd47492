"""Flow files on their way to callers: read, put together and checked, in a thread of their own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from ivr.config import Config
from ivr.dialogue.checker.check import check, check_sources
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.signature import ActionSignature
from ivr.dialogue.flows.source import read_directory

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checker holds flows against: the line around them. Empty is not known, and not checked."""

    signatures: Mapping[str, ActionSignature]
    skills: tuple[str, ...]
    services: tuple[str, ...]
    entries: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, signatures: Mapping[str, ActionSignature]) -> Surroundings:
        flows = config.flows
        return cls(
            signatures,
            skills=tuple(dict.fromkeys(s for agent in config.desk.agents for s in agent.skills)),
            services=tuple(service.name for service in flows.services),
            entries=tuple(dict.fromkeys((flows.entry, *(n.entry for n in flows.numbers if n.entry)))),
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """Files as they were read, and the verdict. ``library`` is None when any finding is an error."""

    sources: Mapping[str, str]
    library: FlowLibrary | None
    findings: tuple[Finding, ...]
    took_s: float

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error")


def examine(sources: Mapping[str, str], around: Surroundings) -> Candidate:
    """Load and check. Pure, and heavy enough (tenths of a second) to stay off the event loop.

    What the checker itself stumbles over is a finding: a file may stay out, but it never takes the line down."""
    began = time.perf_counter()
    demands: dict[str, Any] = {
        "skills": around.skills or None,
        "services": around.services or None,
        "entries": around.entries,
    }
    try:
        library = load_library(sources, around.signatures).library
        if library is not None:
            findings = check(library, **demands)
        else:
            findings = check_sources(sources, around.signatures, **demands)
    except Exception as error:
        log.exception("flows.checker_failed")
        library = None
        why = f"the checker failed on these files: {type(error).__name__}: {error}"
        findings = (Finding("checker-failed", "error", "", 0, 0, "", why, "undo the last edit, and report this"),)
    if any(f.severity == "error" for f in findings):
        library = None
    return Candidate(sources, library, findings, time.perf_counter() - began)


def examine_folder(folder: Path, around: Surroundings) -> Candidate:
    """The same for a folder's files; a folder that can't be read is a finding too."""
    try:
        sources = read_directory(folder)
    except OSError as error:
        why = f"the flows can't be read: {error.strerror or error}"
        remedy = "create the folder, readable by the service's user"
        return Candidate({}, None, (Finding("unreadable", "error", str(folder), 0, 0, "", why, remedy),), 0.0)
    return examine(sources, around)


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the folder's files: cheap to compare, for folders whose changes raise no event
    (network mounts, mounted volumes that are swapped as a whole)."""
    try:
        found = [(p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in folder.iterdir() if p.suffix == ".yaml"]
    except OSError:
        return ()
    return tuple(sorted(found))


def author(folder: Path) -> str:
    """Who saved last, as far as the file system knows: "watcher (OWNER)"."""
    try:
        newest = max((p for p in folder.iterdir() if p.suffix == ".yaml"), key=lambda p: p.stat().st_mtime_ns)
        return f"watcher ({newest.owner()})"
    except (OSError, KeyError, ValueError):
        return "watcher"
