"""`ivr audit`: rows as they were written, and exit codes that a timer can act on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivr.__main__ import main
from ivr.cli.audit import when
from ivr.errors import ConfigError
from ivr.ports import AuditEvent
from ivr.store import Store


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    file = tmp_path / "ivr.sqlite3"
    assert main(["db", "upgrade", "--database", f"sqlite+aiosqlite:///{file}"]) == 0

    async def note() -> None:
        store = Store(f"sqlite+aiosqlite:///{file}")
        for number in range(3):
            await store.audit_log.note(AuditEvent("rosa", "recording.played", f"call-{number}", after={"é": number}))
        await store.close()

    asyncio.run(note())
    return file


def run(database: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["audit", *words, "--database", f"sqlite+aiosqlite:///{database}"])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_rows_are_told_the_latest_last(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(database, capsys, "show", "--who", "rosa", "--on", "call-", "--since", "1d", "-n", "2")
    rows = [json.loads(line) for line in told.splitlines()]
    assert code == 0 and [row["target"] for row in rows] == ["call-1", "call-2"]
    assert rows[0]["after"] == {"é": 1} and rows[0]["actor"] == "rosa" and rows[0]["result"] == "done"
    assert "nothing" in run(database, capsys, "show", "--what", "account.")[1]
    assert run(database, capsys, "show", "--since", "yesterday")[0] == 2


def test_the_first_wrong_row_is_named_and_the_exit_code_says_so(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = run(database, capsys, "verify")
    assert code == 0 and "3 rows, head 3:" in told
    noted = told.split()[-1]
    assert run(database, capsys, "verify", "--head", noted)[0] == 0
    assert run(database, capsys, "verify", "--head", f"3:{'0' * 64}")[0] == 1
    with sqlite3.connect(database) as connection:
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute("UPDATE audit_log SET actor = 'nobody' WHERE id = 2")
        connection.execute("DROP TRIGGER audit_log_unchanged")
        connection.execute("UPDATE audit_log SET actor = 'nobody' WHERE id = 2")
    connection.close()
    code, told = run(database, capsys, "verify")
    assert code == 1 and told.startswith("row 2 is the first that is wrong")
    with pytest.raises(SystemExit) as refused:
        main(["audit", "verify", "--head", "three"])
    assert refused.value.code == 2


def test_ages_and_moments() -> None:
    now, zone = datetime(2026, 6, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Paris")
    assert when("", now, zone) is None
    assert when("90m", now, zone) == datetime(2026, 6, 1, 10, 30, tzinfo=UTC)
    assert when("2026-03-01", now, zone) == datetime(2026, 3, 1, tzinfo=zone)
    assert when("2026-03-01T10:00Z", now, zone) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    with pytest.raises(ConfigError):
        when("5 days", now, zone)
