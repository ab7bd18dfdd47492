"""`ivr flow`: the flow designer's tools, one file a tool. Each offers ``add(tools)`` and a handler like any command."""

from __future__ import annotations

import argparse

from ivr.cli.flow import check, graph
from ivr.cli.options import Subparsers

EPILOG = """\
a designer's day:
  ivr flow check flows            everything that is wrong, where, why, and what to do about it
"""


def add(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "flow",
        help="check, simulate, test, compare and draw flows",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for module in (check, graph):
        module.add(tools)
