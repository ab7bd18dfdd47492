"""What is compared with whom, and that nobody's absence stops the rest."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import peers
from tests.bench.peers import Row, figures, missing
from tests.bench.pipecat_peer import Talk
from tests.bench.test_knee import waits
from tests.bench.waits import Waits

ROW = Row("pyVoIP", 50, 50, replace(waits(0.4), count=50), 41.2, 7.9, 60.0, 0.2, 1.1, says=True)


def test_a_first_sound_is_late_beyond_a_second_or_when_somebody_hears_none() -> None:
    assert not ROW.late
    assert replace(ROW, first=replace(waits(1.2), count=50)).late
    assert replace(ROW, first=replace(waits(0.4), count=49)).late
    assert not replace(ROW, says=False, first=Waits.of(())).late, "SIPp says nothing"


def test_the_most_calls_that_a_peer_takes_is_told_beside_the_lines() -> None:
    late = replace(ROW, calls=100, answered=100, first=replace(waits(1.2), count=100), cpu_ms=9.5)
    ours = replace(ROW, who="the line", calls=100, answered=100, first=replace(waits(0.1), count=100))
    talk = Talk("pipecat-ai 1.0", 1, waits(0.9), 0, 410.0, 500.0, 0.1)
    found = {figure.name: figure for figure in figures([ours, ROW, late], [talk])}
    assert found["pyVoIP: calls with a first sound within 1 s"].value == 50
    assert found["pyVoIP: calls with a first sound within 1 s"].note == "late at 100"
    assert found["the line: calls with a first sound within 1 s"].note == "100 was the most tried"
    assert found["pyVoIP: CPU of a call-second at 50"].value == 7.9, "of the last load that it took well"
    assert found["pipecat-ai 1.0: answer p95, one talks"].value == 0.9
    assert all(figure.aim is None for figure in found.values()), "peers are facts, not aims"


def test_who_is_not_installed_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    assert missing(tmp_path / "python").keys() == {"SIPp", "pyVoIP", "pipecat"}
    assert "make bench" in missing(tmp_path / "python")["pipecat"]


def test_an_environment_without_pipecat_counts_as_missing(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    assert "pipecat" in missing(bare)


async def test_without_peers_the_line_is_still_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    async def load(who: peers.Answering, calls: int, *_: object) -> Row:
        asked.append((who.name, calls))
        return replace(ROW, who=who.name, calls=calls, first=replace(waits(0.1), count=calls))

    async def talk(*_: object) -> Talk:
        return Talk("the line", 1, waits(0.5), 0, 200.0, 600.0, 0.1)

    class Line:
        def __init__(self, _calls: int) -> None:
            pass

        async def __aenter__(self) -> peers.Answering:
            return peers.Answering("the line", "127.0.0.1:9", 1)

        async def __aexit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(peers, "load", load)
    monkeypatch.setattr(peers, "line", Line)
    monkeypatch.setattr(peers, "line_talk", talk)
    monkeypatch.setattr(peers, "sentence", lambda *_: None)
    gone = {"SIPp": "install", "pyVoIP": "install", "pipecat": "install"}
    rows = await peers.answering([1, 10], 1.0, gone)
    assert asked == [("the line", 1), ("the line", 10)] and len(rows) == 2
    assert [each.who for each in await peers.talking(tmp_path, [1], 2, gone, both=True)] == ["the line"]


async def test_a_pipecat_that_breaks_is_named_and_the_rest_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def talk(*_: object) -> Talk:
        return Talk("the line", 1, waits(0.5), 0, 200.0, 600.0, 0.1)

    async def broken(*_: object) -> Talk:
        raise RuntimeError("pipecat ended with 1: ImportError")

    monkeypatch.setattr(peers, "line_talk", talk)
    monkeypatch.setattr(peers, "pipecat_talk", broken)
    monkeypatch.setattr(peers, "sentence", lambda *_: None)
    gone: dict[str, str] = {}
    assert len(await peers.talking(tmp_path, [1], 2, gone, both=True)) == 1
    assert gone == {"pipecat": "it failed here: pipecat ended with 1: ImportError"}
