"""Files that hold what callers said: nobody else's to read, and never root's in the line's own folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivr import private_file
from ivr.config import StoreConfig
from ivr.log_sink import LogSink
from ivr.store import Store


@pytest.fixture
def roots(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int, int]]:
    """As if root made them: who got what."""
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        os, "fchown", lambda fd, uid, gid: given.append((Path(f"/proc/self/fd/{fd}").readlink(), uid, gid))
    )
    return given


def test_what_is_made_is_its_users_and_groups(tmp_path: Path) -> None:
    assert private_file.made(tmp_path / "one") and not private_file.made(tmp_path / "one")
    assert (tmp_path / "one").stat().st_mode & 0o777 & ~0o640 == 0


async def test_what_root_makes_belongs_to_who_has_the_folder(
    tmp_path: Path, roots: list[tuple[Path, int, int]]
) -> None:
    store = Store(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}").resolved())
    await store.upgrade()
    await store.close()
    sink = LogSink(str(tmp_path / "x.log"), lambda count: f"{count}\n")
    sink.close()
    os.close(private_file.opened(tmp_path / "x.log", os.O_WRONLY))
    owner = tmp_path.stat()
    made = [(tmp_path / name, owner.st_uid, owner.st_gid) for name in ("x.sqlite3", "x.log")]
    assert roots == made, "each once: what is there is nobody's to give"


async def test_a_database_is_not_everybodys_from_its_first_byte(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = Store(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}")
        await store.upgrade()
        await store.close()
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o007 for file in tmp_path.glob("x.sqlite3*")} == {0}
