"""Figures and report of an evaluation."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivr.errors import ConfigError
from tests.eval.__main__ import consented, main
from tests.eval.figures import Share, aims, caught, cuts, delays, endless, of, right, share, unasked
from tests.eval.measurement import OwnPrompt, Row
from tests.eval.report import Evaluation, markdown, read, write

ROW = Row(
    *("checking", "en-US", "covered", "main.ask", "Move Harvey to the top.", 0),
    *("joe", True, "clean", "clean", "done", "move_to_top"),
    delay_s=0.6,
    attempts=1,
    cpu_s=0.1,
)


def test_a_share_has_wilsons_interval() -> None:
    assert str(Share(0, 0)) == "–"
    low, high = Share(95, 100).interval
    assert 88.5 < low < 89 and 97.5 < high < 98
    assert Share(0, 16).interval[0] == 0 and 19 < Share(0, 16).interval[1] < 20
    assert str(Share(3, 4)) == "75.0 [30–95] (4)"


def test_task_is_done_or_asked_with_the_right_thing_first() -> None:
    rows = [replace(ROW, verdict=v) for v in ("done", "asked", "second", "partly", "asked_wrong", "nothing")]
    assert share(rows) == Share(2, 6)


def test_needless_transfers_are_wrong_without_a_question_but_not_of_who_threatens_to_leave() -> None:
    rows = [
        replace(ROW, verdict="person"),
        replace(ROW, kind="threat", verdict="person"),
        replace(ROW, verdict="wrong"),
    ]
    assert unasked(rows) == Share(2, 2)
    assert caught([rows[1], replace(ROW, kind="threat", verdict="asked"), replace(ROW, verdict="nothing")]) == Share(
        2, 3
    )


def test_what_was_no_request_is_right_when_nothing_is_done_for_it() -> None:
    verdicts = [replace(ROW, verdict=v, meant=m) for v in ("done", "nothing", "wrong") for m in ("nothing", "undo")]
    assert right(verdicts) == Share(3, 6)
    assert right([replace(ROW, verdict="nothing")]) == Share(0, 1)


def test_rows_are_found_by_kind_and_condition_and_typed_ones_are_no_spoken_ones() -> None:
    typed = replace(ROW, group="typed", language="es-ES")
    rows = [ROW, replace(ROW, group="20 dB"), typed]
    assert of(rows) == rows[:2] and of(rows, group="20 dB") == rows[1:2]
    assert of(rows, "strange") == [] and of(rows, group="typed") == [typed]


def test_ends_count_what_was_cut_and_what_never_ended_apart_from_the_delays() -> None:
    rows = [ROW, replace(ROW, cut=True, delay_s=0.4), replace(ROW, never_ended=True, delay_s=10.0)]
    assert cuts(rows) == Share(1, 3) and endless(rows) == Share(1, 3)
    assert delays(rows) == (0.6, 0.6) and delays([rows[2]]) is None


def test_an_aim_is_met_missed_or_not_measured() -> None:
    by_name = {aim.name: aim for aim in aims([ROW, replace(ROW, kind="paraphrase", verdict="nothing")])}
    assert by_name["in grammar, clean"].met is True
    assert by_name["paraphrases, clean"].met is False
    assert by_name["digits, 20 dB"].met is None
    assert by_name["wrong without a question, spoken"].met is True


def test_the_report_is_a_table_a_plot_and_data(tmp_path: Path) -> None:
    wrong = replace(ROW, said="What's next?", verdict="wrong", intent="undo", heard=("undo (undo.)",))
    prompts = [OwnPrompt("What can I do for you?", 0.0, True, ("help (You?)",))]
    evaluation = Evaluation("moonshine", [ROW, wrong], prompts, {"load": "0.5"})
    text = markdown(evaluation)
    assert "| in grammar, clean ≥ 95 % | 50.0" in text and "**missed**" in text
    assert '"What\'s next?" taken for undo (wrong) undo (undo.)' in text
    assert "| +0 dB | 100.0" in text
    table, data, plot = write(evaluation, tmp_path)
    assert table.read_text("utf-8") == text
    told = json.loads(data.read_text("utf-8"))
    assert told["rows"][1]["said"] == "What's next?" and told["about"] == {"load": "0.5"}
    assert any(aim["name"] == "in grammar, clean" and aim["met"] is False for aim in told["aims"])
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_the_command_measures_what_is_typed_without_any_voice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--only", "typed", "--quick", "--out", str(tmp_path)]) == 0
    assert "| paraphrases, typed" in capsys.readouterr().out
    told = json.loads((tmp_path / "typed.json").read_text("utf-8"))
    assert {row["group"] for row in told["rows"]} == {"typed"} and told["recogniser"] == "typed"
    again = tmp_path / "again"
    assert main(["--only", "typed", "--quick", "--out", str(again)]) == 0
    assert json.loads((again / "typed.json").read_text("utf-8"))["rows"] == told["rows"]


def test_earlier_runs_are_read_as_one_and_held_against(tmp_path: Path) -> None:
    other = replace(ROW, said="What's next?", group="20 dB", condition="pink 20 dB", verdict="nothing")
    first, second = (write(Evaluation("moonshine", [row]), tmp_path / row.group)[1] for row in (ROW, other))
    before = read([first, second])
    assert list(before.rows) == [ROW, other] and before.recogniser == "moonshine"
    now = Evaluation(
        "moonshine", [replace(ROW, verdict="nothing"), replace(other, verdict="asked")], before=before.rows
    )
    text = markdown(now)
    assert "| in grammar, clean ≥ 95 % | 0.0" in text and "| 100.0 [21–100] (1) | **missed** |" in text
    assert "Of 2 that were said before, 1 are right now and were not, 1 the other way:" in text
    assert "'Move Harvey to the top.' was done, is nothing" in text
    with pytest.raises(ConfigError, match="no data"):
        read([tmp_path / "gone.json"])


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "2 % loss" in capsys.readouterr().out


def test_a_recogniser_that_is_not_there_and_calls_without_a_database_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--recogniser", "nobody", "--models", str(tmp_path)]) == 1
    assert "no recogniser nobody" in capsys.readouterr().err
    config = tmp_path / "config.toml"
    config.write_text(f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/none.sqlite3"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="no database"):
        asyncio.run(consented(config))
