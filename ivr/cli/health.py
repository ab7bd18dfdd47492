"""`ivr health`: whether the line on this machine lives, and whether it takes new calls; for containers and monitors."""

from __future__ import annotations

import argparse

from ivr.cli.options import Subparsers, add_config, add_http, command, configuration
from ivr.cli.running_line import RunningLine

EPILOG = """\
Exit code 0 while the line lives, 1 when nobody answers or its loop stands still. With --ready also 1 while new calls
can't be served. Whoever restarts what is unhealthy should ask without: a line without its database still has callers.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "health", "does the line on this machine live, does it take calls", EPILOG, handle)
    add_config(parser)
    add_http(parser)
    parser.add_argument("--ready", action="store_true", help="exit code 1 also while new calls can't be served")


def handle(arguments: argparse.Namespace) -> int:
    line = RunningLine.of(configuration(arguments))
    line.told("GET", "/healthz")
    status, body = line.ask("GET", "/readyz")
    details = [f"{body['calls']} calls"] if "calls" in body else []
    print("; ".join([f"alive, {body['state']}", *details, *body.get("reasons", ())]))
    return 1 if arguments.ready and status != 200 else 0
