"""`ivr db`: the database's tables and example data, copies, what calls changed, who waits to be called, retention."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from ivr.cli import db_copies
from ivr.cli.options import Subparsers, add_config, age, command, configuration
from ivr.company import OpenCompany, Times, company_of
from ivr.config import Config, RetentionConfig
from ivr.errors import ConfigError, StoreUnavailable
from ivr.store import Store
from ivr.store.migration import Applied
from ivr.store.retention import about_calls
from ivr.store.upkeep import wipe
from ivr.store.url import missing_file

UPGRADE = "run ivr db upgrade"
PATIENCE_S = 15.0  # no caller waits for a command: on a busy machine it takes longer than a line may wait
TRACES = (
    "\nits bytes are still in the database's log, which somebody reads: a running line deletes them within the hour"
)


def add(commands: Subparsers) -> None:
    parser = command(commands, "db", "create, migrate, fill, purge and read the database")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, text: str, work: Callable[[Opened, argparse.Namespace], Awaitable[str]]) -> Subparsers:
        added = command(actions, name, text, handler=handle)
        add_config(added)
        added.set_defaults(work=work)
        return added

    action("upgrade", "create the tables, or migrate them to this release", upgrade)
    action("seed", "upgrade, then load the company's example data; repeating it changes nothing", seed)
    action("status", "which database, which revision, how much is in it", status)
    audit_ = action("audit", "what a call changed, as JSON", audit)
    audit_.add_argument("call_id", metavar="CALL_ID", help="or how it begins")
    callbacks_ = action("callbacks", "who waits to be called back", callbacks)
    callbacks_.add_argument("--done", type=int, metavar="ID", help="that one has been called")
    backup_ = action("backup", "a copy, also while lines write", lambda opened, a: db_copies.back_up(opened.store, a))
    backup_.add_argument("file", metavar="FILE", type=Path, help="made; readable by this user only")
    restore_ = action(
        "restore", "put a backup into an empty place", lambda opened, a: db_copies.restore(opened.store, a)
    )
    restore_.add_argument("file", metavar="FILE", type=Path)
    restore_.set_defaults(makes=True)
    action("check", "whether it is whole: pages, rows, a call", lambda opened, a: db_copies.check(opened.store, a))
    purge_ = action("purge", "delete what is older than [retention] says, as a line does hourly", purge)
    purge_.add_argument(
        "--older-than", type=age, metavar="AGE", help="everything about calls that is; 90d, for instance"
    )
    purge_.add_argument("--yes", action="store_true", help="delete; without it, only count")


def handle(arguments: argparse.Namespace) -> int:
    print(asyncio.run(run(configuration(arguments), arguments)))
    return 0


@dataclass(frozen=True, slots=True)
class Opened:
    store: Store
    company: OpenCompany
    zone: ZoneInfo
    retention: RetentionConfig


async def run(config: Config, arguments: argparse.Namespace) -> str:
    """What to tell the operator; where there is no SQLite file, only that, unless the command is one that makes it.

    Raises StoreUnavailable, ConfigError."""
    company_of(config)  # a wrong one is told first, whether or not there is a database
    if arguments.work is status and (path := missing_file(config.store.resolved())):
        return f"{path}: there is no database yet: ivr serve makes it, or {UPGRADE}; or mend [store] url"
    if arguments.work not in (upgrade, seed) and not getattr(arguments, "makes", False):
        there(config)
    async with opened(config) as database:
        answer: str = await arguments.work(database, arguments)
        return answer


def there(config: Config) -> None:
    """Raises ConfigError where there is no SQLite file: opening it would make one."""
    if path := missing_file(config.store.resolved()):
        raise ConfigError(f"{path}: there is no database", remedy=f"{UPGRADE}, or mend [store] url")


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Opened]:
    """The database of ``config``, closed afterwards."""
    company, zone = company_of(config), ZoneInfo(config.flows.time_zone)
    store = Store(
        config.store.resolved(),
        timeout_s=PATIENCE_S,
        branches=company.branches,
        node=config.node,
        spool=config.store.spool_folder,
    )
    try:
        yield Opened(store, company.on(store.database, Times(store.now, zone)), zone, config.retention)
    finally:
        await store.close()


@asynccontextmanager
async def opened_current(config: Config) -> AsyncIterator[Opened]:
    """Raises ConfigError where there is no database of this release, and StoreUnavailable."""
    there(config)
    async with opened(config) as database:
        await current(database)
        yield database


async def upgrade(opened: Opened, _: argparse.Namespace) -> str:
    def tell(applied: Applied) -> None:
        print(f"{applied.revision}: {applied.title} ({applied.took_s:.1f} s)", flush=True)

    before = await opened.store.status()
    if before.pending:
        print(f"{before.database}: {before.pending} to run", flush=True)
    await opened.store.upgrade(tell, patient=True)
    now = await opened.store.status()
    told = f"{now.database} is at revision {now.revision}"
    if now.newer:
        told += f", newer than this release ({now.head}), which runs on it"
    return told if await wipe(opened.store.database) else f"{told}\n{db_copies.UNWIPED}"


async def seed(opened: Opened, _: argparse.Namespace | None = None) -> str:
    await opened.store.upgrade()
    added, held = await opened.company.seed(), await opened.company.counts()
    if not added:
        return f"{opened.store.name} is current; this company brings no example data"
    return f"added {_counted(added, ' and ')}; {opened.store.name} now has {_counted(held, ' and ')}"


async def status(opened: Opened, _: argparse.Namespace | None = None) -> str:
    waiting = opened.store.spooled()
    spooled = f"\n{waiting} writes wait for it in {opened.store.spool_folder}: a line writes them" if waiting else ""
    try:
        now = await opened.store.status()
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error}{spooled}") from error
    if not now.revision:
        return f"{now.database} is empty: {UPGRADE}{spooled}"
    if now.newer:
        runs = "which runs on it" if now.usable else "which it keeps out: start the newer release"
        return f"{now.database} is at revision {now.revision}, newer than this release ({now.head}), {runs}{spooled}"
    if not now.usable:
        return f"{now.database} is at revision {now.revision}, this release needs {now.head}: {UPGRADE}{spooled}"
    counts = await opened.company.counts()
    return f"{now.database} is current ({now.revision})" + (f": {_counted(counts, ', ')}" if counts else "") + spooled


async def audit(opened: Opened, arguments: argparse.Namespace) -> str:
    await current(opened)
    changes = await opened.store.audit.of_call(arguments.call_id)
    if not changes:  # the trail outlives the calls: one that is gone is asked for by its whole id
        whole = await opened.store.whole_id(arguments.call_id)
        changes = await opened.store.audit.of_call(whole)
        if not changes:
            return f"call {whole} changed nothing"
    return "\n".join(json.dumps(change, ensure_ascii=False, default=str) for change in changes)


async def callbacks(opened: Opened, arguments: argparse.Namespace) -> str:
    await current(opened)
    line = opened.store.line
    places = [p for p in (await line.snapshot()).places if p.callback_number]
    if arguments.done is not None:
        if arguments.done not in {place.id for place in places}:
            raise ConfigError(f"{arguments.done}: nobody waits under this number", remedy="ivr db callbacks lists them")
        await line.leave(arguments.done, "done")
        return f"{arguments.done}: done"
    lines = []
    for place in places:
        who = _who(place.arrival.name, place.arrival.member)
        since = f"{place.entered_at.astimezone(opened.zone):%Y-%m-%d %H:%M}"
        tried = f"tried {place.attempts} times" if place.attempts else ""
        skill, reason = f"skill {place.arrival.skill}", place.arrival.reason
        parts = (f"{place.id}:", place.callback_number, who, skill, f"since {since}", reason, tried)
        lines.append("  ".join(part for part in parts if part))
    for each in await opened.store.callbacks.waiting():
        promised = ("promised:", each.number, _who(each.name, each.caller_id), f"skill {each.skill}", each.wanted)
        lines.append("  ".join(part for part in promised if part))
    if waiting := opened.store.spooled():
        lines.append(f"{waiting} writes wait in {opened.store.spool_folder}: more may have been promised a call back")
    return "\n".join(lines) or "nobody waits to be called back"


def _who(name: str, caller_id: str) -> str:
    return " ".join(part for part in (name, f"({caller_id})" if caller_id else "") if part)


async def purge(opened: Opened, arguments: argparse.Namespace) -> str:
    await current(opened)
    now, older, retention = datetime.now(UTC), arguments.older_than, opened.store.retention
    cuts = opened.retention.cuts(now) if older is None else about_calls(now - older)
    when = "by [retention]" if older is None else f"before {now - older:%Y-%m-%d %H:%M} UTC"
    if arguments.yes:
        deleted = f"deleted {_counted(await retention.purge(cuts), ', ')} ({when})"
        return deleted if await retention.settle() else f"{deleted}{TRACES}"
    found = await retention.count(cuts)
    if not any(found.values()):
        return f"nothing to delete {when}"
    return f"would delete {_counted(found, ', ')} ({when}); add --yes to delete them"


async def current(opened: Opened) -> None:
    """Raises ConfigError where the tables aren't there, or aren't this release's."""
    if not (await opened.store.status()).usable:
        raise ConfigError(await status(opened))


def _counted(counts: Mapping[str, int], joint: str) -> str:
    return joint.join(f"{count} {what}" for what, count in counts.items())
