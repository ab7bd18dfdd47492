"""`ivr flow`: the flow designer's tools, one file a tool. Each offers ``add(tools)`` and a handler like any command."""

from __future__ import annotations

from importlib import import_module

from ivr.cli.options import Subparsers, command

TOOLS = ("check", "simulate", "test", "diff", "explain", "confusable", "missed", "new", "fmt", "graph", "schema",
         "words", "mock", "history", "publish", "canary", "rollback")  # fmt: skip
EPILOG = """\
a designer's day:
  ivr flow check flows            everything that is wrong, where, why, and what to do about it
  ivr flow simulate main          talk to it by typing
  ivr flow test flows --watch     run the scripts beside the flows, again at every change
  ivr flow diff rev:HEAD          what I have changed, in words
  ivr flow mock                   your services answered from *.mock.yaml, for real calls before they are there
  ivr flow words --missing        what isn't translated; --csv makes a sheet of it for a translator
  ivr flow history                what served callers since when; ivr flow rollback takes the last step back
  ivr flow canary DIR --percent 10  what I have changed, for every tenth caller first
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "flow", "check, simulate, test, compare and draw flows", EPILOG)
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for name in TOOLS:
        import_module(f"ivr.cli.flow.{name}").add(tools)
