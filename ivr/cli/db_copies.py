"""`ivr db backup`, `restore` and `check`: a copy of the database, and whether it is whole."""

from __future__ import annotations

import argparse
import asyncio
import textwrap
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ConfigError, StoreUnavailable
from ivr.record import Entry
from ivr.store import Store, backup
from ivr.store.columns import metadata
from ivr.store.retention import LONG_S
from ivr.store.upkeep import wiped

WIDTH = 110
UNWIPED = "what earlier releases deleted may still be in its free pages: run ivr db upgrade while no line runs"
BESIDE = "flows, config.toml and recordings are files beside it; keep [recording] keys, but never in the same place"


async def back_up(store: Store, arguments: argparse.Namespace) -> str:
    target: Path = arguments.file
    await backup.back_up(store.database, target)
    return f"{target}: {target.stat().st_size:,} bytes of {store.name}; {BESIDE}"


async def restore(store: Store, arguments: argparse.Namespace) -> str:
    await backup.restore(store.database, arguments.file)
    now = await store.status()
    told = f"{store.name} is what {arguments.file} was, at revision {now.revision}"
    then = "" if now.usable else f"\nthis release needs {now.head}: run ivr db upgrade"
    return (
        f"{told}{then}\nwho was forgotten after that backup is back: repeat ivr forget for them;"
        " then run ivr db check and ivr recordings check"
    )


async def check(store: Store, _: argparse.Namespace) -> str:
    """Raises StoreUnavailable for what is damaged."""
    database, now = store.database, await store.status()
    if not now.revision:
        raise ConfigError(f"{store.name} is empty", remedy="run ivr db upgrade, or ivr db restore FILE")
    lines = [f"{store.name}: revision {now.revision}" + ("" if now.usable else f"; this release needs {now.head}")]
    if database.sqlite:
        file = Path(str(database.url.database))
        if trouble := await asyncio.to_thread(backup.trouble_in, file):
            raise StoreUnavailable(f"{file} is damaged: {trouble}", remedy="stop the line, and ivr db restore a backup")
        lines.append("every page, index and reference is whole")
        if not await wiped(database):
            lines.append(UNWIPED)
    counts = await database.read(_counts, timeout_s=LONG_S)
    lines += _told(counts)
    if not now.usable:
        return "\n".join([*lines, "run ivr db upgrade, and check again"])
    recent = await store.calls.recent(1, live=False)
    if recent:
        call = await store.calls.get(str(recent[0]["call_id"]))
        entries = [Entry.from_json(entry) for entry in call["entries"]] if call is not None else []
        lines.append(f"the last call, {recent[0]['call_id']}, is read: {len(entries)} entries")
    if waiting := store.spooled():
        lines.append(f"{waiting} writes wait for it in {store.spool_folder}: a line writes them")
    return "\n".join(lines)


def _told(counts: Mapping[str, int]) -> list[str]:
    filled = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    empty = ", ".join(name for name, count in counts.items() if not count)
    return [
        textwrap.fill(f"{title}: {names}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        for title, names in (("rows, all read", filled), ("empty", empty))
        if names
    ]


async def _counts(connection: AsyncConnection) -> dict[str, int]:
    """Of every table that there is; each row is read."""
    there = set(await connection.run_sync(backup.tables))
    counts: dict[str, int] = {}
    for table in metadata.sorted_tables:
        if table.name in there:
            counts[table.name] = int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
    return counts
