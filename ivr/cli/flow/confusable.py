"""`ivr flow confusable`: phrases that would be taken for another intent, were they not listed."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivr.cli.flow.options import add_config_file, config_of, flows_of
from ivr.cli.options import Subparsers, command
from ivr.dialogue.engine.compilation import compiled
from ivr.embedding.installation import REMEDY
from ivr.errors import UnavailableError
from ivr.release.entry import demand_words
from ivr.workshop.folder import flow_of, folders, library_of
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.tell.confusions import MOST, of_flow, report

EPILOG = """\
What a sentence means that no phrase covers is learned from the phrases. This leaves each phrase out in turn and asks
what it would be taken for; likewise each everyday sentence that means nothing to any line. Sentence embedding needed.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "confusable", "phrases that would be taken for another intent", EPILOG, handle)
    parser.add_argument("flow", metavar="FLOW", help="its name")
    parser.add_argument("--flows", type=Path, metavar="FOLDER", help="default: flows")
    parser.add_argument("--language", metavar="TAG", help="default: the flow's own")
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help=f"phrases shown; default: {MOST}")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    library = library_of(folders([arguments.flows or flows_of(config)], config)[0])
    name = flow_of(library, arguments.flow)
    demand_words(library, arguments.language or "", "")
    classifiers = Sandbox(config).classifiers
    language = arguments.language or library.flows[name].language
    words = compiled(library, classifiers).wordings(language, "neutral")
    if classifiers is None or (learned := classifiers.learn(words.training)) is None:
        why = f"nothing is learned from the phrases in {language}"
        raise UnavailableError(why, remedy=REMEDY if classifiers is None else "there is no background in it")
    for line in report(of_flow(library, name, learned.confusions), arguments.most):
        print(line)
    return 0
