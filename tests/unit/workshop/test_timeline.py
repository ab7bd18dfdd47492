"""Timelines of turns: read from a log of real lines, told as a table, drawn."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ivr.__main__ import main
from ivr.cli.speech.timeline import moment
from ivr.workshop.timeline.drawing import svg
from ivr.workshop.timeline.turns import STEPS, quantile, table, turns

SVG = "{http://www.w3.org/2000/svg}"
LINE: Mapping[str, Any] = {
    "event": "turn.answered",
    "at": "2026-03-01T15:30:00.000000Z",
    "level": "info",
    "call_id": "c0ffee",
    "state": "main.ask",
    **{"voice_s": 0.12, "hangover_s": 0.5, "recognition_s": 0.04, "understanding_s": 0.01, "action_s": 0.004},
    **{"rendering_s": 0.03, "media_s": 0.02, "other_s": 0.006, "answer_s": 0.73, "recogniser_s": 0.09},
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two calls; the second one's answer was late, and a word came before it."""
    late = {**LINE, "call_id": "beef", "at": "2026-03-01T16:30:00Z", "recognition_s": 1.54, "answer_s": 2.23}
    lines = [{"event": "call.start", "call_id": "c0ffee"}, LINE, {**late, "filler_s": 1.1}, {"event": "call.end"}]
    path = tmp_path / "ivr.log"
    broken = json.dumps({**LINE, "answer_s": "soon"})
    path.write_text("\n".join([*map(json.dumps, lines), broken, "not JSON", "[]"]) + "\n", encoding="utf-8")
    return path


