"""`ivr flow fmt`: one way to lay out flow files."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

from ivr.cli.flow.options import add_paths, config_of, paths_of
from ivr.cli.options import Subparsers, command
from ivr.dialogue.flows.format import format_text
from ivr.dialogue.flows.source import read_file, source_files
from ivr.errors import ConfigError

EPILOG = """\
Comments, quotes and the order of everything stay, and so does what the file means: a file that would mean something
else, or can't be read, is left as it is.
Exit codes: 0 all files are tidy now; 1 a file can't be read, or with --check: would change; 2 wrong usage.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "fmt", "tidy the files; comments stay", EPILOG, handle)
    add_paths(parser)
    parser.add_argument("--check", action="store_true", help="change nothing, show what would change")


def handle(arguments: argparse.Namespace) -> int:
    untidy = broken = 0
    for path in _files(paths_of(arguments, config_of(arguments))):
        text = read_file(path)
        formatted = format_text(str(path), text)
        for finding in formatted.findings:
            print(finding.render(), file=sys.stderr)
        broken += bool(formatted.findings)
        if formatted.text == text:
            continue
        untidy += 1
        if arguments.check:
            before, tidy = text.splitlines(True), formatted.text.splitlines(True)
            sys.stdout.writelines(difflib.unified_diff(before, tidy, str(path), f"{path}, tidied"))
        else:
            path.write_text(formatted.text, encoding="utf-8", errors="surrogateescape", newline="\n")
            print(path)
    return 1 if broken or (arguments.check and untidy) else 0


def _files(paths: list[Path]) -> Iterator[Path]:
    """Flows, wordings and test scripts. Raises ConfigError for what isn't there."""
    for path in paths:
        if path.is_dir():
            yield from source_files(path)
        elif path.is_file():
            yield path
        else:
            raise ConfigError(f"{path}: no such file or folder", remedy="name a folder of flows, or a file in one")
