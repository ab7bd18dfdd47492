"""`ivr serve`: what it says on standard error, and what it begins with."""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ivr.__main__ import main
from ivr.cli import serve
from ivr.cli.serve import Signals, first_account
from ivr.config import Config
from ivr.log_sink import LogSink
from ivr.readiness import Lifecycle
from ivr.systemd import Notifier


def test_the_first_account_is_made_at_an_address_that_opens() -> None:
    told = first_account("http://127.0.0.1:8080/login#first=printed-once")
    assert told.splitlines() == [
        "nobody has an account yet. Make the first one within 15 minutes (later: ivr accounts link):",
        "http://127.0.0.1:8080/login#first=printed-once",
    ]


def test_the_command_does_not_wait_for_what_only_the_line_needs() -> None:
    """A second of imports, in which the engines load already."""
    late = ("ivr.service", "ivr.store", "ivr.dialogue.engine", "ivr.web", "sqlalchemy", "alembic", "numpy")
    asked = f"import sys, ivr.cli.serve; print([name for name in {late} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def test_the_engines_begin_before_the_line_is_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []

    class Engines:
        def __init__(self, config: Config) -> None: ...

        def begin(self) -> None:
            done.append("engines")

        async def stop(self) -> None:
            done.append("stopped")

    @asynccontextmanager
    async def running(_: Config, lifecycle: Lifecycle, written: object, engines: object) -> Any:
        assert isinstance(engines, Engines)
        done.append("line")
        last = SimpleNamespace(finish=finish)
        watch = SimpleNamespace(told=None)
        yield SimpleNamespace(
            first_link="", sip_address="s", http_address="h", tls_address="", calls=(), drain=last, readiness=watch
        )

    async def finish(seconds: float) -> None:
        done.append("drained")

    def imported(name: str) -> object:
        done.append(name)
        return SimpleNamespace(running=running)

    monkeypatch.setattr(serve, "Engines", Engines)
    monkeypatch.setattr(serve, "import_module", imported)
    monkeypatch.setattr("gc.freeze", lambda: None)
    signals = Signals()
    signals.stop.set()
    notices = LogSink(str(tmp_path / "notices"), lambda count: "")
    arguments = argparse.Namespace(drain=0.0)
    written: Any = SimpleNamespace(reopen=lambda: None)
    await serve._serve(arguments, Config(), written, notices, signals, Notifier())
    notices.close()
    assert done[:2] == ["engines", "ivr.service"] and done[-1] == "stopped"


def test_a_log_that_cannot_be_written_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[logs]\npath = "{tmp_path}"\n', encoding="utf-8")
    assert main(["serve", "--config", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"ivr: the log {tmp_path}: Is a directory (let the service's user")
