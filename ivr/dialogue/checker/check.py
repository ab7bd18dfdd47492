"""The checker: all that is wrong with the flow files, at once, proven on every path of every call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ivr.dialogue.checker import gethuman
from ivr.dialogue.checker.confusable import check_sounds
from ivr.dialogue.checker.consequences import check_consequences
from ivr.dialogue.checker.dtmf_grammars import check_keys
from ivr.dialogue.checker.reaches_human import check_roads
from ivr.dialogue.checker.references import check_names
from ivr.dialogue.checker.report import Report, Surroundings
from ivr.dialogue.checker.translations import check_words
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.library import FlowLibrary, Loaded, load_library
from ivr.dialogue.flows.signature import ActionSignature
from ivr.events import Term

CHECKS: tuple[Callable[[Report], None], ...] = (
    check_names,
    check_roads,
    check_words,
    check_keys,
    check_consequences,
    check_sounds,
)

PROFILES: Mapping[str, tuple[Callable[[Report], None], ...]] = {"": (), gethuman.NAME: (gethuman.check_gethuman,)}


def check(
    library: FlowLibrary,
    *,
    skills: Sequence[str] | None = None,
    recorded: Callable[[str, str], bool] | None = None,
    vocabulary_examples: Mapping[str, Sequence[Term]] | None = None,
    services: Collection[str] | None = None,
    entries: Collection[str] | None = None,
    recognised: Collection[str] | None = None,
    profile: str = "",
) -> tuple[Finding, ...]:
    """Everything wrong with a library, sorted by file and line. What is passed as None is not known and not checked.

    ``skills``: what the desk has; ``recorded(audio, language)``: whether a recording exists; ``services``: names of
    [[flows.services]]; ``entries``: flows that answer a number; ``recognised``: languages some recogniser serves;
    ``profile``: one of PROFILES, checked as well.
    """
    around = Surroundings(skills, services, entries, recorded, vocabulary_examples or {}, recognised)
    report = Report(library, around)
    for part in (*CHECKS, *PROFILES[profile]):
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
    profile: str = "",
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
        profile=profile,
    )
    return ordered([*loaded.findings, *(f for f in found if not _follows(f, loaded))])


# What may only follow from something that could not be loaded: ways that lead nowhere cut off what lies behind them.
_DERIVED = frozenset({"unreachable", "unused-flow", "never-returns"})
_FROM_START = frozenset({"hangs-up", "human-not-reached", "no-callback"})


def _follows(finding: Finding, loaded: Loaded) -> bool:
    """Whether a finding about a half-loaded library only repeats what the loader said."""
    errors = loaded.errors
    if not errors:
        return False
    if finding.code in _DERIVED:
        return True
    here = {e.code for e in errors if e.file == finding.file}
    if finding.code in _FROM_START and any(e.code == "unknown-start" for e in errors):
        return True
    if finding.code.startswith("unknown-") and ("unknown-fragment" in here or finding.text in _omitted(loaded)):
        return True
    if any(e.file == finding.file and e.line == finding.line for e in errors):
        return True
    assert loaded.draft is not None
    parsed = loaded.draft.parsed.get(finding.file)
    return parsed is not None and any(parsed.positions.key(*p[:2]).line == finding.line for p in parsed.omitted)


def _omitted(loaded: Loaded) -> set[str]:
    """Names of variables, intents and states whose definitions were left out because something in them is wrong."""
    assert loaded.draft is not None
    return {str(path[1]) for parsed in loaded.draft.parsed.values() for path in parsed.omitted if len(path) > 1}
