"""Databases that stand where a test begins: migrated once a process, and copied for each."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ivr.store import Store


async def migrated(file: Path) -> str:
    """The URL of a new SQLite database in ``file``, with the line's tables and nothing in them."""
    file.write_bytes(await asyncio.to_thread(_migrated))
    return f"sqlite+aiosqlite:///{file}"


@cache
def _migrated() -> bytes:
    async def make(file: Path) -> None:
        store = Store(f"sqlite+aiosqlite:///{file}", timeout_s=30.0)
        await store.upgrade()
        await store.close()

    with TemporaryDirectory() as folder:
        file = Path(folder) / "ivr.sqlite3"
        asyncio.run(make(file))
        return file.read_bytes()
