"""Verdicts: what the checker said of files that it let pass, so that a line that starts again need not prove it again.

A verdict counts for the same files on the same line, by the same program; and only while every recording that the
checker asked for still is, or still isn't, there. Files that were refused are looked at each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path

import structlog

import ivr
from ivr.dialogue.checker.check import Checked, check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import load_library

log = structlog.get_logger(__name__)

KEPT = 8  # of the newest


class Verdicts:
    """In ``folder``, which need not be there yet; None: nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def check(self, sources: Mapping[str, str], facts: LineFacts) -> Checked:
        """As ``check_sources``, but a known verdict costs no more than to load the files. Never raises for what cannot
        be kept."""
        if self._folder is None:
            return check_sources(sources, facts)
        file = self._folder / f"{_key(sources, facts)}.json"
        if (known := _known(file, facts)) is not None:
            loaded = load_library(sources, facts.signatures)
            if loaded.library is not None:
                return Checked(loaded.library, known)
        asked: dict[tuple[str, str], bool] = {}
        checked = check_sources(sources, _listening(facts, asked))
        if checked.library is not None:
            _keep(file, checked.findings, asked)
        return checked


def _listening(facts: LineFacts, asked: dict[tuple[str, str], bool]) -> LineFacts:
    """``asked`` gets what is asked for of recordings, with the answers."""
    if (recorded := facts.recorded) is None:
        return facts

    def answered(audio: str, language: str) -> bool:
        asked[audio, language] = found = recorded(audio, language)
        return found

    return replace(facts, recorded=answered)


def _known(file: Path, facts: LineFacts) -> tuple[Finding, ...] | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        findings = tuple(Finding(**{**each, "path": tuple(each["path"])}) for each in kept["findings"])
        asked = [(str(audio), str(language), bool(there)) for audio, language, there in kept["recorded"]]
    except (OSError, ValueError, KeyError, TypeError):  # none, or half a file
        return None
    recorded = facts.recorded or (lambda audio, language: False)
    return findings if all(recorded(audio, language) == there for audio, language, there in asked) else None


def _keep(file: Path, findings: tuple[Finding, ...], asked: Mapping[tuple[str, str], bool]) -> None:
    kept = {
        "findings": [finding.as_json() for finding in findings],
        "recorded": [[audio, language, there] for (audio, language), there in asked.items()],
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(kept), encoding="utf-8")
        new.replace(file)
        for old in sorted(file.parent.glob("*.json"), key=lambda each: each.stat().st_mtime_ns)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:  # the next start takes a second longer
        log.warning("verdict.unkept", folder=str(file.parent), error=str(error))


def _key(sources: Mapping[str, str], facts: LineFacts) -> str:
    """Differs wherever the verdict may."""
    line = [repr(getattr(facts, field.name)) for field in fields(facts) if field.name != "recorded"]
    told = json.dumps([_program(), facts.recorded is None, line, sorted(sources.items())])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@lru_cache(maxsize=1)
def _program() -> list[tuple[str, int, int]]:
    """The checker, and all that it stands on: names, sizes and times of its files."""
    package = Path(ivr.__file__).parent
    files = [*package.glob("*.py"), *(each for each in (package / "dialogue").rglob("*") if each.suffix != ".pyc")]
    found = [(str(each.relative_to(package)), each.stat()) for each in files if each.is_file()]
    return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)
