"""`ivr forget`: delete everything that is kept about one person, after saying how much that is."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ivr.cli import db
from ivr.cli.options import Subparsers, add_config, command, configuration, operator
from ivr.cli.recordings import logged
from ivr.config import Config
from ivr.data_subject import DataSubjects, Subject
from ivr.errors import ConfigError
from ivr.ports.data_subject import KeptRows
from ivr.recording.archive import Archive
from ivr.sealing import Keys
from ivr.speech.prompt_cache import SAID
from ivr.store import Store

EPILOG = """\
What goes: their calls with what was said in them, hand-over contexts, places in the line, call backs, messages,
recordings, where a dropped call stopped, wrong PINs, the notes about them, what waits in the spool, and rendered
sentences (everybody's: they are made anew). What stays, and why, is listed. Files that a line wrote besides are not
looked into: its log (which masks numbers), call detail records ([cdr] path: whole numbers), copies and backups.

A call in progress is left alone and deleted within a minute of its end, by a running line or by the next
ivr forget --finish.

examples:
  ivr forget 503-555-0101             what would be deleted
  ivr forget +15035550101 --yes       delete it
  ivr forget --caller 10001 --yes     somebody by the company's own id, whatever number they called from
"""


@dataclass(frozen=True, slots=True)
class Opened:
    store: Store
    subjects: DataSubjects
    archive: Archive
    by: str


def add(commands: Subparsers) -> None:
    parser = command(commands, "forget", "delete everything that is kept about one person", EPILOG, handle)
    add_config(parser)
    parser.add_argument(
        "number", metavar="NUMBER", nargs="?", default="", help="their telephone number, however written"
    )
    parser.add_argument("--caller", default="", metavar="ID", help="their id, as the company knows them")
    parser.add_argument("--yes", action="store_true", help="delete; without it, only count")
    parser.add_argument(
        "--finish", action="store_true", help="only calls that were to be forgotten and are over by now"
    )


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    written = logged(config)
    try:
        told, whole = asyncio.run(run(config, arguments))
    finally:
        written.close()
    print(told)
    return 0 if whole else 1


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Opened]:
    """Raises ConfigError where there is no database of this release."""
    async with db.opened_current(config) as database:
        archive = Archive(
            database.store.recordings, config.recording.folder, Keys.of(config.recording.keys()), database.store.now
        )
        plan, said = config.flows.numbering, config.speech.cache / SAID
        subjects = DataSubjects(database.store, database.company, archive, plan, said)
        yield Opened(database.store, subjects, archive, operator())


async def found(opened: Opened, number: str, caller: str) -> Subject:
    if not (number.strip() or caller.strip()):
        raise ConfigError("nobody is named", remedy="give a telephone number, or --caller ID")
    return await opened.subjects.find(number.strip(), caller.strip())


async def run(config: Config, arguments: argparse.Namespace) -> tuple[str, bool]:
    """What to tell the operator, and whether all of it is done. Raises StoreUnavailable, ConfigError, OSError."""
    async with opened(config) as place:
        if arguments.finish:
            count = await place.subjects.finish()
            return f"deleted {count} call{'' if count == 1 else 's'} that ended meanwhile", True
        subject = await found(place, arguments.number, arguments.caller)
        kept = await place.subjects.kept(subject)
        goes = {each.table: len(each.rows) for each in kept if each.rows and not each.stays}
        lines = [_whose(subject), *_staying(kept), *_live(subject)]
        if not goes and not subject.person.live:
            return "\n".join([*lines, "nothing is kept that could be deleted"]), True
        if not arguments.yes:
            would = (
                f"would delete {_counted(goes)}; add --yes to delete them" if goes else "add --yes to have it deleted"
            )
            return "\n".join([*lines, would]), True
        done = await place.subjects.forget(subject, place.by)
        lines.append(f"deleted {_counted(done.deleted)}")
        if done.held:
            lines.append(
                f"not deleted: {done.held} writes in the spool of a running line; repeat this once it wrote them"
            )
        if done.elsewhere:
            names = ", ".join(done.elsewhere)
            lines.append(
                f"not deleted: recordings whose files are not in {config.recording.folder}: {names}; repeat this"
            )
            lines.append("where they are, or, for files that are lost, run ivr recordings delete NAME")
        return "\n".join([*lines, *([db.TRACES.strip()] if done.traces else [])]), done.whole


def _whose(subject: Subject) -> str:
    known = f"caller {', '.join(subject.ids)}" if subject.ids else "nobody whom the company knows"
    line = f"{subject.number or 'no number'}: {known}"
    if not subject.person.others:
        return line
    return f"{line}\n{subject.person.others} calls from that number are known to be somebody else's, and stay"


def _staying(kept: Sequence[KeptRows]) -> Sequence[str]:
    return [f"stays: {len(each.rows)} {each.table} ({each.stays})" for each in kept if each.stays and each.rows]


def _live(subject: Subject) -> Sequence[str]:
    if not (count := len(subject.person.live)):
        return ()
    return [
        f"{count} call{'' if count == 1 else 's'} in progress: deleted within a minute of the end, by a running line"
    ]


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
