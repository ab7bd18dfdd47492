"""`ivr drain`: the line on this machine takes no new calls; those in progress may end by themselves."""

from __future__ import annotations

import argparse
import time

from ivr.cli.options import Subparsers, add_config, add_http, command, configuration
from ivr.cli.running_line import RunningLine

EPILOG = """\
New calls get 503 with Retry-After, /readyz and OPTIONS say so, and a proxy in front sends them elsewhere. The line
goes on running: --undo takes it back, SIGTERM (systemctl stop) ends it. An upgrade: ivr drain --wait 600, then restart.
Exit code 1 when calls are still in progress after --wait.
"""
LOOK_S = 1.0


def add(commands: Subparsers) -> None:
    parser = command(commands, "drain", "no new calls; those in progress may end by themselves", EPILOG, handle)
    add_config(parser)
    add_http(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--undo", action="store_true", help="take new calls again")
    what.add_argument("--wait", type=float, metavar="SECONDS", help="until the last call has ended, so long at most")


def handle(arguments: argparse.Namespace) -> int:
    line = RunningLine.of(configuration(arguments))
    said = line.told("DELETE" if arguments.undo else "POST", "/api/drain")
    if arguments.wait is not None:
        until = time.monotonic() + arguments.wait
        while said["calls"] and time.monotonic() < until:
            time.sleep(min(LOOK_S, max(0.0, until - time.monotonic())))
            said = line.told("GET", "/api/drain")
    print(f"{said['state']}, {said['calls']} calls in progress")
    return 1 if arguments.wait is not None and said["calls"] else 0
