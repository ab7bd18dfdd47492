"""`ivr cdr`: call detail records, searched and exported as JSON lines or as CSV for a spreadsheet."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ivr.call_search import NUMBER_DIGITS
from ivr.cli.audit import when
from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.errors import ConfigError
from ivr.numbering import LEAST_DIGITS, digits_of
from ivr.telemetry.call_detail import COLUMNS

EPILOG = """\
examples:
  ivr cdr --since 7d                               the last week's, as JSON lines
  ivr cdr --since 2026-03-01 --until 2026-04-01 --csv > march.csv
  ivr cdr --call 503-555-0101 --trunk pbx          calls from or to a number, in any notation
  ivr cdr --outcome refused --outcome failed

They are read from [cdr] path and what logrotate has kept beside it (.1, .2.gz, -20260301), the oldest first. Every
record has the same columns. In CSV what a spreadsheet would take for a formula gets a ' before it; whole telephone
numbers are in both. Where the file says that records are missing, standard error says so, too.
Exit code 0 also where none matches.
"""
_KEPT = re.compile(r"[.-][0-9][0-9T.-]*(\.gz)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"\+?[0-9]+")


def add(commands: Subparsers) -> None:
    parser = command(commands, "cdr", "call detail records, searched and exported", EPILOG, handle)
    add_config(parser)
    parser.add_argument("--file", type=Path, metavar="FILE", help="instead of [cdr] path, and nothing beside it")
    parser.add_argument("--since", default="", metavar="WHEN", help="began then: 7d, 12h, or a day or moment")
    parser.add_argument("--until", default="", metavar="WHEN", help="and before then")
    parser.add_argument(
        "--call", default="", metavar="WHICH", help="the beginning of its id, its SIP Call-ID, a number"
    )
    parser.add_argument("--trunk", default="", metavar="NAME")
    parser.add_argument("--outcome", action="append", default=[], metavar="OUTCOME", help="may be repeated")
    parser.add_argument(
        "--final", action="store_true", help="one record a call: no conversations after which it went on"
    )
    parser.add_argument("--csv", action="store_true", help="with a line of names first; else JSON lines")


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    files = [arguments.file] if arguments.file is not None else kept(config.cdr.path)
    now, zone = datetime.now(UTC), ZoneInfo(config.flows.time_zone)
    wanted = Wanted(
        arguments.call, arguments.trunk, tuple(arguments.outcome), arguments.final,
        when(arguments.since, now, zone), when(arguments.until, now, zone),
    )  # fmt: skip
    gaps = Gaps()
    found = (record for file in files for record in records(file, gaps) if wanted.matches(record))
    (as_csv if arguments.csv else as_lines)(found, sys.stdout.write)
    if said := str(gaps):
        print(said, file=sys.stderr)
    return 0


@dataclass(slots=True)
class Gaps:
    """What the files lack: records that their writer lost, and lines that nobody can read."""

    missing: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        told = [f"{self.missing} records are missing: they could not be written (a full disk)"] * bool(self.missing)
        told += [f"{self.unreadable} lines are no records: left out"] * bool(self.unreadable)
        return "\n".join(told)


def kept(path: str) -> list[Path]:
    """The file and what it was renamed to, the oldest first. Raises ConfigError where there is none."""
    if not path:
        raise ConfigError("no call detail records are kept", remedy='set [cdr] path, "var/cdr.jsonl", say; or --file')
    current = Path(path)
    beside = current.parent.glob(f"{current.name}*") if current.parent.is_dir() else ()
    found = [each for each in beside if each == current or _KEPT.fullmatch(each.name.removeprefix(current.name))]
    if not found:
        raise ConfigError(f"{path}: no call detail records there yet", remedy="the first call that ends makes it")
    return sorted(found, key=lambda each: (each == current, each.stat().st_mtime, each.name))


def records(file: Path, gaps: Gaps) -> Iterator[Mapping[str, Any]]:
    """Of one file, gzipped where it is called so. Raises ConfigError."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as stream:
            for line in stream:
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if not isinstance(record, dict):
                    gaps.unreadable += 1
                elif isinstance(record.get("missing"), int):
                    gaps.missing += record["missing"]
                else:
                    yield record
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"{file}: {why}", remedy="name a file of call detail records that this user may read"
        ) from error


@dataclass(frozen=True, slots=True)
class Wanted:
    """ "", () and None ask for nothing. ``call``: as `ivr tail` takes it."""

    call: str = ""
    trunk: str = ""
    outcomes: tuple[str, ...] = ()
    final: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, record: Mapping[str, Any]) -> bool:
        began = _moment(record.get("started"))
        return (
            (not self.trunk or record.get("trunk") == self.trunk)
            and (not self.outcomes or record.get("outcome") in self.outcomes)
            and (not self.final or record.get("final") is True)
            and (self.since is None or (began is not None and began >= self.since))
            and (self.until is None or (began is not None and began < self.until))
            and self._is_call(record)
        )

    def _is_call(self, record: Mapping[str, Any]) -> bool:
        if not self.call:
            return True
        ids = str(record.get("call_id", "")), str(record.get("sip_call_id", ""))
        if (ids[0] and ids[0].startswith(self.call)) or self.call == ids[1]:
            return True
        digits = digits_of(self.call).lstrip("0")[-NUMBER_DIGITS:]
        if len(digits) < LEAST_DIGITS:
            return False
        return any(digits_of(str(record.get(name, ""))).endswith(digits) for name in ("caller", "called"))


def _moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def as_lines(found: Iterable[Mapping[str, Any]], write: Callable[[str], object]) -> None:
    for record in found:
        write(json.dumps(record, ensure_ascii=False) + "\n")


def as_csv(found: Iterable[Mapping[str, Any]], write: Callable[[str], object]) -> None:
    """RFC 4180, in the columns' order."""

    class Stream:
        def write(self, text: str) -> object:
            return write(text)

    rows = csv.writer(Stream(), lineterminator="\n")
    rows.writerow(COLUMNS)
    for record in found:
        rows.writerow([_cell(record.get(name)) for name in COLUMNS])


def _cell(value: object) -> object:
    """What callers and peers wrote is text for a spreadsheet, too: never a formula of theirs."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
