"""`ivr recordings`: which recordings there are, and deleting them, one by one, a caller's, or old ones."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ivr.cli.db import there
from ivr.cli.options import Subparsers, add_config, age, command, configuration, operator
from ivr.config import Config
from ivr.errors import ConfigError, RecordingUnreadable
from ivr.logs import Log, StandardError, configure_logging
from ivr.ports import RecordingRow
from ivr.recording.archive import BROKEN_OFF, Archive
from ivr.sealing import Keys
from ivr.store import Store


@dataclass(frozen=True, slots=True)
class Opened:
    archive: Archive
    keys: Keys
    by: str


Work = Callable[[Opened, argparse.Namespace], Awaitable[str]]


def add(commands: Subparsers) -> None:
    parser = command(commands, "recordings", "what was recorded: list it, delete it")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, text: str, work: Work) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = command(actions, name, text, handler=handle)
        add_config(added)
        added.set_defaults(work=work)
        return added

    list_ = action("list", "recordings, the newest first", listed)
    list_.add_argument("--call", default="", metavar="CALL_ID", help="only this call's")
    list_.add_argument("--caller", default="", metavar="ID", help="only this caller's, as the company knows them")
    delete_ = action("delete", "delete recordings for good: the files and what is listed of them", delete)
    delete_.add_argument("names", nargs="*", metavar="NAME")
    delete_.add_argument("--caller", default="", metavar="ID", help="all of this caller")
    action("check", "read all of them: that none is missing, was changed, or has a key that is not configured", check)
    action("keys", "which key seals how many, and which of them are configured", keys)
    action("rewrap", "after a new [recording] key: wrap everything by it; may be interrupted and repeated", rewrap)
    purge_ = action("purge", "delete what is older", purge)
    purge_.add_argument("--older-than", required=True, type=age, metavar="AGE", help="90d, for instance")


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    written = logged(config) if arguments.work not in (listed, keys, check) else None
    try:
        print(asyncio.run(run(config, arguments)))
    finally:
        if written is not None:
            written.close()
    return 0


def logged(config: Config) -> Log:
    """What is deleted has its line in the line's own log, or nothing is. Raises OSError."""
    logs, beside = config.logs, StandardError() if config.logs.path == "-" else None  # standard output is the answer's
    return configure_logging(path=logs.path, level=logs.level, redact=logs.redact, stream=beside)


async def run(config: Config, arguments: argparse.Namespace) -> str:
    """What to tell the operator. Raises StoreUnavailable, ConfigError, OSError."""
    there(config)
    store = Store(config.store.resolved(), node=config.node, spool=config.store.spool_folder)
    try:
        keys = Keys.of(config.recording.keys())
        archive = Archive(store.recordings, config.recording.folder, keys, store.now)
        answer: str = await arguments.work(Opened(archive, keys, operator()), arguments)
        return answer
    finally:
        await store.close()


async def listed(opened: Opened, arguments: argparse.Namespace) -> str:
    found = (
        await opened.archive.of_call(arguments.call)
        if arguments.call
        else await opened.archive.listed(arguments.caller)
    )
    return "\n".join(map(_line, found)) or "there are no recordings"


def _line(row: RecordingRow) -> str:
    sealed = f"sealed by {row.key}" if row.key else "not sealed"
    who = f"{row.caller_id or 'unknown caller'} with {', '.join(row.agents) or 'nobody'}"
    at = row.started_at.isoformat(timespec="seconds")
    ended = f"  {row.ended}" if row.ended.startswith(BROKEN_OFF) else "" if row.ended else "  goes on"
    return f"{row.name}  {at}  {row.seconds:7.1f} s  {row.kind}  call {row.call_id}  {who}  {sealed}{ended}"


async def delete(opened: Opened, arguments: argparse.Namespace) -> str:
    if bool(arguments.names) == bool(arguments.caller):
        raise ConfigError("name recordings, or one caller", remedy="ivr recordings list shows both")
    rows: Sequence[RecordingRow]
    if arguments.caller:
        rows = await opened.archive.listed(arguments.caller)
    else:
        found = [await opened.archive.find(name) for name in arguments.names]
        if missing := [name for name, row in zip(arguments.names, found, strict=True) if row is None]:
            raise ConfigError(f"there is no recording {', '.join(missing)}", remedy="ivr recordings list shows them")
        rows = [row for row in found if row is not None]
    for row in rows:
        await opened.archive.delete(row, opened.by, "asked for")
    return f"deleted {len(rows)} recording{'' if len(rows) == 1 else 's'}"


async def check(opened: Opened, _: argparse.Namespace) -> str:
    """Raises RecordingUnreadable for what can't be heard any more."""
    whole, troubles = await opened.archive.check()
    told = f"{whole} recording{'' if whole == 1 else 's'} whole"
    if troubles:
        raise RecordingUnreadable("\n".join([f"{told}, {len(troubles)} not:", *troubles]))
    return told


async def keys(opened: Opened, _: argparse.Namespace) -> str:
    found, known = dict(await opened.archive.keys()), opened.keys.known or {}
    lines = []
    for key in dict.fromkeys([*known, *sorted(found)]):
        count = f"{found.get(key, 0)} recordings"
        if not key:
            lines.append(f"not sealed: {count}")
        elif key == opened.keys.current:
            lines.append(f"{key}: {count}; the current key")
        elif key in known:
            lines.append(f"{key}: {count}; " + ("a former key" if key in found else "a former key that may go"))
        else:
            lines.append(f"{key}: {count}; not configured: they can't be played until it is in former_keys")
    return "\n".join(lines) or "there are no recordings, and there is no key"


async def rewrap(opened: Opened, _: argparse.Namespace) -> str:
    counts, troubles = await opened.archive.rewrap()
    told = f"wrapped by {opened.keys.current}: {counts.get('rewrapped', 0)}; already: {counts.get('current', 0)}"
    if busy := counts.get("busy"):
        told += f"; being recorded: {busy}, repeat this later"
    if troubles:
        raise RecordingUnreadable("\n".join([told, *troubles]))
    return told


async def purge(opened: Opened, arguments: argparse.Namespace) -> str:
    older: timedelta = arguments.older_than
    count = await opened.archive.purge(datetime.now(UTC) - older, opened.by)
    return f"deleted {count} recording{'' if count == 1 else 's'}"
