"""`ivr flow check`: everything that is wrong with flow files, at once, with place and remedy."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from ivr.actions import ActionRegistry
from ivr.cli.flow.options import add_paths, config_of, existing_store, folders_of
from ivr.cli.options import Subparsers, command
from ivr.company import Times, company_of
from ivr.config import Config
from ivr.dialogue.checker.check import PROFILES
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding, Severity
from ivr.errors import ConfigError, IvrError
from ivr.events import Term
from ivr.line_facts import line_facts
from ivr.release.candidate import examine

EPILOG = """\
Exit codes: 0 nothing wrong (warnings may remain), 1 errors (with --strict also warnings), 2 wrong usage.
Notes say how the line is, and never fail.
"""
STYLES: Mapping[Severity, str] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def add(tools: Subparsers) -> None:
    parser = command(tools, "check", "what is wrong, where, why, and what to do", EPILOG, handle)
    add_paths(parser)
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.add_argument("--json", action="store_true", help="findings as JSON, for editors and CI")
    parser.add_argument(
        "--profile", metavar="NAME", default="", help=f"what a standard asks beside that; known: {', '.join(PROFILES)}"
    )


def handle(arguments: argparse.Namespace) -> int:
    profile = arguments.profile
    if profile and profile not in PROFILES:
        raise ConfigError(f"there is no profile {profile}", remedy=f"one of: {', '.join(PROFILES)}")
    config = config_of(arguments)
    folders = list(folders_of(arguments, config))
    facts = asyncio.run(facts_of(config))
    examined = [(folder, examine(folder.sources, facts, profile=profile)) for folder in folders]
    findings = [f for folder, found in examined for f in folder.own(found.findings)]
    counts = Counter(f.severity for f in findings)
    titles = {name for _, found in examined if found.library is not None for name in found.library.unlisted}
    unchecked = list(facts.unknown(sorted(titles)))
    if config is None:
        unchecked.append("whether the line has the example company's actions and facts, which are taken to be there")
    if profile:
        unchecked += [f"{profile}, rule {number}: {why}" for number, why in PROFILES[profile].not_checked.items()]
    if arguments.json:
        found = [f.as_json() for f in findings]
        told = {**{f"{s}s": counts[s] for s in STYLES}, "findings": found, "not_checked": unchecked}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        show(findings)
        if unchecked:
            more = ". There is no config.toml here: pass --config FILE to check these too" if config is None else ""
            print(f"not checked: {'; '.join(unchecked)}{more}")
        if findings:
            said = [_counted(counts[s], s) for s in STYLES if counts[s] or s != "note"]
            print(", ".join(said))
        if not counts["error"] and not counts["warning"]:
            checked = _counted(len(folders), "folder")
            print(f"nothing wrong: {checked} checked; every state of every flow reaches a human")
    return 1 if counts["error"] or (arguments.strict and counts["warning"]) else 0


async def facts_of(config: Config | None) -> LineFacts:
    """A database that isn't there or doesn't answer leaves the vocabularies unknown."""
    return line_facts(config, await _vocabularies(config) if config is not None else None)


async def _vocabularies(config: Config) -> Mapping[str, Sequence[Term]] | None:
    company = company_of(config)
    try:
        store = existing_store(config.store.resolved())
    except IvrError:
        return None
    try:
        office = company.on(store.database, Times(store.now, ZoneInfo(config.flows.time_zone)))
        return await ActionRegistry(office.actions).vocabularies()
    except IvrError:
        return None
    finally:
        await store.close()


def show(findings: Sequence[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        first, *rest = finding.render().splitlines()
        console.print(Text(first, STYLES[finding.severity]))
        for line in rest:
            console.print(Text(line))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
