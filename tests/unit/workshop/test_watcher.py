"""Watching: a real edit of a real file, and no clock but the watcher's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ivr.workshop.scripts.watcher import changes


async def test_an_edit_is_told_by_the_files_name(tmp_path: Path) -> None:
    script = tmp_path / "hold.test.yaml"
    script.write_text("tests: hold\n")
    stop = asyncio.Event()
    async with asyncio.timeout(20):
        watcher = changes([tmp_path], stop)
        assert await anext(watcher) == frozenset()
        script.write_text("tests: hold # edited\n")
        assert await anext(watcher) == {"hold.test.yaml"}
        (tmp_path / "notes.txt").write_text("not a flow")
        (tmp_path / "queue.yaml").write_text("flow: queue\n")
        assert await anext(watcher) == {"queue.yaml"}
        stop.set()
        assert [changed async for changed in watcher] == []
