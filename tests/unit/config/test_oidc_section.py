"""[http.oidc]: what can't be right is told before anybody logs in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ivr.config import load_config
from ivr.errors import ConfigError

RIGHT = """
[http.oidc]
issuer = "https://login.example.com/realms/films"
client_id = "ivr"
client_secret = "env:OIDC_SECRET_OF_NOBODY"
[http.oidc.roles]
line-agents = ["agent"]
"""


def loaded(folder: Path, old: str = "", new: str = "") -> Any:
    path = folder / "config.toml"
    path.write_text(RIGHT.replace(old, new) if old else RIGHT, encoding="utf-8")
    return load_config(path)


def test_what_is_right(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert config.http.oidc.roles == {"line-agents": ("agent",)} and config.http.oidc.local
    assert any("http.oidc.client_secret" in each for each in config.missing_secrets())
    near = loaded(tmp_path, "https://login.example.com", "http://localhost:8081")
    assert near.http.oidc.issuer == "http://localhost:8081/realms/films"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("https://login", "http://login", "https"),
        ("https://login.example.com/realms/films", "login.example.com", "https"),
        ("/realms/films", "/realms/films?x=1", "https"),
        ('client_secret = "env:OIDC_SECRET_OF_NOBODY"', 'client_secret = "s3cret"', "env:NAME"),
        ('client_secret = "env:OIDC_SECRET_OF_NOBODY"', 'client_secret = ""', "client_secret is needed"),
        ('["agent"]', '["boss"]', "agent"),
        ('["agent"]', "[]", "nobody could log in"),
        ('client_id = "ivr"', 'client_id = ""', "client_id"),
        ('client_id = "ivr"', 'client_id = "ivr"\ngroups = "x"', "groups"),
    ],
)
def test_what_is_not(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        loaded(tmp_path, old, new)
