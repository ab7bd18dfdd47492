"""The archive of recordings: files beside their rows, begun, kept, played, and really deleted when they are old.

A recording whose process died goes on nowhere: it is ended where its file ends, by whichever line has the file."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Protocol
from wave import Error as WaveError
from wave import open as open_wave

import structlog

from ivr.errors import ConfigError, RecordingUnreadable, StoreUnavailable
from ivr.ports import Clock, OpenPlayer, OpenRecording, RecordingAbout, RecordingRow
from ivr.recording.container import STEREO_PCMU, Player, WavFormat, Writer, unwritten
from ivr.recording.rotation import destroy, rewrap, sealed_by
from ivr.sealing import Keys

log = structlog.get_logger(__name__)

MINUTE_S = 60.0
SUFFIX = ".ivrrec"
RETENTION = "retention"  # who deletes what is old, in the audit trail
BROKEN_OFF = "broken off"
EVERY = 1_000_000_000
AT_ONCE = 1000  # rows that are read to be deleted


class Rows(Protocol):
    """See ``ivr.store.recordings.RecordingTable``."""

    async def add(self, row: RecordingRow) -> None: ...
    async def finish(self, name: str, seconds: float, ended: str, agents: Sequence[str]) -> None: ...
    async def unfinished(self) -> Sequence[RecordingRow]: ...
    async def broken_off(self, name: str, seconds: float, ended: str) -> bool: ...
    async def find(self, name: str) -> RecordingRow | None: ...
    async def of_call(self, call_id: str) -> Sequence[RecordingRow]: ...
    async def all(
        self, *, caller_id: str = "", before: datetime | None = None, limit: int = 1000
    ) -> Sequence[RecordingRow]: ...
    async def sealed(self, name: str, key: str) -> None: ...
    async def played(self, row: RecordingRow, by: str) -> None: ...
    async def delete(self, row: RecordingRow, by: str, why: str) -> bool: ...


class Archive:
    """Implements ``ivr.ports.Recordings``. ``folder``: of the files; ``now``: an aware clock."""

    def __init__(self, rows: Rows, folder: Path, keys: Keys, now: Callable[[], datetime]) -> None:
        self._rows = rows
        self._folder = folder
        self._keys = keys
        self._now = now

    async def begin(self, about: RecordingAbout) -> OpenRecording | None:
        row = self._row(about)
        try:
            writer = await asyncio.to_thread(Writer, self._path(row.name), STEREO_PCMU, self._keys)
        except OSError as error:
            log.error("recording.unwritable", call_id=about.call_id, error=str(error), remedy="see [recording] folder")
            return None
        try:
            await self._rows.add(row)
        except StoreUnavailable as error:
            log.error("recording.unlisted", call_id=about.call_id, error=str(error))
            writer.close()
            self._path(row.name).unlink(missing_ok=True)
            return None
        log.info("recording.begun", call_id=about.call_id, recording=row.name, sealed=bool(row.key))
        return _Recording(row, writer, self._rows)

    async def keep(self, call_id: str, wav: bytes, caller_id: str = "") -> str:
        row = self._row(RecordingAbout(call_id, caller_id, kind="message"))
        seconds = await asyncio.to_thread(self._kept, self._path(row.name), wav)
        listed = RecordingRow(
            row.name, row.kind, row.call_id, row.caller_id, (), row.started_at, seconds, row.key, "kept"
        )
        try:
            await self._rows.add(listed)
        except StoreUnavailable:
            self._path(row.name).unlink(missing_ok=True)
            raise
        return row.name

    def _kept(self, path: Path, wav: bytes) -> float:
        """How many seconds. Raises RecordingUnreadable for what is no WAV of PCM."""
        try:
            with open_wave(BytesIO(wav)) as read:
                form = WavFormat(1, read.getnchannels(), read.getframerate(), 8 * read.getsampwidth())
                sound = read.readframes(read.getnframes())
        except (WaveError, EOFError) as error:
            raise RecordingUnreadable(f"the message is no WAV file: {error}") from error
        writer = Writer(path, form, self._keys)
        try:
            pieces = [sound[at : at + form.second] for at in range(0, len(sound), form.second)] or [b""]
            for number, piece in enumerate(pieces, 1):
                writer.write(piece, last=number == len(pieces))
        finally:
            writer.close()
        return len(sound) / form.second

    async def find(self, name: str) -> RecordingRow | None:
        return await self._rows.find(name)

    async def of_call(self, call_id: str) -> Sequence[RecordingRow]:
        return await self._rows.of_call(call_id)

    async def listed(self, caller_id: str = "", before: datetime | None = None) -> Sequence[RecordingRow]:
        """The newest first."""
        return await self._rows.all(caller_id=caller_id, before=before)

    async def open(self, name: str, by: str) -> OpenPlayer | None:
        row = await self._rows.find(name)
        if row is None:
            return None
        player = await asyncio.to_thread(self._opened, row)
        try:
            await self._rows.played(row, by)
        except StoreUnavailable:  # nobody listens unnoticed
            player.close()
            raise
        log.info("recording.played", recording=name, call_id=row.call_id, by=by)
        return _Player(player)

    def _opened(self, row: RecordingRow) -> Player:
        """Raises RecordingUnreadable, also for another file in its place."""
        player = Player(self._path(row.name), self._keys)
        if row.key and not player.key:
            player.close()
            raise RecordingUnreadable("it was sealed, and this file is not: somebody put another in its place")
        if player.of not in ("", row.name):
            player.close()
            raise RecordingUnreadable("this file is another recording's: somebody put it in its place")
        return player

    async def check(self) -> tuple[int, Sequence[str]]:
        """Read every recording that is over, to its end: how many are whole; and what is wrong with the others. Raises
        StoreUnavailable."""
        troubles, whole = list[str](), 0
        rows = [row for row in await self._rows.all(limit=EVERY) if row.ended]
        for row in rows:
            if trouble := await asyncio.to_thread(self._trouble, row):
                troubles.append(f"{row.name} (call {row.call_id}): {trouble}")
            else:
                whole += 1
        return whole, troubles

    def _trouble(self, row: RecordingRow) -> str:
        try:
            player = self._opened(row)
        except (RecordingUnreadable, OSError) as error:
            return str(error)
        try:
            for _ in player.blocks():
                pass
        except (RecordingUnreadable, OSError) as error:
            return str(error)
        finally:
            player.close()
        short = row.seconds - player.seconds
        return f"its last {short:.0f} s are missing" if short >= 1 else ""

    # -- what a dead process left behind -----------------------------------------------------------------------

    async def end_broken_off(self) -> int:
        """End the recordings of this folder that nobody writes any more, at their last whole block; how many. Raises
        StoreUnavailable."""
        count = 0
        for row in await self._rows.unfinished():
            try:
                extent = await asyncio.to_thread(unwritten, self._path(row.name))
            except RecordingUnreadable as error:
                seconds, ended = 0.0, f"{BROKEN_OFF}: {error}"
            else:
                if extent is None:
                    continue
                seconds, ended = extent.seconds, "over" if extent.complete else BROKEN_OFF
            if await self._rows.broken_off(row.name, seconds, ended):
                count += 1
                told = {"recording": row.name, "call_id": row.call_id, "seconds": round(seconds, 1), "why": ended}
                log.warning("recording.broken_off", **told)
        return count

    async def end_dead(self, clock: Clock) -> None:
        """Look for such recordings now and every minute; runs until cancelled."""
        while True:
            try:
                await self.end_broken_off()
            except StoreUnavailable as error:
                log.warning("recordings.unlooked", error=str(error))
            await clock.sleep(MINUTE_S)

    # -- deletion ----------------------------------------------------------------------------------------------

    async def delete(self, row: RecordingRow, by: str, why: str) -> None:
        """The file, then the row: what is listed no more is not there any more. Raises StoreUnavailable, OSError."""
        await asyncio.to_thread(destroy, self._path(row.name))
        if await self._rows.delete(row, by, why):
            log.info("recording.deleted", recording=row.name, kind=row.kind, call_id=row.call_id, by=by, why=why)

    async def delete_here(self, row: RecordingRow, by: str, why: str) -> bool:
        """``delete`` it where its file is in this folder; False: it is in another machine's. Raises StoreUnavailable,
        OSError."""
        if not self._path(row.name).exists():
            return False
        await self.delete(row, by, why)
        return True

    async def purge(self, before: datetime, by: str = RETENTION) -> int:
        """Delete what began before; how many. Files that no row names go too. Raises StoreUnavailable; and OSError for
        what cannot be deleted, once everything else is."""
        count, stuck = 0, dict[str, OSError]()
        while rows := [
            r for r in await self._rows.all(before=before, limit=AT_ONCE + len(stuck)) if r.name not in stuck
        ]:
            for row in rows:
                try:
                    await self.delete(row, by, "old")
                    count += 1
                except OSError as error:
                    stuck[row.name] = error
        for path in await asyncio.to_thread(self._files, before):
            if path.stem not in stuck and await self._rows.find(path.stem) is None:
                try:
                    await asyncio.to_thread(destroy, path)
                except OSError as error:
                    stuck[path.stem] = error
                    continue
                log.info("recording.deleted", recording=path.stem, kind="stray", call_id="", by=by, why="not listed")
                count += 1
        for name, why in stuck.items():
            log.error("recording.undeleted", recording=name, error=str(why), remedy="see whose file it is")
        if stuck:
            raise next(iter(stuck.values()))
        return count

    def _files(self, before: datetime) -> list[Path]:
        return [each for each in self._folder.glob(f"*{SUFFIX}*") if each.stat().st_mtime < before.timestamp()]

    # -- keys ------------------------------------------------------------------------------------------------------

    async def rewrap(self) -> tuple[Mapping[str, int], Sequence[str]]:
        """Wrap every data key of this folder by the current key: how many were "rewrapped", "current", "busy"; and what
        could not be, and why. Raises ConfigError without a key, StoreUnavailable."""
        if not self._keys.current:
            raise ConfigError("there is no current key", remedy="set [recording] key: openssl rand -base64 32")
        counts, troubles = Counter[str](), list[str]()
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                counts[await asyncio.to_thread(rewrap, path, self._keys)] += 1
                await self._rows.sealed(path.stem, await asyncio.to_thread(sealed_by, path))
            except (RecordingUnreadable, OSError) as error:
                troubles.append(f"{path.stem}: {error}")
        return counts, troubles

    async def keys(self) -> Mapping[str, int]:
        """How many files of this folder each key seals, by its id; "" those in the clear."""
        return await asyncio.to_thread(self._sealed)

    def _sealed(self) -> Mapping[str, int]:
        counts = Counter[str]()
        for path in self._folder.glob(f"*{SUFFIX}"):
            with suppress(RecordingUnreadable, OSError):
                counts[sealed_by(path)] += 1
        return counts

    def _row(self, about: RecordingAbout) -> RecordingRow:
        agents = (about.agent,) if about.agent else ()
        name = secrets.token_hex(16)
        return RecordingRow(
            name, about.kind, about.call_id, about.caller_id, agents, self._now(), key=self._keys.current
        )

    def _path(self, name: str) -> Path:
        if not name.isalnum():  # what comes from a page's address never leaves the folder
            raise RecordingUnreadable("that is no recording's name")
        return self._folder / f"{name}{SUFFIX}"


@dataclass(slots=True)
class _Recording:
    """Implements ``ivr.ports.OpenRecording``."""

    row: RecordingRow
    writer: Writer
    rows: Rows
    failed: str = ""

    @property
    def name(self) -> str:
        return self.row.name

    async def write(self, seconds: Sequence[bytes], *, last: bool = False) -> bool:
        if not self.failed:
            try:
                await asyncio.to_thread(self._write, seconds, last)
            except (OSError, ValueError) as error:  # a full disk; a file that is closed
                self.failed = str(error)
                log.error("recording.failed", recording=self.name, call_id=self.row.call_id, error=self.failed)
        return not self.failed

    def _write(self, seconds: Sequence[bytes], last: bool) -> None:
        for number, second in enumerate(seconds, 1):
            self.writer.write(second, last=last and number == len(seconds))

    async def close(self, why: str, agents: Sequence[str]) -> None:
        seconds = self.writer.bytes / STEREO_PCMU.second
        ended = f"failed: {self.failed}" if self.failed else why
        try:
            with suppress(StoreUnavailable):  # it is ended later, as one that broke off
                await self.rows.finish(self.name, seconds, ended, agents)
        finally:
            self.writer.close()  # only now: who has it open is not taken for dead
        log.info("recording.ended", recording=self.name, call_id=self.row.call_id, seconds=round(seconds, 1), why=ended)


@dataclass(frozen=True, slots=True)
class _Player:
    """Implements ``ivr.ports.OpenPlayer``."""

    player: Player

    @property
    def size(self) -> int:
        return self.player.size

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        pieces = self.player.read(start, stop)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece

    async def close(self) -> None:
        await asyncio.to_thread(self.player.close)
