"""`ivr db`: the database's tables and example data."""

from __future__ import annotations

import argparse
import asyncio

from ivr.cli.options import Subparsers, add_config, configuration
from ivr.store import commands as store


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("db", help="create, migrate and fill the database")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, text in (
        ("upgrade", "create the tables, or migrate them to this release"),
        ("seed", "upgrade, then load a catalogue of titles and some members; repeating it changes nothing"),
        ("status", "which database, which revision, how much is in it"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        add_config(action)
        action.set_defaults(handler=handle, action=name)


def handle(arguments: argparse.Namespace) -> int:
    run = {"upgrade": store.upgrade, "seed": store.seed, "status": store.status}[arguments.action]
    print(asyncio.run(run(configuration(arguments).store.resolved())))
    return 0
