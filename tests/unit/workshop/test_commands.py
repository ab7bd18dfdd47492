"""The designer's commands as a designer runs them: `ivr flow …`, in a pipe, on a terminal, and watching files."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivr.__main__ import main
from tests.flows.reference import FLOWS

NEVER = 60.0  # seconds; what doesn't happen by then doesn't happen
IVR = (sys.executable, "-m", "ivr")
ROOT = FLOWS.parent
MORNING = "2026-03-03T10:00"
CONFIG = """\
[store]
url = "sqlite+aiosqlite:///ivr.sqlite3"

[[desk.agents]]
name = "front"
target = "sip:agent@127.0.0.1:5090"
skills = ["general", "retention", "discs"]

[[flows.services]]
name = "deliveries"
url = "/api"
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A designer's folder with the reference flows, and no configuration."""
    shutil.copytree(FLOWS, tmp_path / "flows")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield tmp_path


def test_a_service_that_nobody_configured_is_an_error(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "config.toml").write_text(CONFIG.replace('"deliveries"', '"delivery"'))
    assert main(["flow", "check"]) == 1
    said = capsys.readouterr().out
    assert "there is no service deliveries [unknown-service]" in said and "did you mean delivery" in said.lower()
    (desk / "config.toml").write_text(CONFIG.partition("[[flows.services]]")[0])
    assert main(["flow", "check"]) == 1
    assert "add it to config.toml as [[flows.services]]" in capsys.readouterr().out


# --- check ---------------------------------------------------------------------------------------------------


def test_check_finds_nothing_in_the_reference_flows(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "check", "--strict", "flows"]) == 0
    unknown, verdict = capsys.readouterr().out.splitlines()
    assert unknown.startswith("not checked: ") and "skills" in unknown, "there is no configuration here"
    for part in ("services", "whom they serve", "recordings", "recogniser", "voice", "the example company's actions"):
        assert part in unknown
    assert unknown.endswith("There is no config.toml here: pass --config FILE to check these too")
    assert verdict.startswith("nothing wrong: 1 folder checked")


def test_check_holds_flows_against_the_line(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "config.toml").write_text(CONFIG)
    assert main(["flow", "check", "--strict"]) == 0, "a language that is led by keys is no fault"
    out = capsys.readouterr().out
    assert "note: no recogniser is installed for es-ES" in out and "nothing wrong: 1 folder" in out
    assert "whether titles of catalogue" in out and "sound alike" in out, "there is no database"
    path = desk / "flows" / "hold.yaml"
    path.write_text(path.read_text().replace('prompt: "Until which', 'prompt: {audio: until, say: "Until which', 1))
    path.write_text(re.sub(r'(audio: until, say: "[^"]*")', r"\1}", path.read_text()))
    assert main(["flow", "check"]) == 0
    assert "warning: there is no recording until in en-US" in capsys.readouterr().out
    assert main(["flow", "check", "--strict"]) == 1
    (desk / "audio" / "en-US").mkdir(parents=True)
    (desk / "audio" / "en-US" / "until.wav").write_bytes(b"")
    assert main(["flow", "check", "--strict"]) == 0


def test_check_asks_the_database_for_titles(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "config.toml").write_text(CONFIG)
    assert main(["db", "seed"]) == 0
    assert main(["flow", "check", "--strict"]) == 0
    out = capsys.readouterr().out
    assert "sound alike" not in out and "nothing wrong: 1 folder" in out


