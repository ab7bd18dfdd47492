"""`ivr prompts`, with the voice that is installed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivr.__main__ import main
from tests.release.edition import BROKEN, MAIN, Press

ROOT = Path(__file__).parents[3]
# A flow that says much: two dozen things, one after the other.
SAYS = "\n".join(
    f'  say{n}: {{{{prompt: "This is sentence number {n} of all that there is to say.", goto: say{n + 1}}}}}'
    for n in range(24)
)
LONG = MAIN.replace("goto: question}}", "goto: say0}}", 1).replace("  question:", f"{SAYS}\n  question:")
LONG = LONG.replace("goto: say24}}", "goto: question}}")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a line with one small flow and an empty cache."""
    Press(tmp_path / "flows")
    shutil.copy(ROOT / "config.toml", tmp_path)
    return tmp_path / "config.toml"


def test_it_renders_what_is_missing_and_leaves_the_rest(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "--config", str(config)]) == 0
    cache = config.parent / "audio" / ".cache"
    rendered = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert len(rendered) > 3
    said = capsys.readouterr().out
    assert " prompts are ready in " in said
    embedded = "sentence embedding" in said and "by their words alone" not in said
    assert bool(list((cache / "classifiers").glob("*.npz"))) is embedded, "what the flows teach is learned, too"
    gone = min(rendered)
    gone.unlink()
    assert main(["prompts", "--config", str(config)]) == 0
    again = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert again.keys() == rendered.keys()
    assert [path for path in again if again[path] != rendered[path]] == [gone]


def _interruptible() -> None:
    """Also where the tests run behind a shell, which has its children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_one_that_is_interrupted_says_nothing_of_its_own_and_is_resumed(config: Path, tmp_path: Path) -> None:
    Press(config.parent / "flows").print(1, LONG)
    command = [sys.executable, "-m", "ivr", "prompts", "--config", str(config)]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_interruptible
    )
    cache = config.parent / "audio" / ".cache"
    while len(list(cache.rglob("*.wav"))) < 8 and started.poll() is None:
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    told, complained = started.communicate(timeout=120)
    assert (started.returncode, told, complained) == (130, "", "")
    there = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert len(there) >= 8 and not list(cache.rglob("*.part"))
    assert main(["prompts", "--config", str(config)]) == 0
    assert all(path.stat().st_mtime_ns == at for path, at in there.items())
    assert len(list(cache.rglob("*.wav"))) > len(there), "there was more to say"


def test_what_cannot_be_kept_is_no_success(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "audio").mkdir()
    (config.parent / "audio" / ".cache").write_text("a file where a folder should be")
    assert main(["prompts", "--config", str(config)]) == 1
    told = capsys.readouterr()
    assert "can't be kept" in told.err and "set [speech] cache" in told.err and "ready" not in told.out
    assert told.err.count("cache.not_written") == 1


def test_a_voice_elsewhere_that_is_gone_is_told_and_stood_in_for(
    config: Path, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    voice = f'[[speech.prompt_voices]]\nurl = "http://127.0.0.1:{unused_tcp_port}/v1"\nmodel = "m"\nvoice = "v"\n'
    config.write_text(config.read_text("utf-8").replace("\n[flows]", f"\n{voice}\n[flows]", 1), "utf-8")
    assert main(["prompts", "--config", str(config)]) == 1
    told = capsys.readouterr()
    assert " prompts are ready in " in told.out and "spoken by the voice here" in told.out
    assert "can't be reached" in told.err and "is it running?" in told.err
    assert list((config.parent / "audio" / ".cache").rglob("*.wav"))


def test_flows_that_nobody_could_call_are_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Press(config.parent / "flows").print(1, BROKEN)
    assert main(["prompts", "--config", str(config)]) == 1
    assert "ivr flow check" in capsys.readouterr().err
