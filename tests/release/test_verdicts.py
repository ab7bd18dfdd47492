"""A line that starts again proves only what it has not proved before, and nothing else counts as proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.dialogue.checker.check import Checked, check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.source import read_directory
from ivr.line_facts import line_facts
from ivr.release import verdicts
from ivr.release.verdicts import KEPT, Verdicts
from tests.release.edition import BROKEN, MAIN, Press

FACTS = replace(
    line_facts(None), skills=("general", "retention", "discs"), entries=("main",), recorded=lambda audio, language: True
)
RECORDED = MAIN.replace('"What would you like?"', '{{say: "What would you like?", audio: welcome}}')


@pytest.fixture
def sources(tmp_path: Path) -> Mapping[str, str]:
    return read_directory(Press(tmp_path / "flows").folder)


@pytest.fixture
def proved(monkeypatch: pytest.MonkeyPatch) -> list[LineFacts]:
    """A fact for each time that the checker had to work."""
    found: list[LineFacts] = []

    def check(sources: Mapping[str, str], facts: LineFacts) -> Checked:
        found.append(facts)
        return check_sources(sources, facts)

    monkeypatch.setattr(verdicts, "check_sources", check)
    return found


def test_what_was_proved_is_not_proved_again(
    sources: Mapping[str, str], proved: list[LineFacts], tmp_path: Path
) -> None:
    first = Verdicts(tmp_path / "kept").check(sources, FACTS)
    again = Verdicts(tmp_path / "kept").check({name: sources[name] for name in sorted(sources, reverse=True)}, FACTS)
    assert len(proved) == 1 and first.library is not None and again.library is not None
    assert again.findings == first.findings == check_sources(sources, FACTS).findings
    assert again.library.version == first.library.version


def test_other_files_another_line_and_another_program_are_proved(
    sources: Mapping[str, str], proved: list[LineFacts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Verdicts(tmp_path / "kept")
    kept.check(sources, FACTS)
    kept.check({**sources, "main.yaml": sources["main.yaml"] + "\n"}, FACTS)
    kept.check(sources, replace(FACTS, skills=("general", "retention", "discs", "more")))
    kept.check(sources, replace(FACTS, recorded=None))
    kept.check(sources, FACTS)
    assert len(proved) == 4
    monkeypatch.setattr(verdicts, "_program", lambda: [("check.py", 1, 2)])
    kept.check(sources, FACTS)
    assert len(proved) == 5


def test_a_recording_that_is_gone_is_missed(proved: list[LineFacts], tmp_path: Path) -> None:
    press = Press(tmp_path / "flows")
    press.print(1, RECORDED)
    kept, sources = Verdicts(tmp_path / "kept"), read_directory(press.folder)
    there = kept.check(sources, FACTS)
    assert kept.check(sources, FACTS).findings == there.findings and len(proved) == 1
    gone = kept.check(sources, replace(FACTS, recorded=lambda audio, language: False))
    assert len(proved) == 2 and {each.code for each in gone.findings} - {each.code for each in there.findings} == {
        "no-recording"
    }


def test_files_that_were_refused_are_looked_at_each_time(proved: list[LineFacts], tmp_path: Path) -> None:
    press = Press(tmp_path / "flows")
    press.print(1, BROKEN)
    kept, sources = Verdicts(tmp_path / "kept"), read_directory(press.folder)
    assert kept.check(sources, FACTS).library is None and kept.check(sources, FACTS).library is None
    assert len(proved) == 2 and not (tmp_path / "kept").exists()


def test_half_a_file_is_no_verdict_and_few_are_kept(
    sources: Mapping[str, str], proved: list[LineFacts], tmp_path: Path
) -> None:
    kept = Verdicts(tmp_path / "kept")
    kept.check(sources, FACTS)
    (file,) = (tmp_path / "kept").iterdir()
    file.write_text(file.read_text()[:20])
    assert kept.check(sources, FACTS).library is not None and len(proved) == 2
    for number in range(KEPT + 2):
        kept.check(sources, replace(FACTS, services=(f"service-{number}",)))
    assert len(list((tmp_path / "kept").iterdir())) == KEPT


def test_a_folder_that_takes_nothing_stops_nobody(
    sources: Mapping[str, str], proved: list[LineFacts], tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file")
    with capture_logs() as lines:
        assert Verdicts(tmp_path / "kept").check(sources, FACTS).library is not None
    assert [line["event"] for line in lines] == ["verdict.unkept"]
    assert Verdicts().check(sources, FACTS).library is not None and len(proved) == 2
