"""`ivr flow canary`: a version for some callers first."""

from __future__ import annotations

import argparse

from ivr.cli.flow.versions import NOTICED, add_why, recorded, with_releases
from ivr.cli.options import Subparsers, add_config, command, operator
from ivr.config import Config
from ivr.errors import ConfigError
from ivr.release.releases import Releases

EPILOG = f"""The same caller always gets the same version; who has the canary keeps it when the percentage grows.
To try out flows that aren't live, edit a copy of the folder and name that.
{NOTICED}"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "canary", "a version for some callers first", EPILOG, handle)
    parser.add_argument("version", nargs="?", default="", metavar="VERSION|FOLDER", help="see ivr flow history")
    parser.add_argument("--percent", type=int, default=0, metavar="N", help="1 to 100 %% of callers")
    parser.add_argument(
        "--numbers", default="", metavar="NUMBER,…", help="everybody who calls from or to one of these numbers"
    )
    parser.add_argument("--end", action="store_true", help="nobody gets the canary any more")
    add_why(parser)
    add_config(parser)


def handle(arguments: argparse.Namespace) -> int:
    numbers = [n.strip() for n in arguments.numbers.split(",") if n.strip()]
    if arguments.end == bool(arguments.version):
        raise ConfigError("name a version, or pass --end", remedy="ivr flow canary VERSION --percent 10")

    async def work(releases: Releases, config: Config) -> str:
        if arguments.end:
            ended = await releases.end_canary(operator(), arguments.why)
            return f"canary ended: {ended}" if ended else "there was no canary"
        version = await recorded(releases, config, arguments.version)
        await releases.start_canary(version, operator(), percent=arguments.percent, numbers=numbers, why=arguments.why)
        return f"canary: {version}"

    print(with_releases(arguments, work))
    return 0
