"""`ivr flow graph`: flows as a picture."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from ivr.cli.flow.options import add_config_file, config_of, existing_store, flows_of, store_url
from ivr.cli.options import Subparsers, command
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.errors import ConfigError, FlowError
from ivr.line_facts import line_facts
from ivr.record import Entered, Entry
from ivr.release.candidate import examine
from ivr.workshop.folder import Folder, flow_of, library_of, select, state_of
from ivr.workshop.picture.mermaid import render_mermaid
from ivr.workshop.picture.svg import render_svg
from ivr.workshop.picture.traffic import Traffic, Visit, count

EPILOG = """\
examples:
  ivr flow graph main --out main.svg            open it in any browser
  ivr flow graph flows --format mermaid         all flows, for a wiki that draws Mermaid
  ivr flow graph queue --errors --out queue.svg states with findings in red, the finding as tooltip
  ivr flow graph main --traffic --database sqlite+aiosqlite:///ivr.sqlite3 --out main.svg
Ways to a human, and ways back, are signs on the states instead of long lines.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "graph", "a picture of a flow", EPILOG, handle)
    parser.add_argument("flow", metavar="FLOW|FOLDER", help="a flow's name, its file, or a folder for all of them")
    parser.add_argument("--format", choices=["svg", "mermaid"], default="svg", help="default: svg")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--errors", action="store_true", help="mark the states that the checker complains of")
    parser.add_argument("--traffic", action="store_true", help="weigh the lines by what calls did")
    parser.add_argument("--calls", type=int, default=500, metavar="N", help="with --traffic: of the last N calls (500)")
    parser.add_argument("--current", action="append", default=[], metavar="STATE", help="mark a state, e.g. main.ask")
    parser.add_argument("--database", metavar="URL", help="with --traffic: instead of [store] url in config.toml")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    chosen = select(arguments.flow, flows_of(config), config)
    library = _library(chosen.folder) if arguments.errors else library_of(chosen.folder)
    findings: tuple[Finding, ...] = ()
    if arguments.errors:
        findings = chosen.folder.own(examine(chosen.folder.sources, line_facts(config)).findings)
    traffic = None
    if arguments.traffic:
        url = store_url(arguments, config)
        if not url:
            raise ConfigError("no database to count calls in", remedy="pass --database URL, or --config FILE")
        traffic = asyncio.run(_traffic(url, arguments.calls))
    flows = [flow_of(library, chosen.name)] if chosen.name else list(library.flows)
    if arguments.format == "mermaid":
        text = render_mermaid(library, flows, findings=findings, traffic=traffic)
    else:
        current = [".".join(state_of(library, name)) for name in arguments.current]
        text = render_svg(library, *flows, findings=findings, traffic=traffic, current=current)
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        arguments.out.write_text(text, encoding="utf-8")
        print(f"{arguments.out}: {', '.join(flows)}", file=sys.stderr)
    return 0


def _library(folder: Folder) -> FlowLibrary:
    """What can be made of broken files too: their errors are what is to be seen."""
    loaded = load_library(folder.sources, folder.company.all_signatures)
    library = loaded.library or loaded.draft
    if library is None or not library.flows:
        raise FlowError("there is nothing to draw", remedy=f"ivr flow check {folder.path}")
    return library


async def _traffic(url: str, most: int) -> Traffic:
    store = existing_store(url)
    try:
        visits: list[Visit] = []
        for call in await store.calls.recent(most):
            whole = await store.calls.get(call["call_id"])
            happened = [Entry.from_json(entry).what for entry in whole["entries"]] if whole is not None else []
            visits += [(call["call_id"], what.state) for what in happened if isinstance(what, Entered)]
        return count(visits)
    finally:
        await store.close()
