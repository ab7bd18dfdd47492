"""`ivr flow`: the flow designer's tools, one file a tool. Each offers ``add(tools)`` and a handler like any command."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from ivr.cli.options import Subparsers, command

TOOLS = {
    "check": "what is wrong, where, why, and what to do",
    "simulate": "a call in the terminal, by typing",
    "test": "run the scripts beside the flows",
    "diff": "what changed, in words; exits 0 when nothing did, 1 when something did",
    "explain": "what can happen in a state, in words",
    "confusable": "phrases that would be taken for another intent",
    "missed": "what callers said that nobody understood",
    "new": "a new flow from a template",
    "fmt": "tidy the files; comments stay",
    "graph": "a picture of a flow",
    "schema": "write the file that teaches your editor the keys",
    "words": "what is said, how long it takes, what isn't translated",
    "mock": "answer as the company's services do, from their mock files",
    "history": "which versions served callers, when, and by whom",
    "publish": "a version or a folder of flows, for everybody",
    "canary": "a version for some callers first",
    "rollback": "back to the version before, or to a named one",
}
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


def add(commands: Subparsers, words: Sequence[str] | None = None) -> None:
    """All tools; or what the ``words`` after "flow" need of them: the one that they name, or the list."""
    parser = command(commands, "flow", "check, simulate, test, compare and draw flows", EPILOG)
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    if words is not None and (words[:1] == ["--help"] or not TOOLS.keys() & {*words}):
        for name, about in TOOLS.items():
            tools.add_parser(name, help=about)
        return
    for name in words[:1] if words and words[0] in TOOLS else TOOLS:
        import_module(f"ivr.cli.flow.{name}").add(tools)
