"""Saving: changed words checked with all the other files, then written; a wrong file never reaches a call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.source import read_directory
from ivr.errors import FlowError
from ivr.release.candidate import Check, examine
from ivr.workshop.edits import applied, write
from ivr.workshop.words.changes import ChangesRefused, Plan


def checked(sources: Mapping[str, str], plan: Plan, facts: LineFacts, check: Check | None = None) -> Mapping[str, str]:
    """The files as they will be. Raises ChangesRefused with every error that wasn't there before, EditConflict."""
    changed = applied(sources, plan.edits)
    wrong = examine({**sources, **changed}, facts, check=check).errors
    if wrong:
        known = {_same(finding) for finding in examine(sources, facts, check=check).errors}
        if new := [finding for finding in wrong if _same(finding) not in known]:
            raise ChangesRefused([f"{f.file}:{f.line}: {f.why}; {f.remedy}" for f in new])
    return changed


def save(folder: Path, plan: Plan, facts: LineFacts, check: Check | None = None) -> Mapping[str, str]:
    """What was written, file name -> text. Raises ChangesRefused, EditConflict where a file isn't the one that the plan
    is for, FlowError where it can't be read or written."""
    changed = checked(_read(folder), plan, facts, check)
    put(folder, plan, changed)
    return changed


def put(folder: Path, plan: Plan, changed: Mapping[str, str]) -> None:
    """Writes what was ``checked``, which took its time. Raises EditConflict where a file isn't the one that the plan is
    for any more, FlowError where it can't be written."""
    applied(_read(folder), plan.edits)
    try:
        write(folder, changed)
    except OSError as error:
        raise FlowError(
            f"{error.filename or folder}: {error.strerror}", remedy="let the line's user write the flows"
        ) from error


def _read(folder: Path) -> Mapping[str, str]:
    try:
        return read_directory(folder)
    except OSError as error:
        raise FlowError(f"the flows can't be read: {error.strerror}") from error


def _same(finding: Finding) -> tuple[str, str, str]:
    """An error wherever its line is by now."""
    return finding.code, finding.file, finding.why
