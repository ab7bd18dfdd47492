"""The commands of ivr/deploy/README.md, all of them in their order, by a shell on a machine of paper with a real line.

Its folders are in one of ours; what would change this machine (packages, users, systemd, docker) is played, and told.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ivr.demo.line import ROOT
from tests.wire.ports import free_port

pytestmark = [pytest.mark.wire, pytest.mark.slow]

RUNBOOK = ROOT / "ivr" / "deploy" / "README.md"
PLAYED = ("apt-get", "useradd", "docker", "chown")
FOLDERS = (
    "/opt/ivr",
    "/etc/ivr",
    "/etc/systemd/system",
    "/etc/logrotate.d",
    "/var/lib/ivr",
    "/var/log/ivr",
    "/var/cache/ivr",
)

# What systemctl does of what the unit says: a start is over when the line says so, a stop waits for its end.
SYSTEMCTL = """\
case "$1 $2" in
  "enable --now"|"start ivr")
    command=$(sed -n 's/^ExecStart=//p' ETC/systemd/system/ivr.service)
    cd ETC/ivr && ($command >LOG/stdout 2>LOG/stderr & echo $! >LOG/pid)
    for _ in $(seq 900); do grep -q "^ready: " LOG/stderr && exit 0; sleep 0.1; done
    cat LOG/stderr; exit 1 ;;
  "stop ivr")
    kill -TERM $(cat LOG/pid)
    for _ in $(seq 300); do kill -0 $(cat LOG/pid) 2>/dev/null || exit 0; sleep 0.1; done
    exit 1 ;;
  "reload ivr") kill -HUP $(cat LOG/pid) ;;
  "status ivr") kill -0 $(cat LOG/pid) ;;
  "daemon-reload ") test -s ETC/systemd/system/ivr.service ;;
  *) exit 64 ;;
esac
"""
# python3 -m venv: an environment whose ivr is ours, and whose pip only looks whether what it is given is there.
PYTHON = """\
test "$1 $2" = "-m venv" || exit 64
mkdir -p "$3/bin" && cp PLAYED/pip "$3/bin/pip"
printf '#!/bin/sh\\nexec %s -m ivr "$@"\\n' INTERPRETER >"$3/bin/ivr" && chmod +x "$3/bin/ivr"
"""
PIP = """\
test "$1" = install || exit 64
for word in "$@"; do
  case "$word" in *.lock) test -s "$word" || exit 1 ;; .) test -s pyproject.toml || exit 1 ;; esac
done
"""
# What an operator edits: addresses and ports; and prompts that are rendered already need not be again.
EDITOR = """\
sed -i -e 's/^listen = "0.0.0.0:5060"/listen = "127.0.0.1:0"/' -e 's/192\\.0\\.2\\.[0-9]*/127.0.0.1/' \\
  -e 's/^listen = "127.0.0.1:8080"/listen = "127.0.0.1:HTTP"/' -e 's/"16000-16999"/"20000-29999"/' \\
  -e 's#^cache = .*#cache = "CACHE"#' "$1"
"""


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", RUNBOOK.read_text("utf-8"), re.S)


def program(path: Path, text: str) -> None:
    told = f'#!/bin/bash\necho "$(basename $0) $*" >>{path.parent}/told\n'
    path.write_text(told + text.replace("PLAYED", str(path.parent)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def machine(root: Path) -> dict[str, str]:
    """Programs that are played, and the environment in which they come first."""
    played, log = root / "played", root / "log"
    for folder in (played, log, *(root / each[1:] for each in FOLDERS[2:])):
        folder.mkdir(parents=True)
    for name in PLAYED:
        program(played / name, "")
    program(played / "pip", PIP)
    program(played / "python3", PYTHON.replace("INTERPRETER", shlex.quote(sys.executable)))
    program(played / "systemctl", SYSTEMCTL.replace("ETC", str(root / "etc")).replace("LOG", str(log)))
    program(
        played / "editor", EDITOR.replace("HTTP", str(free_port())).replace("CACHE", str(ROOT / "audio" / ".cache"))
    )
    (played / "told").write_text("")
    return {**os.environ, "PATH": f"{played}:{os.environ['PATH']}", "EDITOR": str(played / "editor"),
            "PYTHONPATH": str(ROOT), "IVR_EMBEDDING": "none"}  # fmt: skip


def placed(text: str, root: Path) -> str:
    """With the folders of ``root``; what the line writes into a file names those, too."""
    for folder in FOLDERS:
        text = text.replace(folder, f"{root}{folder}")
    return re.sub(r"(ivr deploy \w+) >", rf"\1 | sed -E 's#({'|'.join(FOLDERS)})#{root}\\1#g' >", text)


def test_every_command_of_the_runbook_was_run(tmp_path: Path) -> None:
    environment = machine(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    for name in ("flows", "audio", "pyproject.toml", "requirements.lock", "requirements-build.lock", "ivr"):
        (source / name).symlink_to(ROOT / name)
    script = "set -eu -o pipefail\n" + placed("\n".join(blocks()), tmp_path)
    with (tmp_path / "said").open("w") as said_to:
        process = subprocess.Popen(
            ["bash", "-x", "-c", script],
            cwd=source,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said_to,
            stderr=subprocess.STDOUT,
        )
    try:
        process.wait(timeout=420)
    finally:
        process.kill()
        if (tmp_path / "log" / "pid").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int((tmp_path / "log" / "pid").read_text()), signal.SIGKILL)
    said = (tmp_path / "said").read_text()
    assert process.returncode == 0, said[-6000:]
    told = (tmp_path / "played" / "told").read_text().splitlines()
    assert "systemctl reload ivr" in told and told.count("systemctl start ivr") == 2
    assert "serving, 0 calls in progress" in said and "the running line serves with this configuration" in said
    assert "alive, ready; 0 calls" in said and "cores for 600 callers at once" in said
    assert (tmp_path / "etc/ivr/secrets/http-token").stat().st_mode & 0o777 == 0o600
    log = (tmp_path / "var/log/ivr/ivr.log").read_text()
    assert "config.reloaded" in log and "Traceback" not in log and "Traceback" not in said