def test_turns_are_read_with_their_steps_and_what_is_none_is_passed_over(log: Path) -> None:
    found = list(turns(json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")))
    first, second = found
    assert sum(first.steps) == pytest.approx(first.answer_s) and len(first.steps) == len(STEPS)
    assert (first.state, first.filler_s, first.first_sound_s) == ("main.ask", None, 0.73)
    assert (second.filler_s, second.first_sound_s) == (1.1, 1.1)
    since = datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert next(turns([LINE, {**LINE, "at": "2026-03-01T16:30:00Z"}], since)).at > since


def test_the_table_has_the_quantiles_of_each_step_in_milliseconds() -> None:
    found = list(
        turns({**LINE, "recognition_s": number / 100, "answer_s": 0.69 + number / 100} for number in range(20))
    )
    lines = {line[:34].strip(): line[34:].split() for line in table(found).splitlines()}
    assert lines["recognition"] == ["100", "190", "190"]
    assert lines["last sound to answer"] == ["790", "880", "880"]
    assert quantile([], 0.5) == 0.0


def test_the_drawing_has_a_bar_a_turn_in_which_the_steps_follow_each_other() -> None:
    found = list(turns([LINE, {**LINE, "filler_s": 0.7}]))
    root = ElementTree.fromstring(svg(found, "a <title> & more"))
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("height") == "16"]
    rows = sorted({float(str(rect.get("y"))) for rect in bars})
    assert len(rows) == 4  # p50, p95, two turns
    for y in rows:
        row = [(float(str(r.get("x"))), float(str(r.get("width")))) for r in bars if float(str(r.get("y"))) == y]
        assert len(row) == len(STEPS)
        assert all(abs(x + width - after) <= 0.11 for (x, width), (after, _) in pairwise(row))
    marks = [path.find(f"{SVG}title") for path in root.iter(f"{SVG}path")]
    assert [mark.text for mark in marks if mark is not None] == ["one moment"] and len(marks) == 2, "and in the legend"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "a <title> & more: 2 turns" in texts and "ms since the last sound" in texts and "730" in texts
    assert "p95 of all answers: 730" in texts, "the steps' own quantiles do not add up to it"


def test_nothing_that_stands_beside_a_bar_is_cut_off() -> None:
    """The steps' own 95 % may add up to the longest bar, and have the longest words."""
    slow = ({"recognition_s": 9.1, "answer_s": 9.8}, {"action_s": 8.9, "answer_s": 9.6})
    found = list(turns({**LINE, **each, "state": "appointment.which_day_would_suit_you_best"} for each in slow))
    root = ElementTree.fromstring(svg(found, "a day"))
    width = float(str(root.get("viewBox")).split()[2])
    for text in root.iter(f"{SVG}text"):
        x, long = float(str(text.get("x"))), 7.2 * len(str(text.text)) * float(text.get("font-size", "12")) / 12
        left = x - long * {"end": 1.0, "middle": 0.5}.get(str(text.get("text-anchor")), 0.0)
        assert left >= 0 and left + long <= width, text.text


def test_of_many_turns_the_last_are_drawn_and_the_quantiles_are_of_all() -> None:
    found = list(turns({**LINE, "answer_s": 0.7 + number / 1000} for number in range(300)))
    root = ElementTree.fromstring(svg(found, "a day", 20))
    texts = [str(text.text) for text in root.iter(f"{SVG}text")]
    assert "a day: the last 20 of 300 turns" in texts and "p50 of all answers: 850" in texts
    assert len([text for text in texts if text.startswith("15:30:00")]) == 20


@pytest.mark.parametrize(
    "odd",
    [
        *({"answer_s": float(value)} for value in ("nan", "inf", "-0.1", "1e300")),
        *({"voice_s": float(value)} for value in ("nan", "-0.4", "1e300")),
        *({"at": value} for value in ("", "5", "noon")),
        {"answer_s": []},
        {"answer_s": "soon"},
        {"answer_s": 10**400},
        {"voice_s": None},
        {"at": None},
        {"filler_s": "x"},
        {"recogniser_s": float("inf")},
    ],
    ids=str,
)
def test_what_no_turn_can_be_is_passed_over(odd: Mapping[str, Any]) -> None:
    assert len(list(turns([{**LINE, **odd}, LINE]))) == 1


@pytest.mark.parametrize(
    "odd", [{"state": None, "call_id": None}, {"state": '<&"\x00\x1b]', "call_id": "\u202ex"}, {"state": "s" * 500}]
)
def test_whatever_a_log_says_the_drawing_is_one(odd: Mapping[str, Any]) -> None:
    root = ElementTree.fromstring(svg(list(turns([{**LINE, **odd}])), "a day"))
    assert max(len(str(text.text)) for text in root.iter(f"{SVG}text") if text.get("text-anchor") == "end") <= 50


def test_times_without_a_zone_are_utc_and_others_are_told_in_it(log: Path) -> None:
    at = [
        turn.at.isoformat() for turn in turns([{**LINE, "at": "2026-03-01T15:30:00"}], datetime(2026, 3, 1, tzinfo=UTC))
    ]
    assert at == ["2026-03-01T15:30:00+00:00"]
    (turn,) = turns([{**LINE, "at": "2026-03-01T16:30:00+01:00"}])
    assert f"{turn.at:%H:%M}" == "15:30"


def test_rotated_gzipped_and_damaged_logs_are_read_in_the_order_of_their_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lines(minute: int) -> bytes:
        """A call that goes on from one log into the next."""
        return b"".join(
            json.dumps({**LINE, "at": f"2026-03-01T15:{minute:02}:{second:02}Z"}).encode() + b"\n"
            for second in range(60)
        )

    (tmp_path / "ivr.log").write_bytes(lines(2) + os.urandom(500) + b"\n" + b"\xff\xfe{\n")
    (tmp_path / "ivr.log.1").write_bytes(lines(1))
    packed = gzip.compress(lines(0))
    (tmp_path / "ivr.log.2.gz").write_bytes(packed[: len(packed) // 2])
    names = [str(tmp_path / name) for name in ("ivr.log", "ivr.log.1", "ivr.log.2.gz")]
    assert main(["speech", "timeline", *names, "--call", "c0ff", "--svg", str(tmp_path / "x.svg"), "--last", "1"]) == 0
    told = capsys.readouterr()
    count = int(told.out.split(" turns of 1 call")[0].split()[-1])
    assert 120 <= count < 180 and "ivr.log.2.gz is damaged" in told.err
    assert "15:02:59 c0ffee" in (tmp_path / "x.svg").read_text("utf-8")
    (tmp_path / "whole.gz").write_bytes(packed)
    assert main(["speech", "timeline", str(tmp_path / "whole.gz")]) == 0
    assert "60 turns of 1 call" in capsys.readouterr().out


def test_calls_by_keys_alone_have_no_turns_and_it_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(("", json.dumps({"event": "call.end", "call_id": "c0ffee"}) + "\n")):
        (path := tmp_path / f"{number}.log").write_text(text)
        assert main(["speech", "timeline", str(path)]) == 1
        assert "answers to keys are no turns" in capsys.readouterr().err


def test_the_command_prints_and_draws(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = tmp_path / "turns.svg"
    assert main(["speech", "timeline", str(log), str(log), "--svg", str(drawn)]) == 0
    told = capsys.readouterr().out
    assert "4 turns of 2 calls; 2 heard" in told and "hang-over" in told
    assert ElementTree.parse(drawn).getroot().tag == f"{SVG}svg"


def test_one_call_or_a_while_is_chosen_and_none_found_is_said(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["speech", "timeline", str(log), "--call", "beef"]) == 0
    assert "1 turn of 1 call;" in capsys.readouterr().out
    assert main(["speech", "timeline", str(log), "--since", "2026-03-01T16:00"]) == 0
    assert "1 turn of 1 call;" in capsys.readouterr().out
    assert main(["speech", "timeline", str(log), "--since", "1m"]) == 1
    assert "no turn.answered" in capsys.readouterr().err
    assert main(["speech", "timeline", str(log), "--call", "abcdef"]) == 1
    assert "matches 'abcdef'" in capsys.readouterr().err
    assert main(["speech", "timeline", str(log.with_name("gone.log"))]) == 2
    assert "no log there" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(log.read_text()))
    assert main(["speech", "timeline", "-"]) == 0


def test_a_moment_is_a_time_or_how_long_ago() -> None:
    assert moment("2026-03-01T15:30") == datetime(2026, 3, 1, 15, 30, tzinfo=UTC)
    assert abs(datetime.now(UTC) - timedelta(hours=2) - moment("2h")) < timedelta(seconds=5)
    with pytest.raises(Exception, match="is no time"):
        moment("soon")
