"""`ivr flow publish`: a version, or a folder that passes the checker, for everybody; for lines that watch no folder."""

from __future__ import annotations

import argparse

from ivr.cli.flow.versions import NOTICED, add_why, recorded, with_releases
from ivr.cli.options import Subparsers, add_config, command, operator
from ivr.config import Config
from ivr.release.releases import Releases


def add(tools: Subparsers) -> None:
    parser = command(tools, "publish", "a version or a folder of flows, for everybody", NOTICED, handle)
    parser.add_argument("version", nargs="?", default="", metavar="VERSION|FOLDER", help="default: the flows' folder")
    add_why(parser)
    add_config(parser)


def handle(arguments: argparse.Namespace) -> int:
    async def work(releases: Releases, config: Config) -> str:
        version = await recorded(releases, config, arguments.version or str(config.flows.directory))
        await releases.publish(version, operator(), why=arguments.why)
        return version

    print(f"live: {with_releases(arguments, work)}")
    return 0
