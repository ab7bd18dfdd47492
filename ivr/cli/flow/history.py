"""`ivr flow history`: which versions of the flows served callers, since when, and who put them there."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from rich.console import Console
from rich.table import Table

from ivr.cli.flow.versions import with_releases
from ivr.cli.options import Subparsers, add_config, command
from ivr.config import Config
from ivr.release.releases import Release, Releases, Step


def add(tools: Subparsers) -> None:
    parser = command(tools, "history", "which versions served callers, when, and by whom", handler=handle)
    parser.add_argument("flow", nargs="?", default="", metavar="FLOW", help="only what changed this flow")
    parser.add_argument("--limit", type=int, default=30, metavar="N", help="at most N lines (default 30)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_config(parser)


def handle(arguments: argparse.Namespace) -> int:
    async def work(releases: Releases, _: Config) -> tuple[Sequence[Step], Release | None, Release | None]:
        steps = await releases.history(arguments.flow, max(arguments.limit, 1))
        return steps, await releases.live(), await releases.canary()

    steps, live, canary = with_releases(arguments, work)
    if arguments.json:
        print(json.dumps([asdict(step) for step in steps], indent=2, default=datetime.isoformat))
    else:
        show(steps, live, canary)
    return 0


def show(steps: Sequence[Step], live: Release | None, canary: Release | None) -> None:
    console = Console(highlight=False)
    if not steps:
        console.print("nothing was published yet: ivr serve publishes the flows when it starts")
        return
    table = Table("when", "what", "version", "before", "by", "why", "flows that changed", box=None, pad_edge=False)
    for step in steps:
        at = step.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(at, step.kind, step.version, step.previous, step.by, step.why, ", ".join(step.changed))
    console.print(table)
    if live is not None:
        console.print(f"\nlive: {live.version}", soft_wrap=True)
    if canary is not None:
        parts = [f"{canary.percent} % of callers"] if canary.percent else []
        parts += [f"{len(canary.numbers)} number(s)"] if canary.numbers else []
        console.print(f"canary: {canary.version} for {' and '.join(parts)}", soft_wrap=True)
