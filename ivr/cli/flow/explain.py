"""`ivr flow explain`: what can happen in a state, in words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ivr.cli.flow.options import add_config_file, config_of, flows_of
from ivr.cli.options import Subparsers, command
from ivr.release.entry import demand_words
from ivr.workshop.folder import folders, library_of, state_of
from ivr.workshop.tell.explain import explain_flow, explain_state
from ivr.workshop.tell.explain_company import NAME, explain_company

EPILOG = """\
examples:
  ivr flow explain queue.to_top                 one state
  ivr flow explain pick_up                      the same, where only one flow has such a state
  ivr flow explain queue                        a flow: what it is for, its states one by one
  ivr flow explain company                      the company file: facts, actions of its services, vocabularies
  ivr flow explain main.ask --language es-ES    as callers hear it in Spanish
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "explain", "what can happen in a state, in words", EPILOG, handle)
    parser.add_argument("state", metavar="STATE|FLOW", help="e.g. queue.to_top, or queue; company: the company file")
    parser.add_argument("--flows", type=Path, metavar="FOLDER", help="default: flows")
    parser.add_argument("--language", metavar="TAG", help="default: the flow's own")
    parser.add_argument("--persona", metavar="NAME", default="neutral", help="default: neutral")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    folder = arguments.flows or flows_of(config)
    read = folders([folder], config)[0]
    library = library_of(read)
    chosen: str = arguments.state
    words = {"language": arguments.language, "persona": arguments.persona}
    demand_words(library, arguments.language or "", arguments.persona)
    if chosen == NAME and library.company is not None and NAME not in library.flows:
        explanation = explain_company(library, library.company)
    elif chosen in library.flows:
        explanation = explain_flow(library, chosen, **words)
    else:
        explanation = explain_state(library, *state_of(library, chosen), examples=read.company.examples, **words)
    sys.stdout.write(explanation.render())
    return 0
