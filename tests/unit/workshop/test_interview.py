"""The interview of `ivr new`, on a real terminal (a pseudo-terminal that the command runs in)."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.cli import new
from ivr.config import load_config
from ivr.workshop.lines import HUMAN

NEVER_S, PATIENCE_S = 60, 0.5
CTRL_C = "\x03"
QUESTIONS = ("The company's name", "What it does", "Languages", "Opening hours", "Who answers as a person")


class Terminal:
    """A command in a terminal of its own; ``shown`` is all that stood there."""

    def __init__(self, *command: str) -> None:
        self.shown, self._read = "", 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs the tests may ignore it, or hold it back
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execv(sys.executable, [sys.executable, "-m", "ivr", *command])
        self.code: int | None = None

    def _more(self, until: float) -> bool:
        """Whether anything came; False at the end of the command."""
        assert select.select([self._fd], [], [], max(0.0, until - time.monotonic()))[0], self.shown
        try:
            more = os.read(self._fd, 4096)
        except OSError:  # its terminal is closed
            return False
        self.shown += more.decode()
        return bool(more)

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + NEVER_S
        while text not in self.shown[self._read :]:
            assert self._more(until), self.shown
        self._read += self.shown[self._read :].index(text) + len(text)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, until it is seen: one that comes between a prompt and the reading behind it waits for the next."""
        until = time.monotonic() + NEVER_S
        while time.monotonic() < until:
            self.type(CTRL_C)
            while select.select([self._fd], [], [], PATIENCE_S)[0]:
                if not self._more(until):
                    return

    def ended(self) -> int:
        """The exit code, as a shell tells it."""
        until = time.monotonic() + NEVER_S
        while self._more(until):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.chdir(tmp_path)
    terminal = Terminal("new", "casa")
    try:
        yield terminal
    finally:
        terminal.close()


def answered(terminal: Terminal, *answers: str) -> int:
    for question, answer in zip(QUESTIONS, answers, strict=True):
        terminal.wait_for(question)
        terminal.wait_for("]: ")
        terminal.type(f"{answer}\n")
    return terminal.ended()


def test_empty_answers_take_what_stands_in_brackets(terminal: Terminal, tmp_path: Path) -> None:
    assert answered(terminal, "", "", "", "", "") == 0
    assert "[Casa]: " in terminal.shown and "[reception]: " in terminal.shown and "[en-US]: " in terminal.shown
    assert "A line for Casa is in casa." in terminal.shown
    config = load_config(tmp_path / "casa" / "config.toml")
    assert config.flows.language == "en-US"
    assert config.desk.agents[0].target == HUMAN
    assert (tmp_path / "casa" / "flows" / "office.mock.yaml").exists()
    assert not list((tmp_path / "casa" / "flows").glob("*es-ES*"))


@pytest.mark.parametrize("languages, first, overlays", [("es-ES, en-US", "es-ES", True), ("es-ES", "es-ES", True)])
def test_answers_are_taken_in_either_language(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, languages: str, first: str, overlays: bool
) -> None:
    human = "sip:recepcion@10.0.0.7"
    assert answered(terminal, "Clínica Peñarroya", "dentist", languages, "mon-sat 08:30-14:00", human) == 0
    assert "A line for Clínica Peñarroya is in casa." in terminal.shown
    folder = tmp_path / "casa"
    config = load_config(folder / "config.toml")
    assert config.flows.language == first
    assert config.desk.agents[0].target == human
    assert bool(list((folder / "flows").glob("*es-ES*"))) is overlays
    assert "Hola, habla Clínica Peñarroya." in (folder / "flows" / "main.es-ES.yaml").read_text()
    assert "de lunes a sábado" in (folder / "flows" / "main.es-ES.yaml").read_text()
    monkeypatch.chdir(folder)
    assert main(["flow", "check", "--strict"]) == 0


@pytest.mark.parametrize("after", range(len(QUESTIONS)))
def test_ctrl_c_leaves_nothing(terminal: Terminal, tmp_path: Path, after: int) -> None:
    for question in QUESTIONS[:after]:
        terminal.wait_for(question)
        terminal.wait_for("]: ")
        terminal.type("\n")
    terminal.wait_for(QUESTIONS[after])
    terminal.wait_for("]: ")
    terminal.interrupt()
    assert terminal.ended() in (130, -signal.SIGINT)
    assert "Traceback" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_files_are_put_in_their_places_takes_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    rename, moved = Path.rename, list[str]()

    def interrupted(path: Path, target: Path) -> Path:
        moved.append(path.name)
        if len(moved) == 3:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        new.write(tmp_path, {"config.toml": "x", "flows/main.yaml": "x", "README.md": "x"})
    assert len(moved) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
