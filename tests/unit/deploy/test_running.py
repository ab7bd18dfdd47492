"""What the line runs in: systemd reads its unit without a word, hadolint its Containerfile, the line its settings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from ivr import deploy
from ivr.cli.config import faults
from ivr.config import load_config
from ivr.embedding import installation
from ivr.systemd import PATIENCE_S, TURN_S

ROOT = Path(__file__).parents[3]
MOST_EXPOSED = 1.5  # of 10, as `systemd-analyze security` counts


def settings(section: str) -> dict[str, list[str]]:
    body = deploy.text("systemd").partition(f"[{section}]\n")[2].partition("\n[")[0]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", body, re.M):
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """As it ships, with a program that is there."""
    text = deploy.text("systemd")
    assert text.count("/opt/ivr/bin/ivr ") == 1
    path = tmp_path / "ivr.service"
    path.write_text(text.replace("/opt/ivr/bin/ivr ", f"{sys.executable} -m ivr "))
    return path


def analyzed(*words: str) -> str:
    program = shutil.which("systemd-analyze") or pytest.fail("needs systemd: apt-get install systemd (it need not run)")
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_finds_nothing_to_say_of_the_unit(unit: Path) -> None:
    assert analyzed("verify", str(unit)) == ""


def test_the_unit_is_as_closed_as_we_say(unit: Path) -> None:
    said = analyzed("security", "--offline=true", f"--threshold={int(MOST_EXPOSED * 10)}", "--no-pager", str(unit))
    level = re.search(r"Overall exposure level for ivr.service: ([\d.]+)", said)
    assert level is not None and float(level[1]) <= MOST_EXPOSED


def test_the_unit_and_the_line_agree_on_their_times() -> None:
    service = settings("Service")
    (drain,) = re.findall(r"--drain (\d+)", service["ExecStart"][0])
    assert int(service["TimeoutStopSec"][0]) > int(drain) + PATIENCE_S
    assert float(service["WatchdogSec"][0]) >= 4 * TURN_S, "one late turn is no death"
    assert service["KillMode"] == ["mixed"] and service["LimitCORE"] == ["0"] and service["OOMPolicy"] == ["continue"]
    assert service["RestartPreventExitStatus"] == ["2"], "what `ivr` ends with for a wrong configuration"


@pytest.mark.parametrize("setting", ["RestrictRealtime", "MemoryDenyWriteExecute", "ProcSubset", "PrivateNetwork"])
def test_what_would_break_calls_is_left_out(setting: str) -> None:
    assert setting not in settings("Service")


def test_the_unit_gives_the_credentials_that_the_configuration_names() -> None:
    asked = re.findall(r'"credential:([\w-]+)"', deploy.text("config"))
    given = re.findall(r"^(?:# )?LoadCredential=([\w-]+):/etc/ivr/secrets/\1$", deploy.text("systemd"), re.M)
    assert sorted(asked) == sorted(given) and "http-token" in given


def test_hadolint_finds_nothing_to_say_of_the_containerfile(tmp_path: Path) -> None:
    program = Path(sys.prefix) / "bin" / "hadolint"
    (tmp_path / "Containerfile").write_text(deploy.text("container"))
    done = subprocess.run([program, tmp_path / "Containerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_container_is_built_from_what_is_there_and_runs_as_nobody() -> None:
    text = deploy.text("container")
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        assert all((ROOT / name).exists() for name in source.split()), source
    kept = (ROOT / ".dockerignore").read_text().split()
    named = {
        name.split("/")[0] for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for name in source.split()
    }
    assert {f"!{name}" for name in named} <= set(kept), "the build is sent what it copies, and no more"
    assert "STOPSIGNAL SIGTERM" in text and "USER 10001:10001" in text and "--require-hashes" in text
    assert 'CMD ["ivr", "health"]' in text and 'VOLUME ["/var/lib/ivr", "/var/log/ivr", "/var/cache/ivr"]' in text


def test_the_configuration_is_one_and_writes_where_the_unit_lets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(deploy.text("config"))
    shutil.copytree(ROOT / "flows", tmp_path / "flows")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "http-token").write_text("x")
    config = load_config(tmp_path / "config.toml")
    assert [fault for fault in faults(config) if "logs.path" not in fault] == []
    written = (config.logs.path, config.store.spool, config.speech.cache, config.recording.folder)
    places = ("/var/lib/ivr/", "/var/log/ivr/", "/var/cache/ivr/")
    assert all(str(path).startswith(places) for path in written)
    assert config.store.url == "sqlite+aiosqlite:////var/lib/ivr/ivr.sqlite3"


def test_the_files_come_with_the_package() -> None:
    assert {path.name for path in files("ivr.deploy").iterdir()} >= {name for name, _ in deploy.NAMES.values()}
    assert str(installation.folder()).startswith(sys.prefix), "weights are part of the program that a container copies"


def test_logrotate_finds_its_file_right_and_renames_what_the_configuration_writes(tmp_path: Path) -> None:
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin") or pytest.fail(
        "needs logrotate: apt-get install it"
    )
    (tmp_path / "log").mkdir()
    text = deploy.text("logrotate").replace("/var/log/ivr", str(tmp_path / "log"))
    (tmp_path / "conf").write_text(text.replace("systemctl reload ivr", f"touch {tmp_path / 'reloaded'}"))
    (tmp_path / "conf").chmod(0o644)
    (tmp_path / "log" / "ivr.log").write_text("{}\n")
    words = (program, "--force", "--state", str(tmp_path / "state"), str(tmp_path / "conf"))
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (renamed,) = (tmp_path / "log").iterdir()
    assert renamed.name.startswith("ivr.log-") and (tmp_path / "reloaded").exists()
    assert f'path = "{"/var/log/ivr/ivr.log"}"' in deploy.text("config")
