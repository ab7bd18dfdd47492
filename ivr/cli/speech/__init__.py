"""`ivr speech`: how the line hears and answers, one file a tool. Each offers ``add(tools)`` and a handler."""

from __future__ import annotations

from importlib import import_module

from ivr.cli.options import Subparsers, command

TOOLS = ("timeline",)
EPILOG = """\
examples:
  ivr speech timeline --svg turns.svg    where each millisecond of an answer went, from the log of real calls
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "speech", "how fast the line answers, from its log", EPILOG)
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for name in TOOLS:
        import_module(f"ivr.cli.speech.{name}").add(tools)
