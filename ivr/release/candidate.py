"""Candidates: flow files on their way to callers, read, put together and checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from ivr.dialogue.checker.check import Checked, check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.source import library_files, read_directory

log = structlog.get_logger(__name__)


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


Check = Callable[[Mapping[str, str], LineFacts], Checked]


def examine(
    sources: Mapping[str, str], facts: LineFacts, *, profile: str = "", check: Check | None = None
) -> Candidate:
    """Load and check. Pure, and heavy enough (tenths of a second) to stay off the event loop. ``check``: by whom, if
    not by the checker anew.

    What the checker itself stumbles over is a finding: a file may stay out, but it never takes the line down."""
    began = time.perf_counter()
    try:
        checked = check(sources, facts) if check is not None else check_sources(sources, facts, profile=profile)
    except Exception as error:
        log.exception("flows.checker_failed")
        why = f"the checker failed on these files: {type(error).__name__}: {error}"
        finding = Finding("checker-failed", "error", "", 0, 0, "", why, "undo the last edit, and report this")
        checked = Checked(None, (finding,))
    return Candidate(sources, checked.library, checked.findings, time.perf_counter() - began)


def findings_of(sources: Mapping[str, str], facts: LineFacts, check: Check | None = None) -> tuple[Finding, ...]:
    """Only what was found: that much crosses from the checker's process."""
    return examine(sources, facts, check=check).findings


def examine_folder(folder: Path, facts: LineFacts, check: Check | None = None) -> Candidate:
    """The same for a folder's files; a folder that can't be read is a finding too."""
    try:
        sources = read_directory(folder)
    except OSError as error:
        why = f"the flows can't be read: {error.strerror or error}"
        remedy = "create the folder, readable by the service's user"
        return Candidate({}, None, (Finding("unreadable", "error", str(folder), 0, 0, "", why, remedy),), 0.0)
    return examine(sources, facts, check=check)


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the folder's files: cheap to compare, for folders whose changes raise no event
    (network mounts, mounted volumes that are swapped as a whole)."""
    try:
        found = [(p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in library_files(folder)]
    except OSError:
        return ()
    return tuple(sorted(found))


def author(folder: Path) -> str:
    """Who saved last, as far as the file system knows: "watcher (OWNER)"."""
    try:
        newest = max(library_files(folder), key=lambda p: p.stat().st_mtime_ns)
        return f"watcher ({newest.owner()})"
    except (OSError, KeyError, ValueError):
        return "watcher"
