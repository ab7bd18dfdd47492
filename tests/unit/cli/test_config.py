"""`ivr config`: every fault that a start would meet, and what differs from the running line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.__main__ import main
from ivr.cli.running_line import RunningLine
from ivr.config import load_config, shown
from tests.checked_once import checked_once

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def flows_are_checked_once() -> Iterator[None]:
    with checked_once():
        yield


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with the flows that ship."""
    monkeypatch.delenv("IVR_HTTP_TOKEN", raising=False)
    shutil.copytree(ROOT / "flows", tmp_path / "flows")
    shutil.copy(ROOT / "config.toml", tmp_path)
    return tmp_path / "config.toml"


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["config", *words])
    said = capsys.readouterr()
    return code, said.out + said.err


SEALS = {
    "recording": 'key = ""                           # env:NAME',
    "takeover": 'key = ""                           # env:, ',
}


def test_what_ships_is_right(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "check", str(file)) == (0, f"{file}: nothing is wrong\n")
    assert not (file.parent / "var").exists(), "nothing is made: another user may check than serves"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_calls = 100", "max_cals = 100", "unknown key sip.max_cals"),
        ("max_calls = 100", "max_calls = 0", "sip.max_calls: Input should be greater than or equal to 1"),
        ("max_calls = 100", "max_calls = 900000000", "3600000064 needed"),
        ("legs_per_process = 200", "legs_per_process = 2", "media processes of 2 legs are enough for"),
        ("processes = 0", "processes = 65", "media.processes: Input should be less than or equal to 64"),
        ('mon = "08:00-20:00"', 'mon = "25:00-26:00"', "mon"),
        (SEALS["recording"], 'key = "env:IVR_NO_KEY" #', "recording.key: the environment variable IVR_NO_KEY"),
        (SEALS["recording"], 'key = "env:IVR_BAD_KEY" #', "[recording] key: it is not 32 bytes"),
        (SEALS["takeover"], 'key = "env:IVR_NO_KEY" #', "takeover.key: the environment variable IVR_NO_KEY"),
        (SEALS["takeover"], 'key = "env:IVR_BAD_KEY" #', "[takeover] key: it is not 32 bytes"),
        ('package = "ivr.reference"', 'package = "ivr.nobody"', "[company] package"),
        ('entry = "main"  ', 'entry = "nowhere"', "nowhere"),
        ('path = "var/ivr.log"', 'path = "flows"', "logs.path: this user may not write to"),
        ('path = "var/ivr.log"', 'path = "config.toml/ivr.log"', "logs.path: this user may not write to"),
    ],
)
def test_every_fault_is_told(
    old: str,
    new: str,
    said: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IVR_BAD_KEY", "c3dvcmRmaXNo")
    edit(file, (old, new))
    code, text = told(capsys, "check", str(file))
    assert code == 2 and said in text and "swordfish" not in text


def test_the_file_may_be_named_as_in_every_other_command(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(file, ("max_calls = 100", "max_calls = 251"))
    assert told(capsys, "check", "--config", str(file)) == told(capsys, "check", str(file))
    with pytest.raises(SystemExit):
        main(["config", "check", str(file), "--config", str(file)])
    assert "not allowed with" in capsys.readouterr().err


def test_a_line_that_wants_its_token_says_where_that_is_set(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(line: RunningLine, method: str, path: str, timeout_s: float = 0.0) -> tuple[int, Any]:
        return 401, {"error": "log in, or send Authorization: Bearer TOKEN"}

    monkeypatch.setattr(RunningLine, "ask", ask)
    assert main(["drain", "--config", str(file)]) == 1
    said = capsys.readouterr().err
    assert "wants its token (401)" in said and "set [http] token" in said and "log in" not in said


def test_several_faults_come_at_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(file, (SEALS["recording"], 'key = "env:IVR_NO_SUCH_KEY" #'), ('mon = "08:00-20:00"', 'mon = "noon"'))
    (file.parent / "flows" / "main.yaml").write_text("flow: [", "utf-8")
    code, text = told(capsys, "check", str(file))
    assert code == 2 and "IVR_NO_SUCH_KEY" in text and "mon" in text and "main.yaml" in text


def serves(monkeypatch: pytest.MonkeyPatch, keys: Mapping[str, Any]) -> None:
    def told(line: RunningLine, method: str, path: str) -> Any:
        assert (method, path) == ("GET", "/api/config")
        return {"keys": json.loads(json.dumps(keys))}

    monkeypatch.setattr(RunningLine, "told", told)


def test_what_differs_is_sorted_by_what_takes_it_over(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serves(monkeypatch, shown(load_config(file)))
    assert told(capsys, "diff", str(file)) == (0, "the running line serves with this configuration\n")
    edit(file, ("max_calls = 100", "max_calls = 120"), ('ports = "16000-16999"', 'ports = "16000-17999"'))
    code, text = told(capsys, "diff", str(file))
    assert code == 1 and text.splitlines() == [
        "with SIGHUP (systemctl reload):",
        "  sip.max_calls: 100 -> 120",
        "after a restart:",
        '  media.ports: "16000-16999" -> "16000-17999"',
    ]
    edit(file, ('mon = "08:00-20:00"', 'mon = "noon"'))
    code, text = told(capsys, "diff", str(file))
    assert code == 2 and "  desk.hours: " in text and "noon" in text


def test_a_line_of_another_release_is_told_apart_by_its_keys(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {**shown(load_config(file)), "sip.gone": 1}
    del keys["sip.busy_status"]
    serves(monkeypatch, keys)
    code, text = told(capsys, "diff", str(file))
    assert code == 1 and "sip.busy_status: null -> 486" in text and "sip.gone: 1 -> null" in text


def test_without_a_line_that_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(capsys, "diff", str(file), "--http", "127.0.0.1:9")
    assert code == 2 and "no line answers at 127.0.0.1:9" in text


def test_what_is_shown_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        [[sip.trunks]]
        name = "pbx"
        register = "sip:pbx.example.com"
        username = "ivr"
        password = "env:PASSWORD"
        [[flows.services]]
        name = "billing"
        url = "https://billing.example.com/"
        headers = { Authorization = "Basic swordfish", X = "{token}" }
        secrets = { token = "file:/run/token" }
        [store]
        url = "postgresql+asyncpg://ivr:swordfish@db.example.com/ivr"
        """
    )
    keys = shown(load_config(file))
    (trunk,), (service,) = keys["sip.trunks"], keys["flows.services"]
    assert trunk["password"] == "env:PASSWORD" and trunk["register"] == "sip:pbx.example.com"
    assert service["headers"] == {"Authorization": "***", "X": "***"}
    assert service["secrets"] == {"token": "file:/run/token"}
    assert keys["store.url"] == "postgresql+asyncpg://ivr:***@db.example.com/ivr"
    assert "swordfish" not in json.dumps(keys)
