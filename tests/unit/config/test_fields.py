"""Field types: addresses, and secrets that come from their place and never show."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config import Address, Secret, parse_address
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
