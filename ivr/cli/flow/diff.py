"""`ivr flow diff`: what changed between two versions of the flows, in words."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ivr.cli.flow.options import add_config_file, config_of, existing_store, flows_of, store_url
from ivr.cli.options import Subparsers, command
from ivr.company import company_of
from ivr.errors import ConfigError, FlowError
from ivr.release.releases import LIBRARY, Releases
from ivr.store import Store
from ivr.workshop.compare.diff import Comparison, compare
from ivr.workshop.compare.sides import REVISION, Side, side_in_git, side_on_disk

EPILOG = """\
A and B are each one of
  a folder, or a file in one          flows, or try/queue.yaml
  rev:REVISION                        the folder of flows as git has it, e.g. rev:HEAD~1
  live, or a version                  what serves callers now, or a line of ivr flow history
B may be left out: it is the folder of flows then.
What somebody should look at begins with an exclamation mark: a human further away, a confirmation loosened, words out
of date, or something the checker now says and did not before.

examples:
  ivr flow diff rev:HEAD              what I have changed since the last commit
  ivr flow diff live                  what would go live now
  ivr flow diff flows try             two folders
Exit codes: 0 the same for callers, 1 different, 2 wrong usage. Flows that can't be read count as 1, and say why.
"""
STYLES = ((r" *! ", "yellow"), (r" *was: ", "red"), (r" *now: ", "green"), (r"[^ ]", "bold"))


def add(tools: Subparsers) -> None:
    what = "what changed, in words; exits 0 when nothing did, 1 when something did"
    parser = command(tools, "diff", what, EPILOG, handle)
    parser.add_argument("old", metavar="A")
    parser.add_argument("new", metavar="B", nargs="?", help="default: the folder of flows")
    parser.add_argument("--json", action="store_true", help="the changes as JSON")
    parser.add_argument("--no-check", action="store_true", help="don't ask the checker about both")
    parser.add_argument(
        "--database", metavar="URL", help="where versions are kept; default: [store] url in config.toml"
    )
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    folder = flows_of(config)
    url = store_url(arguments, config)
    old = _side(arguments.old, folder, url)
    new = _side(arguments.new or str(folder), folder, url)
    only = old.only | new.only
    known = company_of(config).all_signatures
    comparison = compare(old.library(known), new.library(known), only=only, proof=not arguments.no_check)
    if arguments.json:
        changes = [change.as_json() for change in comparison.changes]
        print(json.dumps({"old": old.name, "new": new.name, "changes": changes}, ensure_ascii=False, indent=2))
    else:
        _show(comparison)
    return 1 if comparison else 0


def _side(name: str, folder: Path, url: str) -> Side:
    if name.startswith(REVISION):
        return side_in_git(name.removeprefix(REVISION), folder)
    path = Path(name)
    if path.exists() or "/" in name or path.suffix or not url:
        return side_on_disk(path)
    return asyncio.run(_stored(name, existing_store(url)))


async def _stored(name: str, store: Store) -> Side:
    try:
        releases = Releases(store.flow_versions)
        if name == "live":
            release = await releases.live()
            if release is None:
                raise ConfigError("no version is live in this database", remedy="start the line once: ivr serve")
            return Side(f"live version {release.version}", dict(release.files))
        try:
            version = await releases.resolve(name)
        except FlowError as error:  # 1 would say that something differs
            raise ConfigError(f"{name} is no folder here, and {error}") from error
        found = await store.flow_versions.version(LIBRARY, version)
        if found is None:
            raise ConfigError(f"{name}: no such folder or version", remedy="ivr flow history lists versions")
        return Side(f"version {version}", json.loads(found.source)["files"])
    finally:
        await store.close()


def _show(comparison: Comparison) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in comparison.render().splitlines():
        text = Text(line, next((style for start, style in STYLES if re.match(start, line)), ""))
        text.highlight_regex(r"‹[^›]*›", "bold")
        console.print(text)
