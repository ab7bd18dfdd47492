"""`ivr flow`: the flow designer's tools, one file a tool. Each offers ``add(tools)`` and a handler like any command."""

from __future__ import annotations

import argparse

from ivr.cli.flow import (
    canary,
    check,
    diff,
    explain,
    fmt,
    graph,
    history,
    new,
    publish,
    rollback,
    schema,
    simulate,
    test,
)
from ivr.cli.options import Subparsers

EPILOG = """\
a designer's day:
  ivr flow check flows            everything that is wrong, where, why, and what to do about it
  ivr flow simulate main          talk to it by typing
  ivr flow test flows --watch     run the scripts beside the flows, again at every change
  ivr flow diff rev:HEAD          what I have changed, in words
  ivr flow history                what served callers since when; ivr flow rollback takes the last step back
  ivr flow canary DIR --percent 10  what I have changed, for every tenth caller first
"""


def add(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "flow",
        help="check, simulate, test, compare and draw flows",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for module in (check, simulate, test, diff, explain, new, fmt, graph, schema, history, publish, canary, rollback):
        module.add(tools)
