"""What is shown of a configuration, and said of a wrong one: where secrets are, never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config import load_config
from ivr.config.shown import HIDDEN, shown
from ivr.errors import ConfigError
from ivr.store.url import named, parse_url

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"postgresql+asyncpg://ivr:{SECRET}@db/ivr", f"postgresql+asyncpg://ivr:{HIDDEN}@db/ivr"),
        (f"postgresql+asyncpg://ivr:a/{SECRET}:@{SECRET}@db/ivr", f"postgresql+asyncpg://ivr:{HIDDEN}@db/ivr"),
        (f"postgresql+asyncpg://db/ivr?user=ivr&password={SECRET}&ssl=require",
         f"postgresql+asyncpg://db/ivr?user=ivr&password={HIDDEN}&ssl=require"),
        (f"ivr:{SECRET}@db/ivr", f"ivr:{HIDDEN}@db/ivr"),
        ("sqlite+aiosqlite:////srv/ivr.sqlite3", "sqlite+aiosqlite:////srv/ivr.sqlite3"),
    ],
)  # fmt: skip
def test_a_databases_password_is_hidden_wherever_it_stands(tmp_path: Path, url: str, told: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[store]\nurl = "{url}"', encoding="utf-8")
    assert shown(load_config(path))["store.url"] == told


def test_a_password_in_a_sip_uri_is_hidden_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    agents = ("sip:rosa@192.0.2.20:5060", "sip:rosa@[2001:db8::1]:5061;transport=tcp")
    path.write_text(
        f'[[sip.trunks]]\nname = "t"\nregister = "sip:u:{SECRET}@pbx:5060"\nusername = "u"\npassword = "env:X"\n'
        + "".join(f'[[desk.agents]]\nname = "a{i}"\ntarget = "{each}"\n' for i, each in enumerate(agents)),
        encoding="utf-8",
    )
    told = shown(load_config(path))
    assert told["sip.trunks"][0]["register"] == f"sip:u:{HIDDEN}@pbx:5060"
    assert [agent["target"] for agent in told["desk.agents"]] == list(agents)


def test_a_databases_name_has_no_password() -> None:
    for url in (f"postgresql://ivr:{SECRET}@db/ivr", f"postgresql://db/ivr?user=ivr&password={SECRET}"):
        assert SECRET not in named(parse_url(url)) and "ivr" in named(parse_url(url))


@pytest.mark.parametrize(
    "text",
    [
        f"[http]\ntoken = {SECRET}",
        f"[[sip.trunks]]\npassword = {SECRET}",
        f"[store]\nurl = postgresql://ivr:{SECRET}@db/ivr",
        f"[[flows.services]]\nheaders = {{ Authorization = Bearer {SECRET} }}",
        f'[[flows.services]]\nname = "s"\nurl = "https://u:{SECRET}@billing.example"',
        f'[[flows.services]]\nname = "s"\nurl = "https://billing.example/?key={SECRET}"',
    ],
)
def test_what_is_said_of_a_wrong_file_holds_no_secret(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert SECRET not in f"{refused.value} {refused.value.remedy}"
    assert "line 2" in str(refused.value) or "flows.services.0.url" in str(refused.value), "and yet where it is"


def test_a_line_that_only_says_where_a_secret_is_is_told_whole(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[http]\ntoken = “env:IVR_TOKEN”", encoding="utf-8")
    with pytest.raises(ConfigError, match="token = “env:IVR_TOKEN”"):
        load_config(path)
