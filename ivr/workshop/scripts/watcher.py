"""A file watcher: scripts run again whenever a file changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

from watchfiles import Change, awatch

DEBOUNCE_MS = 50


def _relevant(_: Change, path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


async def changes(folders: Sequence[Path], stop: asyncio.Event) -> AsyncIterator[Collection[str]]:
    """First the empty set, once watching has begun; then the names of the files that changed, until ``stop``.

    What changes between the two is not lost: the watcher is running before anything is yielded."""
    watcher = awatch(
        *dict.fromkeys(folders),
        watch_filter=_relevant,
        debounce=DEBOUNCE_MS,
        step=10,
        stop_event=stop,
        recursive=False,
        yield_on_timeout=True,
        rust_timeout=100,
    )
    ready = False
    async for changed in watcher:
        if changed:
            yield {Path(path).name for _, path in changed}
        elif not ready:
            ready = True
            yield frozenset()
