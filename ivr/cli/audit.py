"""`ivr audit`: who did what, and whether anybody changed what is written down of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.cli.db import Opened, opened_current
from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.config import Config
from ivr.errors import ConfigError
from ivr.ports import AuditRow, AuditSearch

EPILOG = """\
examples:
  ivr audit verify                                   every row, and that none is missing; exit code 1 where one is
  ivr audit verify --head 1234:5f3c…                 and that the log is the one whose end was noted then
  ivr audit show --since 7d --who rosa               what she did, and from her address
  ivr audit show --what recording.played --on c0ffee
  ivr audit show --since 2026-03-01 -n 1000

Rows are JSON, the latest last. Nobody can change or delete one through the database; who can take it apart can also
write it anew. So keep what verify prints (`ivr audit verify` daily, by mail, say): with --head it shows that, too, as
long as that row has not expired ([retention] audit): what was noted yesterday never has.
"""
_AGE = re.compile(r"([0-9]{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


Work = Callable[[Opened, argparse.Namespace], Awaitable[tuple[str, int]]]


def add(commands: Subparsers) -> None:
    parser = command(commands, "audit", "who did what, and that nobody changed what is written of it", EPILOG)
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, text: str, work: Work) -> argparse.ArgumentParser:
        added = command(actions, name, text, handler=handle)
        add_config(added)
        added.set_defaults(work=work)
        return added

    verify_ = action("verify", "check the chain of hashes, row by row", verify)
    verify_.add_argument("--head", type=head, default=(0, ""), metavar="ROW:HASH", help="as verify printed it once")
    show_ = action("show", "rows, as JSON, the latest last", show)
    show_.add_argument("--since", default="", metavar="WHEN", help="7d, 12h, or a day or moment: 2026-03-01T15:30")
    show_.add_argument("--until", default="", metavar="WHEN", help="likewise")
    show_.add_argument("--who", default="", metavar="TEXT", help="in who did it, or from where")
    show_.add_argument("--what", default="", metavar="ACTION", help="recording.played, or how it begins: recording.")
    show_.add_argument("--on", default="", metavar="TEXT", help="in what it was done on: a call's id, an account")
    show_.add_argument("-n", "--lines", type=int, default=100, metavar="N", help="at most so many; default: 100")


def handle(arguments: argparse.Namespace) -> int:
    said, code = asyncio.run(run(configuration(arguments), arguments))
    print(said)
    return code


async def run(config: Config, arguments: argparse.Namespace) -> tuple[str, int]:
    """What to tell, and the exit code. Raises ConfigError, StoreUnavailable."""
    async with opened_current(config) as database:
        answer: tuple[str, int] = await arguments.work(database, arguments)
        return answer


async def verify(opened: Opened, arguments: argparse.Namespace) -> tuple[str, int]:
    found = await opened.store.audit_log.verify(*arguments.head)
    if found.broken is not None:
        return f"row {found.broken} is the first that is wrong: {found.why} ({found.rows} rows before it are right)", 1
    gone = f" after row {found.expired}, up to which all expired" if found.expired else ""
    return f"the audit log is whole: {found.rows} rows{gone}, head {found.last}:{found.hash}", 0


async def show(opened: Opened, arguments: argparse.Namespace) -> tuple[str, int]:
    now = opened.store.now()
    asked = AuditSearch(
        arguments.who, arguments.what, arguments.on,
        when(arguments.since, now, opened.zone), when(arguments.until, now, opened.zone), max(1, arguments.lines),
    )  # fmt: skip
    found = await opened.store.audit_log.find(asked)
    return "\n".join(map(as_json, reversed(found.rows))) or "nothing of that kind happened", 0


def as_json(row: AuditRow) -> str:
    event = asdict(row.event)
    who, what = event.pop("actor"), event.pop("action")
    told = {"row": row.id, "at": row.at.isoformat(), "actor": who, "source": row.source, "action": what, **event}
    return json.dumps(told, ensure_ascii=False)


def head(text: str) -> tuple[int, str]:
    row, _, hash_ = text.partition(":")
    if not row.isascii() or not row.isdecimal() or not re.fullmatch(r"[0-9a-f]{64}", hash_):
        raise argparse.ArgumentTypeError(f"{text!r} is not what verify prints after head")
    return int(row), hash_


def when(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """An age, or a moment; without an offset in ``zone``. None for "". Raises ConfigError."""
    if not text:
        return None
    if age := _AGE.fullmatch(text):
        return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no time", remedy="write 7d, 12h, 2026-03-01 or 2026-03-01T15:30") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)
