"""How long things are kept, as it is written: by kind, by former names, and what bounds what."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.config import Config, RetentionConfig, load_config
from ivr.config.retention_section import KINDS, age, told
from ivr.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "config.toml"


@pytest.mark.parametrize(
    ("text", "kept", "again"),
    [
        ("400d", timedelta(days=400), "400d"),
        ("12h", timedelta(hours=12), "12h"),
        ("48h", timedelta(days=2), "2d"),
        ("8w", timedelta(weeks=8), "56d"),
        ("3y", timedelta(days=1095), "1095d"),
        (30, timedelta(days=30), "30d"),
        (0, timedelta(0), "0"),
        ("0", timedelta(0), "0"),
    ],
)
def test_an_age(text: object, kept: timedelta, again: str) -> None:
    assert age(text) == kept and told(kept) == again and age(again) == kept


@pytest.mark.parametrize("text", ["", "d", "-3d", "3 days", "3m", "1.5d", True, None, -1, 1.5, "99999y", "\u0663d"])
def test_what_is_no_age(text: object) -> None:
    with pytest.raises(ValueError, match=r"12h|hundred years"):
        age(text)


def test_a_wrong_one_names_its_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[retention]\ncalls = "for long"\ntranscript = "1d"\n')
    with pytest.raises(ConfigError) as failed:
        load_config(path)
    assert "retention.calls: write how long as" in str(failed.value)
    assert "unknown key retention.transcript" in str(failed.value)


def test_nothing_of_a_call_is_kept_longer_than_the_call() -> None:
    short = RetentionConfig(calls=timedelta(days=7))
    for kind in ("transcripts", "recordings", "messages", "desk", "contexts"):
        assert short.age(kind) == timedelta(days=7)
    assert (short.age("resume"), short.age("audit")) == (timedelta(days=1), timedelta(days=1095))
    ever = RetentionConfig(calls=timedelta(0), transcripts=timedelta(0))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert set(KINDS) - set(ever.cuts(now)) == {"calls", "transcripts"}
    assert ever.cuts(now)["recordings"] == now - timedelta(days=90)


def test_former_names_still_count_and_newer_ones_win(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[retention]\ncalls_days = 30\ntranscripts = "10d"\n[recording]\ndays = 5\n')
    kept = load_config(path).retention
    ages = {kind: kept.age(kind).days for kind in ("calls", "desk", "contexts", "transcripts", "recordings", "audit")}
    assert ages == {"calls": 30, "desk": 30, "contexts": 30, "transcripts": 10, "recordings": 5, "audit": 1095}
    path.write_text("[retention]\ncalls_days = 0\n")
    assert not load_config(path).retention.age("transcripts"), "nothing is deleted that was kept before"
    path.write_text('[retention]\nrecordings = "1d"\n[recording]\ndays = 0\n')
    assert load_config(path).retention.age("recordings").days == 1
    path.write_text("[retention]\ncalls_days = -1\n")
    with pytest.raises(ConfigError, match="calls_days"):
        load_config(path)


def test_the_shipped_file_shows_the_defaults() -> None:
    assert load_config(SHIPPED).retention == Config().retention


def test_relative_folders_of_recordings_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    assert load_config(path).recording.folder == tmp_path / "var/recordings"


def test_the_guide_says_how_long_everything_is_kept() -> None:
    table = (SHIPPED.parent / "README.md").read_text("utf-8").partition("## What is kept")[2].partition("```sh")[0]
    said = dict(re.findall(r"^\| `(\w+)` \| .* \| `(\w+)`", table, re.M))
    assert {kind: age(said[kind]) for kind in said} == {kind: getattr(RetentionConfig(), kind) for kind in KINDS}
