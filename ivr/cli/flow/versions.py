"""What the tools for published versions share: the store, its errors, who is asking."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ivr.cli.options import configuration, operator
from ivr.config import Config
from ivr.errors import FlowError
from ivr.line_facts import line_facts
from ivr.release.candidate import examine_folder
from ivr.release.releases import Releases
from ivr.store import Store

T = TypeVar("T")


def with_releases(arguments: argparse.Namespace, work: Callable[[Releases, Config], Awaitable[T]]) -> T:
    """Run ``work`` on the configured database. Raises ConfigError, FlowError, StoreUnavailable."""
    config = configuration(arguments)

    async def run() -> T:
        store = Store(config.store.resolved())
        try:
            await store.prepare()  # PostgreSQL is other lines', too: `ivr db upgrade` migrates it, and nothing else
            return await work(Releases(store.flow_versions), config)
        finally:
            await store.close()

    return asyncio.run(run())


async def recorded(releases: Releases, config: Config, what: str) -> str:
    """``what`` is a version, or a folder of flows: which is then checked and kept. The version's name.

    Raises FlowError with every finding when the folder's flows don't pass."""
    folder = Path(what)
    if not folder.is_dir():
        return await releases.resolve(what)
    candidate = await asyncio.to_thread(examine_folder, folder, line_facts(config))
    if candidate.library is None:
        found = "\n".join(f.render() for f in candidate.errors)
        raise FlowError(f"these flows don't pass\n{found}", remedy=f"ivr flow check {folder}")
    await releases.record(candidate.library, operator())
    return candidate.library.version


def add_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--why", default="", metavar="TEXT", help="what for: kept in ivr flow history and in the audit log"
    )


NOTICED = "A running service notices within a few seconds; calls in progress finish on the version they began with."
