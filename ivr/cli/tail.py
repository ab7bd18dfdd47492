"""`ivr tail`: the structured log, rendered for people."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text
from watchfiles import awatch

from ivr.call_search import CallSearch
from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.errors import ConfigError, StoreUnavailable
from ivr.numbering import digits_of, same_number
from ivr.plain_text import printable
from ivr.store import Store
from ivr.store.url import missing_file

STYLES = {"error": "bold red", "critical": "bold red", "warning": "yellow", "info": "", "debug": "dim"}
# Shown in columns of their own, or of no interest to somebody who reads along.
COLUMNS = frozenset({"at", "level", "event", "call_id", "state", "flow", "flow_version", "leg", "exception", "logger"})
MOST_CALLS = 500  # that are looked up in the database
MOST_TIMES = 5  # a call of which it is not known yet whose it is
_ORDER = ("debug", "info", "warning", "error", "critical")
Entry = Mapping[str, Any]
EPILOG = """\
examples:
  ivr tail --follow                   everything, as it happens
  ivr tail --call 3f2a                one call, by the beginning of its id
  ivr tail --call "+1 (503) 555-0101" the calls from or to a number, in any notation
  ivr tail --call 4e8c0b@192.0.2.9    one call, by its SIP Call-ID
  ivr tail --level warning -n 50      the last fifty things to worry about
Personal data is masked where the service wrote the log with redact = true; no tool can bring it back. Which calls are
a number's is looked up in the database then. Exit code 1 when no call matches.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "tail", "read the call log as people do", EPILOG, handle)
    add_config(parser)
    parser.add_argument("--log", type=Path, metavar="FILE", help="instead of [logs] path; - reads standard input")
    parser.add_argument(
        "--call",
        default="",
        metavar="WHICH",
        help="only that call: the beginning of its id, its SIP Call-ID, or a number",
    )
    parser.add_argument(
        "--level", choices=["debug", "info", "warning", "error"], default="debug", help="at least this bad"
    )
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N of what fits")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines are written")


