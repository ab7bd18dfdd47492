"""`ivr flow diff`, graph, explain, new, fmt and schema as they are called, with their exit codes."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivr.__main__ import main
from ivr.record import Entered, Entry, Understood
from ivr.release.releases import Releases
from ivr.store import Store
from tests.unit.workshop.reference import FLOWS, reference


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the flows in a place without configuration."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FLOWS, tmp_path / "flows")
    return tmp_path / "flows"


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_diff_of_folders_and_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(folder, folder.parent / "try")
    assert main(["flow", "diff", "flows", "try"]) == 0
    assert capsys.readouterr().out == "the same\n"
    _edit(folder.parent / "try/queue.yaml", '"Which title?"', '"Which film?"')
    assert main(["flow", "diff", "flows", "try"]) == 1
    assert "Which ‹film?›" in capsys.readouterr().out
    assert main(["flow", "diff", "flows/queue.yaml", "try/queue.yaml", "--json"]) == 1
    assert {c["section"] for c in json.loads(capsys.readouterr().out)["changes"]} == {"queue"}
    assert main(["flow", "diff", "flows/hold.yaml", "try/hold.yaml"]) == 0


def test_diff_of_a_copy_beside_the_flow(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "hold.yaml", folder / "holding.yaml")
    _edit(folder / "holding.yaml", "Until which day", "To which day")
    assert main(["flow", "diff", "flows/hold.yaml", "flows/holding.yaml"]) == 1
    assert "‹To› which day" in capsys.readouterr().out


def test_diff_with_git(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *words], cwd=folder.parent, check=True, capture_output=True)

    git("init")
    git("add", "flows")
    git("commit", "-m", "flows")
    assert main(["flow", "diff", "rev:HEAD"]) == 0
    _edit(folder / "hold.yaml", "Until which day", "To which day")
    assert main(["flow", "diff", "rev:HEAD"]) == 1
    assert "‹To› which day" in capsys.readouterr().out
    assert main(["flow", "diff", "rev:nowhere"]) == 2
    assert main(["flow", "diff", "rev:--output=x"]) == 2
    assert not (folder.parent / "x").exists()


def test_diff_with_a_kept_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite+aiosqlite:///{folder.parent}/kept.sqlite3"

    async def keep() -> None:
        store = Store(url)
        try:
            await store.upgrade()
            releases = Releases(store.flow_versions)
            await releases.record(reference(), "somebody")
            await releases.publish(reference().version, "somebody")
        finally:
            await store.close()

    assert main(["flow", "diff", "live", "--database", url]) == 2, "no database yet"
    asyncio.run(keep())
    assert main(["flow", "diff", "live", "--database", url]) == 0
    _edit(folder / "hold.yaml", "Until which day", "To which day")
    capsys.readouterr()
    assert main(["flow", "diff", reference().version[:6], "flows", "--database", url]) == 1
    assert "‹To› which day" in capsys.readouterr().out
    assert main(["flow", "diff", "0000", "--database", url]) == 2


def test_diff_says_why_it_cannot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "diff", "flows", "nowhere"]) == 2
    shutil.copytree(folder, folder.parent / "try")
    _edit(folder.parent / "try/hold.yaml", "goto: hold", "goto: nowhere")
    assert main(["flow", "diff", "flows", "try"]) == 1
    assert "unknown-target" in capsys.readouterr().err


def test_graph(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "graph", "main", "--out", "main.svg", "--errors", "--current", "main.ask"]) == 0
    assert ElementTree.parse(folder.parent / "main.svg").getroot().get("data-flow") == "main"
    assert main(["flow", "graph", "flows/hold.yaml", "--format", "mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")
    assert main(["flow", "graph", "flows"]) == 0
    ElementTree.fromstring(capsys.readouterr().out)
    assert main(["flow", "graph", "mian"]) == 1
    assert "main" in capsys.readouterr().err


def test_graph_shows_broken_flows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(folder / "hold.yaml", "      failed: sorry\n", "")
    assert main(["flow", "graph", "hold", "--errors"]) == 0
    assert 'id="state-hold-hold" class="state card http error"' in capsys.readouterr().out


def test_graph_with_traffic(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite+aiosqlite:///{folder.parent}/calls.sqlite3"

    async def call() -> None:
        store = Store(url)
        try:
            await store.upgrade()
            at = datetime(2026, 3, 3, tzinfo=UTC)
            await store.calls.begin("one", "5035550101", "5035550199", at, {})
            entries = [Entry(Entered(s, "question"), at, s) for s in ("hold.until", "hold.hold", "hold.held")]
            await store.calls.append_all("one", [*entries, Entry(Understood(), at, "hold.held")])
        finally:
            await store.close()

    asyncio.run(call())
    assert main(["flow", "graph", "hold", "--traffic", "--database", url]) == 0
    assert "Weights are of 1 calls." in capsys.readouterr().out
    assert main(["flow", "graph", "hold", "--traffic"]) == 2


def test_explain(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    assert main(["flow", "explain", "queue.to_top"]) == 0
    assert "Where it leads" in capsys.readouterr().out
    assert main(["flow", "explain", "queue"]) == 0
    assert main(["flow", "explain", "sorry"]) == 1


def test_new(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "new", "newcomer", "--template", "form"]) == 0
    assert "ivr flow simulate flows/newcomer.yaml" in capsys.readouterr().out
    before = (folder / "newcomer.yaml").read_text("utf-8")
    assert main(["flow", "new", "newcomer"]) == 2
    assert (folder / "newcomer.yaml").read_text("utf-8") == before
    assert main(["flow", "check", "flows/newcomer.yaml"]) == 0
    assert main(["flow", "test", "flows/newcomer.test.yaml"]) == 0


def test_fmt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(folder / "hold.yaml", "start: until", "start:    until   # here")
    assert main(["flow", "fmt", "--check", "flows/hold.yaml"]) == 1
    assert "+start: until  " in capsys.readouterr().out
    assert main(["flow", "fmt", "flows/hold.yaml"]) == 0
    assert main(["flow", "fmt", "--check", "flows/hold.yaml"]) == 0
    assert "# here" in (folder / "hold.yaml").read_text("utf-8")
    _edit(folder / "hold.yaml", "start: until", "start: [")
    assert main(["flow", "fmt", "flows/hold.yaml"]) == 1
    assert main(["flow", "fmt", "flows/nowhere.yaml"]) == 2


def test_schema(folder: Path) -> None:
    path = folder / "flow.schema.json"
    path.write_text("{}", "utf-8")
    assert main(["flow", "schema", "--check"]) == 1
    assert main(["flow", "schema"]) == 0
    assert path.read_text("utf-8") == (FLOWS / "flow.schema.json").read_text("utf-8")
    assert main(["flow", "schema", "--check"]) == 0
