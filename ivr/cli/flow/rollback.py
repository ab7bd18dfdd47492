"""`ivr flow rollback`: new calls get an earlier version again."""

from __future__ import annotations

import argparse

from ivr.cli.flow.versions import NOTICED, add_why, with_releases
from ivr.cli.options import Subparsers, add_config, command, operator
from ivr.config import Config
from ivr.release.releases import Releases

EPILOG = f"""{NOTICED}
The files stay as they are: the next edit of them goes live again."""


def add(tools: Subparsers) -> None:
    parser = command(tools, "rollback", "back to the version before, or to a named one", EPILOG, handle)
    parser.add_argument(
        "version", nargs="?", default="", metavar="VERSION", help="default: the one before the live one"
    )
    add_why(parser)
    add_config(parser)


def handle(arguments: argparse.Namespace) -> int:
    async def work(releases: Releases, _: Config) -> str:
        return await releases.roll_back(operator(), arguments.version, arguments.why)

    print(f"live: {with_releases(arguments, work)}")
    return 0
