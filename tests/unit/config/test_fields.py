"""Field types: addresses, and secrets that come from their place and never show."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ivr.config import Address, HttpConfig, Secret, StoreConfig, parse_address
from ivr.errors import ConfigError


def test_addresses() -> None:
    assert parse_address("[::1]:5060") == Address("::1", 5060)
    assert str(Address("::1", 5060)) == "[::1]:5060"
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address("127.0.0.1")


def test_secrets_come_from_their_place_and_never_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_TEST_SECRET", "hunter2")
    from_environment = Secret("env:IVR_TEST_SECRET")
    assert from_environment.reveal() == "hunter2"
    assert "hunter2" not in repr(from_environment)
    file = tmp_path / "secret"
    file.write_text("swordfish\n")
    assert Secret(f"file:{file}").reveal() == "swordfish"
    with pytest.raises(ConfigError, match="IVR_TEST_NOTHING"):
        Secret("env:IVR_TEST_NOTHING").reveal()
    with pytest.raises(ConfigError, match="readable"):
        Secret(f"file:{tmp_path}/none").reveal()


def test_a_secret_file_may_come_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    assert Secret(f"file:{path}").reveal() == "s3cret"
    path.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in Secret(f"file:{path}").trouble()


def test_a_credential_is_one_of_systemds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = Secret("credential:pbx-password")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "start it by systemd" in secret.trouble() and not secret.available()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "add LoadCredential=pbx-password:" in secret.trouble()
    (tmp_path / "pbx-password").write_text("swordfish\n")
    assert secret.reveal() == "swordfish" and secret.path() == tmp_path / "pbx-password"
    assert "swordfish" not in f"{secret!r} {secret}"
    for wrong in ("credential:", "credential:../shadow", "credential:/etc/shadow"):
        with pytest.raises(ValidationError, match="not a path"):
            HttpConfig.model_validate({"token": wrong})
    assert StoreConfig(url="credential:pbx-password").resolved() == "swordfish"
