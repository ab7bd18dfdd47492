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
CTRL_D = "\x04"
QUESTIONS = ("The company's name", "What it does", "Languages", "Opening hours", "Who answers as a person", "Time zone")


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
    assert answered(terminal, "", "", "", "", "", "") == 0
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
    answers = ("Clínica Peñarroya", "dentist", languages, "mon-sat 08:30-14:00", human, "Europe/Madrid")
    assert answered(terminal, *answers) == 0
    assert "A line for Clínica Peñarroya is in casa." in terminal.shown
    folder = tmp_path / "casa"
    config = load_config(folder / "config.toml")
    assert config.flows.language == first
    assert config.desk.agents[0].target == human
    assert config.flows.time_zone == "Europe/Madrid"
    assert bool(list((folder / "flows").glob("*es-ES*"))) is overlays
    assert "Hola, habla Clínica Peñarroya." in (folder / "flows" / "main.es-ES.yaml").read_text()
    assert "de lunes a sábado" in (folder / "flows" / "main.es-ES.yaml").read_text()
    monkeypatch.chdir(folder)
    assert main(["flow", "check", "--strict"]) == 0


WRONG = (
    ("RDX", "the company's name is spoken: RDX is read as a word by some voices"),
    ("bank", "there is no template bank (one of: dentist, shop, reception)"),
    ("french", "there are no words in french yet (choose among en-US, es-ES"),
    ("9 to 5", "'9 to 5' are no opening hours (write them such as: mon-fri 08:00-17:00"),
    ("3001", "'3001' is no SIP address (write sip:NAME@HOST"),
    ("new york", "'new york' is no time zone (write one such as America/New_York)"),
)
"""An answer that can't be to each of the questions, and what is said of it."""


def test_a_wrong_answer_is_refused_at_once_and_asked_for_again(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = ("Radex House", "Shop", "english, es", "mon-fri 09:00-17:00, sat 10:00-12:00", HUMAN, "America/New_York")
    for question, (wrong, why), answer in zip(QUESTIONS, WRONG, right, strict=True):
        terminal.wait_for(question)
        terminal.wait_for("]: ")
        terminal.type(f"{wrong}\n")
        terminal.wait_for(why)
        terminal.wait_for(question)  # the same one, and nothing of it was made
        assert list(tmp_path.iterdir()) == []
        terminal.wait_for("]: ")
        terminal.type(f"{answer}\n")
    assert terminal.ended() == 0
    config = load_config(tmp_path / "casa" / "config.toml")
    assert config.flows.time_zone == "America/New_York" and config.flows.language == "en-US"
    assert (tmp_path / "casa" / "flows" / "shop.mock.yaml").exists()
    assert "on Saturday from ten in the morning" in (tmp_path / "casa" / "flows" / "main.yaml").read_text()
    monkeypatch.chdir(tmp_path / "casa")
    assert main(["flow", "check", "--strict", "--profile", "gethuman-1.0"]) == 0


def test_a_name_that_a_language_can_not_say_is_asked_for_again_once_that_is_chosen(
    terminal: Terminal, tmp_path: Path
) -> None:
    for question, answer in zip(QUESTIONS[:3], ("Sr. Molar", "", "es-ES"), strict=True):
        terminal.wait_for(question)
        terminal.wait_for("]: ")
        terminal.type(f"{answer}\n")
    terminal.wait_for("“Sr.”: señor")
    for question, answer in zip((QUESTIONS[0], *QUESTIONS[3:]), ("Señor Molar", "", "", ""), strict=True):
        terminal.wait_for(question)
        terminal.wait_for("]: ")
        terminal.type(f"{answer}\n")
    assert terminal.ended() == 0
    assert "Señor Molar" in (tmp_path / "casa" / "flows" / "main.es-ES.yaml").read_text()


def asked(terminal: Terminal, after: int) -> None:
    """Up to the question after so many, which were answered with what stands in brackets."""
    for question in QUESTIONS[:after]:
        terminal.wait_for(question)
        terminal.wait_for("]: ")
        terminal.type("\n")
    terminal.wait_for(QUESTIONS[after])
    terminal.wait_for("]: ")


@pytest.mark.parametrize("after", range(len(QUESTIONS)))
def test_the_end_of_input_leaves_nothing(terminal: Terminal, tmp_path: Path, after: int) -> None:
    asked(terminal, after)
    terminal.type(CTRL_D)
    assert terminal.ended() == 1
    assert "nothing was made" in terminal.shown and "Traceback" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["--company", "RDX"], "the company's name is spoken"),
        (["--template", "bank"], "there is no template bank"),
        (["--languages", "fr-FR"], "there are no words in fr-FR yet"),
        (["--hours", "always"], "are no opening hours"),
        (["--human", "3001"], "is no SIP address"),
        (["--number", "x"], "is no telephone number"),
        (["--time-zone", "Mars/Olympus"], "is no time zone"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_options_are_refused_before_anything_is_asked(
    wrong: list[str],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked"))
    assert main(["new", "casa", *wrong]) == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flows").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked"))
    assert main(["new", "."]) == 2
    assert "flows is there already" in capsys.readouterr().err


@pytest.mark.parametrize("after", range(len(QUESTIONS)))
def test_ctrl_c_leaves_nothing(terminal: Terminal, tmp_path: Path, after: int) -> None:
    asked(terminal, after)
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