def handle(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    selection = Selection(arguments.level, arguments.call)
    last = _last(arguments.lines)
    if str(arguments.log) == "-":
        where = "standard input"
        shown = _wanted(selection, sys.stdin)
        for entry in shown if last is None else deque(shown, last):
            console.print(render(entry))
    else:
        path = arguments.log or Path(configuration(arguments).logs.path)
        if str(path) == "-":
            raise ConfigError("the log goes to standard output ([logs] path)", remedy="pass --log FILE, or --log -")
        if not path.exists():
            raise ConfigError(f"{path}: no log there yet", remedy="start ivr serve, or pass --log FILE")
        where = str(path)
        with path.open(encoding="utf-8", errors="replace") as stream:
            entries = [parse(line) for line in stream]
            for entry in entries:  # a call's first lines don't say yet which call they belong to
                selection.learn(entry)
            if selection.doubtful:
                selection.settle(asyncio.run(recorded_calls(arguments)))
                for entry in entries:
                    selection.learn(entry)
            for entry in deque(filter(selection.takes, entries), last):
                console.print(render(entry))
            if arguments.follow:
                asyncio.run(_follow(console, path, stream, selection, arguments))
    if selection.empty:
        print(f"ivr: {selection.why_empty(where)}", file=sys.stderr)
        return 1
    return 0


def _last(lines: int | None) -> int | None:
    if lines is not None and lines < 0:
        raise ConfigError(f"-n {lines} is no number of lines", remedy="leave it out for all of them")
    return lines


def _wanted(selection: Selection, lines: Iterable[str]) -> Iterator[Entry]:
    """As they come."""
    for entry in map(parse, lines):
        selection.learn(entry)
        if selection.takes(entry):
            yield entry


async def _follow(
    console: Console, path: Path, stream: TextIO, selection: Selection, arguments: argparse.Namespace
) -> None:
    async for line in follow(path, stream):
        entry = parse(line)
        selection.learn(entry)
        if selection.doubts(entry):
            selection.settle(await recorded_calls(arguments))
            selection.learn(entry)
        if selection.takes(entry):
            console.print(render(entry))


async def follow(path: Path, stream: TextIO) -> AsyncIterator[str]:
    """Whole lines as they are appended to ``path``; survives rotation. Ends when cancelled."""
    partial = ""
    async for _ in awatch(path.parent, recursive=False, rust_timeout=500, yield_on_timeout=True, debounce=50, step=20):
        partial += stream.read()
        *whole, partial = partial.split("\n")
        for line in whole:
            yield line
        with contextlib.suppress(FileNotFoundError):  # renamed, and not there anew yet
            named, opened = path.stat(), os.fstat(stream.fileno())
            if not os.path.samestat(named, opened):
                stream = path.open(encoding="utf-8", errors="replace")
            elif named.st_size < stream.tell():
                stream.seek(0)  # emptied


def parse(line: str) -> Entry:
    """What stands in a line; one that is no JSON is an event by itself. {} for an empty one."""
    text = line.rstrip("\n")
    if not text.strip():
        return {}
    try:
        entry = json.loads(text)
    except ValueError:
        return {"event": text, "level": "info"}
    return entry if isinstance(entry, dict) else {"event": text, "level": "info"}


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """Who called whom, unmasked, as the database has it."""

    call_id: str
    numbers: tuple[str, ...]


async def recorded_calls(arguments: argparse.Namespace) -> Sequence[RecordedCall]:
    """The newest calls that could be from or to the number that is looked for; none where nobody can say."""
    try:
        config = configuration(arguments)
        url = config.store.resolved()
    except ConfigError:  # a log without its line
        return []
    if missing_file(url):
        return []
    store = Store(url, node=config.node)
    try:
        found = await store.calls.find(CallSearch(digits_of(arguments.call), limit=MOST_CALLS))
    except StoreUnavailable:
        return []
    finally:
        await store.close()
    return [RecordedCall(call["call_id"], (call["caller"], call["called"])) for call in found.calls]


class Selection:
    """Which lines are wanted: those at least as bad as ``level``, of the calls that ``which`` names ("": all lines).

    ``which`` is the beginning of our id, a SIP Call-ID, or a number that calls or is called, in any notation."""

    def __init__(self, level: str, which: str) -> None:
        self._level = _ORDER.index(level)
        self._which = which.strip()
        self._number = digits_of(self._which)
        self._calls: set[str] = set()
        self._sip_calls: set[str] = set()
        self._masked: dict[str, None] = {}  # in the order they came; "" stands for those that were refused
        self._asked: Counter[str] = Counter()

    @property
    def doubtful(self) -> bool:
        """Whether there are calls whose masked number may be the wanted one."""
        return any(call not in self._calls for call in self._masked)

    def doubts(self, entry: Entry) -> bool:
        """Whether this line's call is one of them. True a few times only: its record may come a little later."""
        call = str(entry.get("call_id", ""))
        if not call or call not in self._masked or call in self._calls or self._asked[call] >= MOST_TIMES:
            return False
        self._asked[call] += 1
        return True

    def settle(self, recorded: Sequence[RecordedCall]) -> None:
        """Take the calls of which the records say that the number is theirs."""
        for call in recorded:
            if call.call_id in self._masked and any(same_number(self._number, digits_of(n)) for n in call.numbers):
                self._calls.add(call.call_id)

    @property
    def empty(self) -> bool:
        """No call matched."""
        return bool(self._which) and not (self._calls or self._sip_calls)

    def learn(self, entry: Entry) -> None:
        """Whether this line says of a call that it is wanted."""
        call, sip_call = str(entry.get("call_id", "")), str(entry.get("sip_call_id", ""))
        if not self._which:
            return
        if (
            (call and call.startswith(self._which.lower()))
            or (sip_call and sip_call.startswith(self._which))
            or call in self._calls
            or sip_call in self._sip_calls
            or (self._number and self._numbered(call, entry))
        ):
            self._calls.update(filter(None, (call,)))
            self._sip_calls.update(filter(None, (sip_call,)))

    def _numbered(self, call: str, entry: Entry) -> bool:
        numbers = [str(entry[key]) for key in ("caller", "called") if entry.get(key)]
        for number in numbers:
            if "•" in number and number[-2:] == self._number[-2:]:
                self._masked[call] = None
        return any(same_number(self._number, digits_of(number)) for number in numbers if "•" not in number)

    def takes(self, entry: Entry) -> bool:
        """Whether it is to be shown, by what was learnt."""
        if not entry:
            return False
        level = str(entry.get("level", "info"))
        if level in _ORDER and _ORDER.index(level) < self._level:
            return False
        return not self._which or entry.get("call_id") in self._calls or entry.get("sip_call_id") in self._sip_calls

    def why_empty(self, where: str) -> str:
        """For whoever looked for a call in vain."""
        why = f"no call in {where} matches {self._which!r}: neither an id, a SIP Call-ID nor a number"
        if not self._masked:
            return why
        calls = ", ".join(filter(None, self._masked)) or "calls that were refused"
        return (
            f"{why}. Numbers are masked in this log ([logs] redact = true), and the configured database does not "
            f"have it for those whose masked number ends the same: {calls}. Name one by its id"
        )


def render(entry: Entry) -> Text:
    """One line for people: time, call, state, what happened, the rest as key=value; a traceback below."""
    text = Text()
    text.append(printable(str(entry.get("at", ""))[11:23]) + " ", style="dim")
    if entry.get("call_id"):
        text.append(f"{printable(str(entry['call_id'])[:8])} ", style="cyan")
    if entry.get("state"):
        text.append(f"{printable(str(entry['state']))} ", style="magenta")
    text.append(printable(str(entry.get("event", ""))), style=STYLES.get(str(entry.get("level", "info")), ""))
    for key, value in entry.items():
        if key not in COLUMNS and value not in ("", None):
            text.append(f" {printable(key)}=", style="dim")
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            text.append(printable(shown))
    if entry.get("exception"):
        for line in str(entry["exception"]).split("\n"):
            text.append("\n" + printable(line), style="red")
    return text
