"""`ivr tail`: the structured log, rendered for people."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text
from watchfiles import awatch

from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.errors import ConfigError
from ivr.plain_text import plain

STYLES = {"error": "bold red", "critical": "bold red", "warning": "yellow", "info": "", "debug": "dim"}
# Shown in columns of their own, or of no interest to somebody who reads along.
COLUMNS = frozenset({"at", "level", "event", "call_id", "state", "flow", "flow_version", "leg", "exception", "logger"})
EPILOG = """\
examples:
  ivr tail --follow                   everything, as it happens
  ivr tail --call 3f2a                one call, by the beginning of its id
  ivr tail --level warning -n 50      the last fifty things to worry about
Personal data is masked where the service wrote the log with redact = true; no tool can bring it back.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "tail", "read the call log as people do", EPILOG, handle)
    add_config(parser)
    parser.add_argument("--log", type=Path, metavar="FILE", help="instead of [logs] path; - reads standard input")
    parser.add_argument("--call", default="", metavar="ID", help="only the call whose id begins so")
    parser.add_argument(
        "--level", choices=["debug", "info", "warning", "error"], default="debug", help="at least this bad"
    )
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N of what fits")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines are written")


def handle(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    if str(arguments.log) == "-":
        for line in sys.stdin:
            _show(console, line, arguments)
        return 0
    path = arguments.log or Path(configuration(arguments).logs.path)
    if not path.exists():
        raise ConfigError(f"{path}: no log there yet", remedy="start ivr serve, or pass --log FILE")
    with path.open(encoding="utf-8", errors="replace") as stream:
        lines = [line for line in stream if _wanted(_parse(line), arguments)]
        for line in lines[-arguments.lines :] if arguments.lines else lines:
            _show(console, line, arguments)
        if arguments.follow:
            asyncio.run(_follow(console, path, stream, arguments))
    return 0


async def _follow(console: Console, path: Path, stream: TextIO, arguments: argparse.Namespace) -> None:
    async for line in follow(path, stream):
        _show(console, line, arguments)


async def follow(path: Path, stream: TextIO) -> AsyncIterator[str]:
    """Whole lines as they are appended to ``path``; survives rotation. Ends when cancelled."""
    partial = ""
    inode = path.stat().st_ino
    async for _ in awatch(path.parent, recursive=False, rust_timeout=500, yield_on_timeout=True, debounce=50, step=20):
        partial += stream.read()
        *whole, partial = partial.split("\n")
        for line in whole:
            yield line
        if path.exists() and path.stat().st_ino != inode:
            inode = path.stat().st_ino
            stream = path.open(encoding="utf-8", errors="replace")


def _parse(line: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {"event": line.rstrip("\n"), "level": "info"}
    return entry if isinstance(entry, dict) else {"event": line.rstrip("\n"), "level": "info"}


def _wanted(entry: Mapping[str, Any], arguments: argparse.Namespace) -> bool:
    order = list(reversed(STYLES))
    level = str(entry.get("level", "info"))
    loud_enough = level not in order or order.index(level) >= order.index(arguments.level)
    return loud_enough and str(entry.get("call_id", "")).startswith(arguments.call)


def _show(console: Console, line: str, arguments: argparse.Namespace) -> None:
    entry = _parse(line)
    if line.strip() and _wanted(entry, arguments):
        console.print(render(entry))


def render(entry: Mapping[str, Any]) -> Text:
    """One line for people: time, call, state, what happened, the rest as key=value; a traceback below."""
    text = Text()
    text.append(plain(str(entry.get("at", ""))[11:23]) + " ", style="dim")
    if entry.get("call_id"):
        text.append(f"{plain(str(entry['call_id'])[:8])} ", style="cyan")
    if entry.get("state"):
        text.append(f"{plain(str(entry['state']))} ", style="magenta")
    text.append(plain(str(entry.get("event", ""))), style=STYLES.get(str(entry.get("level", "info")), ""))
    for key, value in entry.items():
        if key not in COLUMNS and value not in ("", None):
            text.append(f" {plain(key)}=", style="dim")
            text.append(plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)))
    if entry.get("exception"):
        text.append("\n" + "\n".join(map(plain, str(entry["exception"]).splitlines())), style="red")
    return text
