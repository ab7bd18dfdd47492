"""The spool: what waits is on disk, in order, for the service's eyes only, and taken over from the dead."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.store.spool import Spool
from ivr.store.spool_folder import Write, purge, waiting_in

BIG = 10_000_000


def write(n: int) -> Write:
    return Write("update", {"call_id": f"call-{n}", "changes": {"said": "ünïcode \ud800 \n"}})


async def taken(spool: Spool) -> list[str]:
    """Everything that waits, in order, taken out."""
    found: list[str] = []
    while (batch := await spool.oldest()) is not None:
        found += [str(each.values["call_id"]) for each in batch.writes]
        assert await spool.done(batch)
    return found


async def test_in_order_out_in_order_and_nothing_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "spool", "me", BIG)
    await asyncio.gather(*(spool.keep([write(n)]) for n in range(200)))
    assert (spool.waiting, waiting_in(spool.folder)) == (200, 200)
    assert await taken(spool) == [f"call-{n}" for n in range(200)]
    assert (spool.waiting, spool.lost, spool.filled.is_set()) == (0, 0, False)
    assert list(spool.folder.glob("*.jsonl")) == []
    await spool.close()
    assert list(spool.folder.iterdir()) == []


async def test_only_the_service_reads_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "me", BIG)
    assert await spool.keep([write(1)]) == [True]
    assert spool.folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in spool.folder.iterdir()} == {0o600}
    await spool.close()


async def test_what_comes_while_the_oldest_is_written_waits_behind_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "me", BIG)
    await spool.keep([write(1)])
    batch = await spool.oldest()
    assert batch is not None
    await spool.keep([write(2)])
    assert (await spool.oldest()) == batch, "the same again until it is done"
    await spool.done(batch)
    assert await taken(spool) == ["call-2"]


async def test_the_bound_holds_and_what_has_no_room_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "me", 10 * len(write(1).line()))
    kept = await spool.keep([write(n) for n in range(15)])
    assert kept == [True] * 10 + [False] * 5
    assert (spool.waiting, spool.lost) == (10, 5)
    assert len(await taken(spool)) == 10
    assert await spool.keep([write(99)]) == [True], "there is room again"


class Full:
    """A disk that writes half of what it is given, and then has no room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        real = os.write

        def half(descriptor: int, data: bytes) -> int:
            if self.full:
                real(descriptor, data[: len(data) // 2])
                raise OSError(28, "No space left on device")
            return real(descriptor, data)

        monkeypatch.setattr("ivr.store.spool.os.write", half)


async def test_a_full_disk_raises_nothing_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Full(monkeypatch)
    spool = Spool(tmp_path, "me", BIG)
    await spool.keep([write(1)])
    disk.full = True
    assert await spool.keep([write(2)]) == [True], "in memory for as long as the disk takes nothing"
    assert not await spool.promise(write(3)), "a promise is only what is on disk"
    assert (spool.waiting, spool.lost) == (2, 0)
    first = await spool.oldest()
    assert first is not None
    await spool.done(first)
    held = await spool.oldest()
    assert held is not None and held.file is None, "the database may be back before the disk is"
    disk.full = False
    assert await spool.promise(write(4))
    assert await taken(spool) == ["call-2", "call-4"]
    assert spool.lost == 0


async def test_half_a_line_spoils_nothing(tmp_path: Path) -> None:
    dead = Spool(tmp_path, "dead", BIG)
    await dead.keep([write(1)])
    (file,) = tmp_path.glob("dead.*.jsonl")
    with file.open("ab") as stream:
        stream.write(write(2).line()[:20])
    await dead.close()
    heir = Spool(tmp_path, "heir", BIG)
    assert await heir.adopt() == ["dead"]
    assert await taken(heir) == ["call-1"]
    assert (heir.waiting, heir.lost) == (0, 1)


async def test_two_that_live_leave_each_other_alone(tmp_path: Path) -> None:
    one, other = Spool(tmp_path, "one", BIG), Spool(tmp_path, "other", BIG)
    await one.adopt()
    await other.adopt()
    await one.keep([write(1)])
    assert await other.adopt() == []
    assert (await taken(other), await taken(one)) == ([], ["call-1"])
    await one.close()
    await other.close()


DIES = """
import asyncio, sys
from pathlib import Path
from ivr.store.spool import Spool
from ivr.store.spool_folder import Write
async def main():
    spool = Spool(Path(sys.argv[1]), "dead", 10**7)
    await spool.adopt()
    for n in range(3):
        await spool.keep([Write("update", {"call_id": f"call-{n}"})])
    print("kept", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_what_a_killed_process_left_is_adopted_once(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DIES, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"kept\n"
    heirs = [Spool(tmp_path, name, BIG) for name in ("one", "other")]
    assert [await heir.adopt() for heir in heirs] == [[], []], "it lives"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    adopted = await asyncio.gather(*(heir.adopt() for heir in heirs))
    assert sorted(map(list, adopted)) == [[], ["dead"]]
    await heirs[0].keep([write(9)])
    assert sorted([*await taken(heirs[0]), *await taken(heirs[1])]) == ["call-0", "call-1", "call-2", "call-9"]
    for heir in heirs:
        await heir.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_waited_too_long_is_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "me", BIG)
    await spool.keep([write(1)])
    now = datetime.now(UTC)
    assert purge(tmp_path, now - timedelta(days=1)) == 0
    assert purge(tmp_path, now + timedelta(seconds=5)) == 1
    assert (await taken(spool), spool.waiting) == ([], 0)


async def test_what_was_purged_leaves_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "me", len(write(1).line()) + 10)
    assert (await spool.keep([write(1)]), await spool.keep([write(2)])) == ([True], [False])
    assert purge(tmp_path, datetime.now(UTC) + timedelta(seconds=5)) == 1
    assert await taken(spool) == []
    assert await spool.keep([write(3)]) == [True]
    assert await taken(spool) == ["call-3"]


async def test_a_broken_promise_is_not_kept_by_the_next_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, "me", BIG)
    append, full = spool._append, iter([True])

    def full_once(data: bytes) -> None:
        if next(full, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        append(data)

    monkeypatch.setattr(spool, "_append", full_once)
    promised, kept = await asyncio.gather(spool.promise(write(1)), spool.keep([write(2)]))
    assert (promised, kept) == (False, [True])
    assert await taken(spool) == ["call-2"]
    assert (spool.waiting, spool.lost) == (0, 0)


async def test_a_folder_that_cannot_be_made_is_no_fall(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    spool = Spool(tmp_path / "file" / "spool", "me", BIG)
    assert await spool.adopt() == ()
    assert await spool.keep([write(1)]) == [True]
    assert not await spool.promise(write(2))
    assert await taken(spool) == ["call-1"], "from memory"
    await spool.close()
