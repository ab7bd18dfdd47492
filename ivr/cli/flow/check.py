"""`ivr flow check`: everything that is wrong with flow files, at once, with place and remedy."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.text import Text

from ivr.cli.flow.options import add_paths, config_of, folders_of
from ivr.cli.options import Subparsers
from ivr.dialogue.flows.finding import Finding
from ivr.workshop.folder import examine
from ivr.workshop.profiles import PROFILES, profile

EPILOG = "Exit codes: 0 nothing wrong (warnings may remain), 1 errors (with --strict also warnings), 2 wrong usage."
STYLES = {"error": "bold red", "warning": "yellow"}


def add(tools: Subparsers) -> None:
    parser = tools.add_parser("check", help="what is wrong, where, why, and what to do", epilog=EPILOG)
    add_paths(parser)
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.add_argument("--json", action="store_true", help="findings as JSON, for editors and CI")
    parser.add_argument(
        "--profile", metavar="NAME", help=f"what a standard asks beside that; known: {', '.join(PROFILES)}"
    )
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    standard = profile(arguments.profile) if arguments.profile else None
    config = config_of(arguments)
    findings: list[Finding] = []
    folders = list(folders_of(arguments, config))
    for folder in folders:
        findings += examine(folder, config)
        if standard is not None:
            findings += standard.examine(folder)
    errors = sum(f.severity == "error" for f in findings)
    warnings = len(findings) - errors
    if arguments.json:
        found = [f.as_json() for f in findings]
        print(json.dumps({"errors": errors, "warnings": warnings, "findings": found}, ensure_ascii=False, indent=2))
    else:
        show(findings, errors, warnings)
        if not findings:
            checked = _counted(len(folders), "folder")
            print(f"nothing wrong: {checked} checked; every state of every flow reaches a human")
    return 1 if errors or (arguments.strict and warnings) else 0


def show(findings: list[Finding], errors: int, warnings: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        first, *rest = finding.render().splitlines()
        console.print(Text(first, STYLES[finding.severity]))
        for line in rest:
            console.print(Text(line))
    if findings:
        console.print(Text(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}"))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
