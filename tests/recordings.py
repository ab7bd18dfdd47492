"""Recordings for tests: an archive in a folder of its own, on tables in memory, with a message in it."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ivr.ports import RecordingAbout
from ivr.recording.archive import Archive
from ivr.sealing import Keys
from ivr.store import Store

KEY = "a2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMsIGZvciB0ZXM="
OTHER_KEY = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE="


@asynccontextmanager
async def archived(folder: Path, *keys: str, store: Store | None = None) -> AsyncIterator[Archive]:
    """``keys``: none for an archive in the clear."""
    own = store or Store("sqlite+aiosqlite:///:memory:")
    if store is None:
        await own.upgrade()
    try:
        yield Archive(own.recordings, folder, Keys.of(keys), own.now)
    finally:
        if store is None:
            await own.close()


def wav(pcm: bytes = bytes(16000)) -> bytes:
    """16-bit mono at 8 kHz."""
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(pcm)
    return written.getvalue()


async def conversation(
    archive: Archive, call_id: str, agents: Sequence[str], *, caller_id: str = "10001", seconds: int = 3
) -> str:
    """A stereo one: 0x11 on the left, 0x22 on the right. Its name."""
    kept = await archive.begin(RecordingAbout(call_id, caller_id, agents[0]))
    assert kept is not None
    assert await kept.write([b"\x11\x22" * 8000] * seconds)
    assert await kept.write([b"\x33\x44" * 100], last=True)
    await kept.close("over", agents)
    return kept.name
