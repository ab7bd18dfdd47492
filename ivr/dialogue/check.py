"""The checker: all that is wrong with the flow files, at once, proven on every path of every call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ivr.dialogue.finding import Finding, ordered
from ivr.dialogue.library import FlowLibrary, load_library
from ivr.dialogue.proof.consequences import check_consequences
from ivr.dialogue.proof.keys import check_keys
from ivr.dialogue.proof.names import check_names
from ivr.dialogue.proof.report import Report, Surroundings
from ivr.dialogue.proof.roads import check_roads
from ivr.dialogue.proof.sounds import check_sounds
from ivr.dialogue.proof.words import check_words
from ivr.dialogue.signature import ActionSignature
from ivr.events import Term

CHECKS: tuple[Callable[[Report], None], ...] = (
    check_names,
    check_roads,
    check_words,
    check_keys,
    check_consequences,
    check_sounds,
)


def check(
    library: FlowLibrary,
    *,
    skills: Sequence[str] | None = None,
    recorded: Callable[[str, str], bool] | None = None,
    vocabulary_examples: Mapping[str, Sequence[Term]] | None = None,
    services: Collection[str] | None = None,
    entries: Collection[str] | None = None,
    recognised: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Everything wrong with a library, sorted by file and line. What is passed as None is not known and not checked.

    ``skills``: what the desk has; ``recorded(audio, language)``: whether a recording exists; ``services``: names of
    [[flows.services]]; ``entries``: flows that answer a number; ``recognised``: languages some recogniser serves.
    """
    around = Surroundings(skills, services, entries, recorded, vocabulary_examples or {}, recognised)
    report = Report(library, around)
    for part in CHECKS:
        part(report)
    return ordered(report.findings)


def check_sources(
    sources: Mapping[str, str],
    signatures: Mapping[str, ActionSignature],
    *,
    skills: Sequence[str] | None = None,
    recorded: Callable[[str, str], bool] | None = None,
    vocabulary_examples: Mapping[str, Sequence[Term]] | None = None,
    services: Collection[str] | None = None,
    entries: Collection[str] | None = None,
    recognised: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Load and check, for tools: the loader's findings and the checker's together.

    Where files are too broken to load, what is left of them is checked, and what was left out is not counted again.
    """
    loaded = load_library(sources, signatures)
    if loaded.draft is None:
        return loaded.findings
    found = check(
        loaded.draft,
        skills=skills,
        recorded=recorded,
        vocabulary_examples=vocabulary_examples,
        services=services,
        entries=entries,
        recognised=recognised,
    )
    broken = {f.file for f in loaded.findings if f.severity == "error"}
    doubtful = {file: _shadow(loaded.draft, file) for file in broken}
    kept = [f for f in found if f.file not in broken or f.line not in doubtful[f.file]]
    return ordered([*loaded.findings, *kept])


def _shadow(library: FlowLibrary, file: str) -> Collection[int]:
    """Lines of ``file`` on which findings may only follow from what was left out of it."""
    parsed = library.parsed.get(file)
    if parsed is None or parsed.model is not None:
        return ()
    lines = set()
    for path in parsed.omitted:
        place = parsed.positions.key(*path[:2])
        lines.add(place.line)
        value = parsed.positions.value(*path[:2])
        lines.add(value.line)
    return lines
