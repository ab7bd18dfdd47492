"""`ivr export`: everything that is kept about one person, as a folder or a ZIP for them to read."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from ivr import subject_access
from ivr.cli.forget import found, opened
from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.cli.recordings import logged
from ivr.config import Config
from ivr.errors import ConfigError

EPILOG = """\
index.json says what is in it and what of it ivr forget deletes; tables/ has every row, calls/ each call's words as
text, recordings/ the sound as WAV. Calls in progress are not in it. That it was exported is in the audit trail.

examples:
  ivr export 503-555-0101 ada.zip
  ivr export --caller 10001 ada/
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "export", "everything that is kept about one person, for them", EPILOG, handle)
    parser.usage = "ivr export [--config FILE] [--database URL] [--caller ID] [NUMBER] DIR|FILE.zip"
    add_config(parser)
    parser.add_argument(
        "words",
        nargs="+",
        metavar="NUMBER DIR|FILE.zip",
        help="their telephone number, however written (not needed with --caller), and what is made, for this user only",
    )
    parser.add_argument("--caller", default="", metavar="ID", help="their id, as the company knows them")


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    written = logged(config)
    try:
        print(asyncio.run(run(config, arguments)))
    finally:
        written.close()
    return 0


async def run(config: Config, arguments: argparse.Namespace) -> str:
    """What to tell the operator. Raises StoreUnavailable, ConfigError, OSError."""
    *number, target = arguments.words
    if len(number) > 1 or not (number or arguments.caller):
        raise ConfigError("name one person, and what is to be made", remedy="ivr export NUMBER FILE.zip")
    path = Path(target)
    async with opened(config) as place:
        subject = await found(place, "".join(number), arguments.caller)
        kept = await place.subjects.kept(subject)
        counts = {each.table: len(each.rows) for each in kept if each.rows}
        if not counts:
            raise ConfigError(
                "nothing is kept about them", remedy="check the number; ivr tail --call NUMBER finds calls"
            )
        await place.subjects.exported(place.by, counts)
        whose = {"number": subject.number, "ids": list(subject.ids)}
        unread = await subject_access.write(path, whose, kept, place.archive, place.by, place.store.now())
    told = f"{path}: {', '.join(f'{count} {name}' for name, count in counts.items())}"
    return "\n".join([told, *(f"recording {problem}" for problem in unread)])
