"""`ivr flow publish`: a version, or a folder that passes the checker, for everybody; for lines that watch no folder."""

from __future__ import annotations

import argparse

from ivr.cli.flow.versions import NOTICED, add_store, recorded, user, with_releases
from ivr.cli.options import Subparsers
from ivr.config import Config
from ivr.release.releases import Releases


def add(tools: Subparsers) -> None:
    parser = tools.add_parser("publish", help="a version or a folder of flows, for everybody", epilog=NOTICED)
    parser.add_argument("version", nargs="?", default="", metavar="VERSION|FOLDER", help="default: the flows' folder")
    add_store(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    async def work(releases: Releases, config: Config) -> str:
        version = await recorded(releases, config, arguments.version or str(config.flows.directory))
        await releases.publish(version, user())
        return version

    print(f"live: {with_releases(arguments, work)}")
    return 0
