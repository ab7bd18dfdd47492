"""What somebody publishes from a draft: folder, store and a restart agree, or say where they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from ivr.dialogue.flows.source import read_directory
from ivr.errors import FlowError
from ivr.release.published import FilesChanged, Published
from ivr.workshop.edits import write
from tests.release.edition import BROKEN, MAIN, Desk, Press

WHY = "the new greeting"


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(tmp_path / "flows")


@pytest.fixture
def desk(press: Press, tmp_path: Path) -> Desk:
    return Desk(press.folder, tmp_path / "ivr.sqlite3")


def main_of(edition: int, text: str = MAIN) -> Mapping[str, str]:
    return {"main.yaml": text.format(edition=edition)}


async def published(press: Press, desk: Desk, changed: Mapping[str, str], *without: str) -> Published:
    folder = read_directory(press.folder)
    files = {name: text for name, text in {**folder, **changed}.items() if name not in without}
    return await desk.flows.publish(files, "dana", WHY, made_of=folder, write=partial(write, press.folder))


def refusing(_: Mapping[str, str | None]) -> None:
    raise OSError(30, "Read-only file system", "flows/main.yaml")


async def test_it_is_live_in_the_store_and_in_the_folder_with_who_and_why(press: Press, desk: Desk) -> None:
    async with desk.running():
        before = desk.serving.live.version
        told = await published(press, desk, main_of(5))
        assert desk.edition == 5
        assert told == Published(desk.serving.live.version)
        assert desk.prompts.rendered == [told.version], "rendered before it served"
        assert (press.folder / "main.yaml").read_text("utf-8") == MAIN.format(edition=5)
        newest = (await desk.releases.history())[0]
        assert (newest.version, newest.previous, newest.by, newest.why) == (told.version, before, "dana", WHY)
        await desk.flows.look()
        await desk.flows.follow()
        assert len(await desk.releases.history()) == 2, "the folder's own change publishes nothing once more"
        press.print(6)
        await desk.until(6)


async def test_a_restart_and_the_next_edit_go_on_from_it(press: Press, desk: Desk, tmp_path: Path) -> None:
    other = "flow: other\nabout: Says so.\nstart: a\nstates:\n  a: {prompt: Here., goto: human}\n"
    (press.folder / "gone.yaml").write_text(other.replace("other", "gone"), encoding="utf-8")
    async with desk.running():
        await published(press, desk, {**main_of(5), "other.yaml": other}, "gone.yaml")
        version = desk.serving.live.version
    again = Desk(press.folder, tmp_path / "ivr.sqlite3")
    async with again.running():
        assert again.serving.live.version == version
        assert {"other", "main"} <= again.serving.live.flows.keys() and "gone" not in again.serving.live.flows


async def test_a_folder_that_cannot_be_written_is_said_and_stays_back(press: Press, desk: Desk, tmp_path: Path) -> None:
    async with desk.running():
        folder = read_directory(press.folder)
        told = await desk.flows.publish({**folder, **main_of(5)}, "dana", WHY, made_of=folder, write=refusing)
        assert told.unwritten == "flows/main.yaml: Read-only file system"
        await desk.flows.look()
        await desk.flows.follow()
        assert desk.edition == 5, "the folder still has edition 0"
    again = Desk(press.folder, tmp_path / "ivr.sqlite3")
    async with again.running():
        assert again.edition == 5, "also after a restart"
        press.print(6)
        await again.until(6)


async def test_what_is_wrong_or_cannot_be_spoken_changes_nothing(press: Press, desk: Desk) -> None:
    async with desk.running():
        with pytest.raises(FlowError, match="nowhere"):
            await published(press, desk, main_of(5, BROKEN))
        desk.prompts.gone = True
        with pytest.raises(Exception, match="no synthesiser"):
            await published(press, desk, main_of(5))
        assert desk.edition == 0
        assert (press.folder / "main.yaml").read_text("utf-8") == MAIN.format(edition=0)
        assert len(await desk.releases.history()) == 1


async def test_a_folder_that_changed_meanwhile_is_not_overwritten(press: Press, desk: Desk) -> None:
    async with desk.running():
        folder = read_directory(press.folder)
        press.print(3)
        with pytest.raises(FilesChanged):
            await desk.flows.publish(
                {**folder, **main_of(5)}, "dana", WHY, made_of=folder, write=partial(write, press.folder)
            )
        assert (press.folder / "main.yaml").read_text("utf-8") == MAIN.format(edition=3)
        await desk.until(3)


async def test_of_two_at_once_one_is_told(press: Press, desk: Desk) -> None:
    async with desk.running():
        told = await asyncio.gather(
            published(press, desk, main_of(5)), published(press, desk, main_of(6)), return_exceptions=True
        )
        (live,) = (each for each in told if isinstance(each, Published))
        assert [type(each) for each in told if each is not live] == [FilesChanged]
        assert desk.serving.live.version == live.version
        assert desk.serving.live.sources == read_directory(press.folder)


async def test_a_canary_of_a_draft_leaves_the_folder_alone(press: Press, desk: Desk, tmp_path: Path) -> None:
    async with desk.running():
        folder = read_directory(press.folder)
        version = await desk.flows.try_out({**folder, **main_of(5)}, "dana", WHY, 100, ())
        assert desk.edition == 0
        assert desk.serving.canary is not None and desk.serving.canary.library.version == version
        assert read_directory(press.folder) == folder
        newest = (await desk.releases.history())[0]
        assert (newest.kind, newest.why) == ("canary", WHY)
    again = Desk(press.folder, tmp_path / "ivr.sqlite3")
    async with again.running():
        assert again.serving.canary is not None
        assert await again.flows.end_canary("dana", "it was worse") == version
        assert again.serving.canary is None
        assert again.edition == 0
