"""Secrets as the doctor sees them: where they are kept, and who else can read them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ivr.cli.secret_findings import configured, secret_findings, takeover_findings
from ivr.config import Config


def config(**sections: Any) -> Config:
    return Config.model_validate(sections)


def trunk(password: str) -> dict[str, Any]:
    return {"trunks": [{"name": "pbx", "register": "sip:x", "username": "u", "password": password}]}


def test_every_kind_of_secret_is_found_wherever_it_is_configured() -> None:
    whole = config(
        sip=trunk("env:A"),
        flows={"services": [{"name": "s", "url": "/api", "secrets": {"token": "file:/b"}}]},
        recording={"key": "credential:c", "former_keys": ["env:D"]},
        store={"url": "env:E"},
        http={"token": "env:F"},
    )
    assert {where: secret.source for where, secret in configured(whole)} == {
        "sip.trunks.password": "env:A",
        "flows.services.secrets.token": "file:/b",
        "recording.key": "credential:c",
        "recording.former_keys": "env:D",
        "store.url": "env:E",
        "http.token": "env:F",
    }


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o600, ""),
        (0o640, ""),
        (0o644, "may be read by every user of this machine (mode 0644)"),
        (0o646, "may be changed by every user of this machine (mode 0646)"),
    ],
)
def test_a_file_that_others_read_is_bad(mode: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("swordfish")
    (tmp_path / "password").chmod(mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for source in (f"file:{tmp_path}/password", "credential:password"):
        (found,) = secret_findings(config(sip=trunk(source)))
        assert found.state == ("bad" if said else "ok") and said in found.detail
        assert "swordfish" not in str(found) and (not said or "chmod 600" in found.remedy)


def test_whether_encrypted_calls_outlive_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    secure = {"trunks": [{"name": "pbx", "allow": ["192.0.2.1/32"], "srtp": "prefer"}]}
    assert not list(takeover_findings(config())), "nothing is encrypted"
    assert not list(takeover_findings(config(sip=secure, store={"takeover": False})))
    (found,) = takeover_findings(config(sip=secure))
    assert found.state == "note" and "not kept" in found.detail and "[takeover] key" in found.remedy
    for key, state, said in (("A" * 43 + "=", "ok", "kept sealed"), ("A" * 40, "bad", "not 32 bytes")):
        monkeypatch.setenv("TAKEOVER", key)
        whole = config(sip=secure, takeover={"key": "env:TAKEOVER"})
        (found,) = takeover_findings(whole)
        assert found.state == state and said in found.detail and key not in str(found)
        assert ("takeover.key", whole.takeover.key) in whole.secrets and not whole.loses_keys


def test_one_that_is_missing_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (found,) = secret_findings(config(sip=trunk("credential:pbx")))
    assert found.state == "bad" and "CREDENTIALS_DIRECTORY is not set" in found.detail
    assert "LoadCredential=pbx:" in found.detail
