"""`ivr speech timeline`: where each millisecond of a turn went, from the logs of real calls."""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.cli.tail import Entry, Selection, parse
from ivr.errors import ConfigError
from ivr.workshop.timeline.drawing import svg
from ivr.workshop.timeline.turns import EVENT, table, turns

EPILOG = """\
examples:
  ivr speech timeline                            the steps of all answers in the configured log: p50, p95, worst
  ivr speech timeline --since 1h --svg turns.svg the last hour's, and a picture that any browser opens
  ivr speech timeline --call 3f2a --svg call.svg one call, turn by turn
  ivr speech timeline ivr.log* --last 200        rotated ones too, gzipped or not, in any order
  journalctl -u ivr -o cat | ivr speech timeline -
The steps add up to the time from the caller's last sound to the answer's first. They are in the log as turn.answered,
without a word of what was said. Exit code 1 where there is no turn.
"""
_GZIP = b"\x1f\x8b"
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"([0-9]{1,5})([mhd])")


def add(tools: Subparsers) -> None:
    parser = command(tools, "timeline", "where each millisecond of an answer went", EPILOG, handle)
    add_config(parser)
    parser.add_argument(
        "logs", nargs="*", metavar="LOG", help="instead of [logs] path; rotated and gzipped ones too; - reads a pipe"
    )
    parser.add_argument(
        "--call", default="", metavar="WHICH", help="only that call: its id's beginning, or SIP Call-ID"
    )
    parser.add_argument("--since", type=moment, metavar="WHEN", help="90m, 2h, 1d, or a time such as 2026-03-01T15:30")
    parser.add_argument("--last", type=int, default=40, metavar="N", help="how many turns the picture has (40)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw them")


def moment(text: str) -> datetime:
    """A time (UTC where it names no zone), or how long ago."""
    if ago := _AGE.fullmatch(text):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90m, 2h, 1d or 2026-03-01T15:30") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def handle(arguments: argparse.Namespace) -> int:
    if arguments.last < 1:
        raise ConfigError("--last: at least one turn", remedy="leave it out for 40")
    names = arguments.logs or [str(_configured(arguments))]
    selection = Selection("debug", arguments.call)
    answers = []
    for entry in (entry for name in names for entry in _entries(name)):
        selection.learn(entry)
        if entry.get("event") == EVENT:
            answers.append(entry)
    found = sorted(turns(filter(selection.takes, answers), arguments.since), key=lambda turn: turn.at)
    where = ", ".join(names)
    if not found:
        why = f"no turn.answered in {where}: nobody was answered who spoke (answers to keys are no turns)"
        why = selection.why_empty(where) if selection.empty else why
        print(f"ivr: {why}", file=sys.stderr)
        return 1
    print(table(found))
    if arguments.svg is not None:
        title = "Last sound to answer" + (f", {where}" if len(names) == 1 else "")
        arguments.svg.write_text(svg(found, title, arguments.last), encoding="utf-8")
        print(f"drawn: {arguments.svg}")
    return 0


def _configured(arguments: argparse.Namespace) -> Path:
    path = Path(configuration(arguments).logs.path)
    if str(path) == "-":
        raise ConfigError("the log goes to standard output ([logs] path)", remedy="name the file, or - to read a pipe")
    return path


def _entries(name: str) -> Iterator[Entry]:
    """Raises ConfigError where there is no such log."""
    if name == "-":
        yield from map(parse, sys.stdin)
        return
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"{path}: no log there", remedy="start ivr serve, or name another")
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        try:
            for line in stream:
                yield parse(line.decode("utf-8", "replace"))
        except (EOFError, gzip.BadGzipFile, zlib.error):
            print(f"ivr: {path} is damaged: what comes after is missing", file=sys.stderr)
