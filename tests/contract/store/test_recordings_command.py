"""`ivr recordings`: what there is, and deleting it for good."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from ivr.cli import recordings
from ivr.cli.options import age
from ivr.config import Config, RecordingConfig, StoreConfig
from ivr.errors import ConfigError
from ivr.store import Store
from tests.recordings import archived, conversation


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    recordings.add(parser.add_subparsers())
    return parser.parse_args(["recordings", *words])


async def test_listed_deleted_by_caller_and_purged(url: str, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    config = Config(store=StoreConfig(url=url), recording=RecordingConfig(folder=folder))
    async with archived(folder, store=store) as archive:
        mine = await conversation(archive, "call-1", ["priya"], caller_id="10004")
        other = await conversation(archive, "call-2", ["tom"], caller_id="10005")
    listed = await recordings.run(config, arguments("list"))
    assert mine in listed and other in listed and "not sealed" in listed
    assert await recordings.run(config, arguments("delete", "--caller", "10004")) == "deleted 1 recording"
    assert [path.stem for path in folder.iterdir()] == [other]
    with pytest.raises(ConfigError, match="no recording"):
        await recordings.run(config, arguments("delete", mine))
    assert await recordings.run(config, arguments("purge", "--older-than", "0d")) == "deleted 1 recording"
    assert list(folder.iterdir()) == []
    assert await recordings.run(config, arguments("list")) == "there are no recordings"


def test_an_age_is_days() -> None:
    assert age("90d").days == 90
