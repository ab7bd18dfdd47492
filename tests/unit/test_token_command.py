"""`ivr token`: shown once, listed without its secret, ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.__main__ import main


def test_a_life_of_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    database = ["--database", f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3"]

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main([*words, *database])
        told = capsys.readouterr()
        return code, told.out + told.err

    assert run("db", "upgrade")[0] == 0
    assert "there are no tokens" in run("token", "list")[1]
    code, told = run("token", "add", "Prometheus", "--scope", "metrics:read", "--days", "30")
    assert code == 0, told
    shown = told.split()[0]
    identity = shown.split("_")[1]
    assert shown.startswith("ivr_") and len(shown) == len("ivr_") + 10 + 1 + 43
    told = run("token", "list")[1]
    assert f"{identity}  Prometheus  metrics:read  by shell:" in told and "last shown never" in told
    assert shown not in told and "until 20" in told
    code, told = run("token", "add", "nothing")
    assert code == 1 and "scope" in told
    assert run("token", "add", "x", "--scope", "admin", "--days", "-1")[0] == 1
    with pytest.raises(SystemExit):
        run("token", "add", "x", "--scope", "everything")
    assert run("token", "revoke", identity)[0] == 0 and "revoked 20" in run("token", "list")[1]
    assert run("token", "revoke", identity)[0] == 1 and run("token", "revoke", "x" * 300)[0] == 1
    told = run("audit", "show", "--what", "token.")[1]
    assert '"action": "token.added"' in told and '"action": "token.revoked"' in told and shown not in told