def test_check_shows_the_place_and_fails(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = desk / "flows" / "hold.yaml"
    path.write_text(path.read_text().replace("goto: hold\n", "goto: hodl\n"))
    assert main(["flow", "check", "flows"]) == 1
    assert "flows/hold.yaml:" in (out := capsys.readouterr().out)
    assert "hodl" in out and "remedy:" in out and "error" in out.splitlines()[-1]
    assert main(["flow", "check", "flows/queue.yaml"]) == 0, "that file is all right"


def test_check_speaks_json(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = desk / "flows" / "hold.yaml"
    path.write_text(path.read_text().replace("ask: day", "aks: day"))
    assert main(["flow", "check", "--json", "flows"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["errors"] == len([f for f in told["findings"] if f["severity"] == "error"]) > 0
    assert {"file", "line", "column", "why", "remedy", "code"} <= told["findings"][0].keys()
    assert main(["flow", "check", "--json", "flows/nosuch.yaml"]) == 2


def test_the_gethuman_profile_asks_for_more(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "check", "--profile", "gethuman-1.0", "flows"]) == 0
    path = desk / "flows" / "queue.yaml"
    path.write_text(path.read_text().replace("    ask: title\n", "    ask: title\n    bargein: false\n", 1))
    assert main(["flow", "check", "flows"]) == 0
    capsys.readouterr()
    assert main(["flow", "check", "--profile", "gethuman-1.0", "flows"]) == 1
    out = capsys.readouterr().out
    assert "gethuman-7" in out and "gethuman-1.0, rule 10:" in out, "what it can't check is said"
    assert main(["flow", "check", "--profile", "nosuch", "flows"]) == 2


# --- test ----------------------------------------------------------------------------------------------------


def test_scripts_pass_and_say_so(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "test", "flows", "--coverage", "--junit", "out/junit.xml"]) == 0
    out = capsys.readouterr().out
    assert "hold: states 5 of 5 (100%), edges 6 of 8 (75%)" in out
    assert "    never taken: hold.hold: on refused" in out
    assert ", none failed; " in out.splitlines()[-1]
    root = ElementTree.parse(desk / "out" / "junit.xml").getroot()
    assert int(root.get("tests", "0")) > 100
    assert root.get("failures") == "0"


def test_one_file_says_which_of_its_states_nobody_visited(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = desk / "flows" / "hold.test.yaml"
    script.write_text(script.read_text().split("  - name: keys alone")[0])
    assert main(["flow", "test", "flows/hold.test.yaml"]) == 0
    assert "no script has visited: hold.sorry" in capsys.readouterr().out


def test_the_states_of_all_flows_are_counted(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = desk / "flows" / "hold.test.yaml"
    script.write_text(script.read_text().split("  - name: keys alone")[0])
    only = ["flow", "test", "flows/hold.test.yaml", "--least"]
    assert main([*only, "1"]) == 0
    assert main([*only, "85"]) == 1, "though every call went as expected"
    out = capsys.readouterr().out
    assert ", at least 85% of the states wanted" in out
    assert re.search(r"^    hold: .*\bsorry\b", out, re.MULTILINE)
    assert re.search(r"^    queue: .*\badded\b", out, re.MULTILINE), "a flow that no script is about"


@pytest.mark.parametrize("wrong", [["--least", "0"], ["--least", "101"], ["--least", "85", "-k", "keys"]])
def test_least_is_a_percentage_of_all_calls(desk: Path, wrong: list[str]) -> None:
    assert main(["flow", "test", "flows", *wrong]) == 2


def test_a_failing_script_fails_the_run(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = desk / "flows" / "hold.test.yaml"
    script.write_text(script.read_text().replace("Nothing is sent before", "Everything is sent before"))
    assert main(["flow", "test", "flows", "-k", "one sentence"]) == 1
    out = capsys.readouterr().out
    assert "FAILED  hold: held until a day, in one sentence" in out
    assert "flows/hold.test.yaml:10:9: expect" in out
    assert 'prompt: expected "Everything is sent before"' in out
    assert "caller  “hold my deliveries until July fourth”" in out


def test_a_faulty_script_fails_the_run(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = desk / "flows" / "hold.test.yaml"
    script.write_text(script.read_text().replace("- say:", "- sya:", 1))
    assert main(["flow", "test", "flows/hold.test.yaml"]) == 1
    assert "flows/hold.test.yaml:7:9: error: sya means nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["flows", "-k", "no call is called this"], ["--record", "x", "flows"]]
)
def test_wrong_usage_is_code_two(desk: Path, arguments: list[str]) -> None:
    assert main(["flow", "test", *arguments]) == 2


# --- simulate ------------------------------------------------------------------------------------------------


async def run(*arguments: str, typed: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *IVR, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(NEVER):
        out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_call_typed_into_a_pipe(desk: Path) -> None:
    typed = "remove Vertigo\n/slots\n1\n/state\n/fail action queue.read\nread my queue\n"
    typed += "/nonsense\n/help\n/quit\nnever read\n"
    code, out, err = await run("flow", "simulate", "main", "--at", MORNING, typed=typed)
    assert (code, err) == (0, "")
    for line in (
        "   line  Take Vertigo out of your queue?",
        " caller  “remove Vertigo”",
        "         heard remove (title: Vertigo) 100%",
        "  title = Vertigo",
        " caller  keys 1",
        " action  queue.remove (title: 253): ok",
        "in main.ask; Tuesday 2026-03-03 10:00",
        " action  queue.read (first: 1): failed",
        "  human  connected front-desk: the line could not reach the queue (skill general, priority 5)",
        "there is no command /nonsense (/help lists them)",
    ):
        assert line in out.splitlines(), out
    assert "never read" not in out
    assert "\x1b" not in out, "no colours in a pipe"


async def test_a_call_typed_on_a_terminal(desk: Path) -> None:
    outer, inner = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *IVR,
        "flow",
        "simulate",
        "main",
        "--at",
        MORNING,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(inner)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(outer), "rb", 0)
    )
    async with asyncio.timeout(NEVER):
        greeting = await reader.readuntil(b"[main.ask] ")
        os.write(outer, b"agent\n")
        human = await reader.readuntil(b"[human.connect] ")
        os.write(outer, b"/quit\n")
        assert await process.wait() == 0
    transport.close()
    os.close(outer)
    assert "What can I do for you?" in greeting.decode()
    assert "\x1b[" in greeting.decode(), "colours on a terminal"
    assert "connected front-desk: asked" in human.decode()


def test_a_flow_that_returns_can_be_tried_alone(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asyncio.run(run("flow", "simulate", "hold", typed="July fourth\n1\n"))
    assert code == 0
    assert "returned done" in out
    assert main(["flow", "simulate", "nosuch"]) == 1
    assert "no flow nosuch" in capsys.readouterr().err


def test_simulate_save_record_and_replay(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = f"sqlite+aiosqlite:///{desk / 'kept.sqlite3'}"
    options = ("--at", MORNING, "--database", database, "--save", "call.json")
    code, out, _ = asyncio.run(run("flow", "simulate", "main", *options, typed="what's next\n/silence\n0\n"))
    assert code == 0
    call_id = out.splitlines()[-1].removeprefix("kept as call ")
    assert main(["flow", "test", "flows", "--record-simulation", "call.json", "--name", "kept"]) == 0
    from_file, err = capsys.readouterr()
    assert err == ""
    assert main(["flow", "test", "flows", "--record", call_id, "--database", database, "--name", "kept"]) == 0
    from_store, err = capsys.readouterr()
    assert err == ""
    assert from_store == from_file
    recorded = desk / "flows" / "kept.test.yaml"
    recorded.write_text(from_store)
    assert main(["flow", "test", "flows/kept.test.yaml"]) == 0
    assert "1 call, none failed" in capsys.readouterr().out


# --- watch ---------------------------------------------------------------------------------------------------


async def test_watching_runs_again_at_every_change(desk: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *IVR, "flow", "test", "flows/hold.test.yaml", "--watch", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async def until_watching() -> str:
        assert process.stdout is not None
        lines = []
        while (line := (await process.stdout.readline()).decode()) and "watching; Ctrl-C" not in line:
            lines.append(line)
        return "".join(lines)

    script = desk / "flows" / "hold.test.yaml"
    flow = desk / "flows" / "hold.yaml"
    good = script.read_text()
    async with asyncio.timeout(NEVER):
        assert "none failed" in await until_watching()
        script.write_text(good.replace("Nothing is sent", "Everything is sent"))
        broken = await until_watching()
        assert "changed: hold.test.yaml" in broken and "FAILED  hold: " in broken
        script.write_text(good)
        assert "none failed" in await until_watching()
        flow.write_text(flow.read_text().replace("Nothing is sent", "Nothing at all is sent"))
        reworded = await until_watching()
        assert "changed: hold.yaml" in reworded and "Nothing at all is sent" in reworded
        flow.write_text("flow: hold\nstart: [\n")
        assert "these flows can't run" in await until_watching()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 1, "as the last run went"
