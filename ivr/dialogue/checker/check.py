"""The checker: all that is wrong with the flow files, at once, proven on every path of every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ivr.dialogue.checker import gethuman
from ivr.dialogue.checker.alike_terms import check_alike_terms
from ivr.dialogue.checker.alike_values import check_alike_values
from ivr.dialogue.checker.arguments import check_arguments
from ivr.dialogue.checker.company import check_company
from ivr.dialogue.checker.conditions import check_conditions
from ivr.dialogue.checker.confusable import check_confusable
from ivr.dialogue.checker.consequences import check_consequences
from ivr.dialogue.checker.dtmf_grammars import check_dtmf_grammars
from ivr.dialogue.checker.examples import check_examples
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.passed_values import check_passed_values
from ivr.dialogue.checker.paths import check_paths
from ivr.dialogue.checker.prompts import check_menus, check_prompts
from ivr.dialogue.checker.reaches_human import check_reaches_human
from ivr.dialogue.checker.references import check_references
from ivr.dialogue.checker.risk_keywords import check_risk_keywords
from ivr.dialogue.checker.said_as import check_said_as
from ivr.dialogue.checker.secrets import check_secrets
from ivr.dialogue.checker.symbols import check_symbols
from ivr.dialogue.checker.translations import check_languages, check_translations
from ivr.dialogue.checker.unread import check_unread
from ivr.dialogue.checker.waiting import check_waiting
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.library import FlowLibrary, load_library

Rule = Callable[[Findings], None]

RULES: tuple[Rule, ...] = (
    check_references,
    check_company,
    check_arguments,
    check_reaches_human,
    check_prompts,
    check_menus,
    check_translations,
    check_languages,
    check_dtmf_grammars,
    check_consequences,
    check_confusable,
    check_examples,
    check_secrets,
    check_waiting,
    check_conditions,
    check_said_as,
    check_symbols,
    check_paths,
    check_passed_values,
    check_alike_values,
    check_alike_terms,
    check_risk_keywords,
    check_unread,
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A published standard: its rule, and by number what it asks beside that and flow files can't show."""

    rule: Rule
    not_checked: Mapping[int, str]


PROFILES: Mapping[str, Profile] = {gethuman.NAME: Profile(gethuman.check_gethuman, gethuman.NOT_CHECKED)}


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on a folder's files. ``library`` is None when any finding is an error."""

    library: FlowLibrary | None
    findings: tuple[Finding, ...]


def check(library: FlowLibrary, facts: LineFacts, *, profile: str = "") -> tuple[Finding, ...]:
    """Everything wrong with a library, sorted by file and line. ``profile``: one of PROFILES, checked as well."""
    findings = Findings(library, facts)
    for rule in (*RULES, *((PROFILES[profile].rule,) if profile else ())):
        rule(findings)
    return ordered(findings.all)


def check_sources(sources: Mapping[str, str], facts: LineFacts, *, profile: str = "") -> Checked:
    """Load (once) and check: the loader's findings and the checker's together.

    Where files are too broken to load, what is left of them is checked, and what was left out is not counted again."""
    loaded = load_library(sources, facts.signatures)
    if loaded.draft is None:
        return Checked(None, loaded.findings)
    found = check(loaded.draft, facts, profile=profile)
    findings = ordered([*loaded.findings, *(f for f in found if not _follows(f, loaded.errors, loaded.draft))])
    return Checked(None if any(f.severity == "error" for f in findings) else loaded.library, findings)


# What may only follow from something that could not be loaded: ways that lead nowhere cut off what lies behind them.
_DERIVED = frozenset({"unreachable", "unused-flow", "never-returns"})
_FROM_START = frozenset({"hangs-up", "human-not-reached", "no-callback"})


def _follows(finding: Finding, errors: Sequence[Finding], draft: FlowLibrary) -> bool:
    """Whether a finding about a half-loaded library only repeats what the loader said."""
    if not errors:
        return False
    if finding.code in _DERIVED:
        return True
    here = {e.code for e in errors if e.file == finding.file}
    if finding.code in _FROM_START and any(e.code == "unknown-start" for e in errors):
        return True
    if finding.code.startswith("unknown-") and ("unknown-fragment" in here or finding.text in _omitted(draft)):
        return True
    if any(e.file == finding.file and e.line == finding.line for e in errors):
        return True
    parsed = draft.parsed.get(finding.file)
    return parsed is not None and any(parsed.positions.key(*p[:2]).line == finding.line for p in parsed.omitted)


def _omitted(draft: FlowLibrary) -> set[str]:
    """Names of variables, intents and states whose definitions were left out because something in them is wrong."""
    return {str(path[1]) for parsed in draft.parsed.values() for path in parsed.omitted if len(path) > 1}
