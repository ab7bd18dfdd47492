"""Edits, broken edits, rollbacks, canaries and restarts: real files, the real watcher, a real database."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.errors import FlowError
from ivr.release.serving import BUCKETS, bucket
from tests.release.edition import BROKEN, MAIN, Desk, Press, edition_of


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(tmp_path / "flows")


@pytest.fixture
def desk(press: Press, tmp_path: Path) -> Desk:
    return Desk(press.folder, tmp_path / "ivr.sqlite3")


async def test_an_edit_goes_live_with_its_prompts_and_its_history(press: Press, desk: Desk) -> None:
    async with desk.running():
        first = desk.serving.live.version
        press.print(1)
        await desk.until(1)
        second = desk.serving.live.version
        assert desk.prompts.rendered == [second], "rendered before it served"
        steps = await desk.releases.history()
        assert [(s.version, s.previous, s.kind, s.changed) for s in steps] == [
            (second, first, "publish", ("main",)),
            (first, "", "publish", ("human", "main", "universals")),
        ]
        assert steps[1].by == getpass.getuser()
        assert steps[0].by.startswith("watcher")
        assert [s.version for s in await desk.releases.history("human")] == [first]
        with pytest.raises(FlowError, match="no version has a flow"):
            await desk.releases.history("nonsense")


async def test_a_change_of_what_belongs_to_no_flow_is_in_the_history_too(press: Press, desk: Desk) -> None:
    async with desk.running():
        (press.folder / "company.yaml").write_text("company: Riverside\nfacts: {parcel.place: text}\n")
        await desk.flows.look()
        newest, _ = await desk.releases.history()
        assert newest.changed == ("company",)


async def test_a_broken_edit_never_goes_live_and_a_mended_one_does(press: Press, desk: Desk) -> None:
    async with desk.running():
        with capture_logs() as lines:
            press.print(1, BROKEN)
            await desk.until_that(lambda: desk.serving.rejected is not None)
        assert desk.edition == 0
        errors = [line for line in lines if line["event"] == "flows.rejected"]
        rejected = desk.serving.rejected
        assert rejected is not None
        assert len(errors) == len(rejected.findings) >= 1
        wrong = next(line for line in errors if "nowhere" in line["finding"])
        assert (wrong["file"], wrong["line"], wrong["log_level"]) == ("main.yaml", 12, "error")
        status = desk.flows.status()
        assert (status["rejections"], status["reloads"]) == (1, 0)
        assert status["rejected_findings"] == len(errors)
        press.print(2)
        await desk.until(2)
        assert desk.serving.rejected is None
        assert desk.flows.status()["reloads"] == 1
        assert all(s.kind == "publish" for s in await desk.releases.history())


async def test_what_is_only_doubted_goes_live_and_is_told(press: Press, desk: Desk) -> None:
    with capture_logs() as lines:
        async with desk.running():
            spoken = '{{say: "Hello from edition {edition}.", audio: hello}}'
            press.print(1, MAIN.replace('"Hello from edition {edition}."', spoken))
            await desk.until(1)
    told = [(line["code"], line["log_level"]) for line in lines if line["event"] == "flows.doubted"]
    assert told == [("no-recording", "warning")]


async def test_half_a_file_is_rejected_and_the_rest_of_it_mends_it(press: Press, desk: Desk) -> None:
    async with desk.running():
        whole = MAIN.format(edition=3)
        (press.folder / "main.yaml").write_text(whole[: len(whole) // 2], encoding="utf-8")
        await desk.until_that(lambda: desk.serving.rejected is not None)
        (press.folder / "main.yaml").write_text(whole, encoding="utf-8")
        await desk.until(3)


async def test_a_folder_that_vanishes_leaves_the_line_serving(press: Press, desk: Desk) -> None:
    async with desk.running():
        press.folder.rename(press.folder.with_name("away"))
        await desk.until_that(lambda: desk.serving.rejected is not None)
        assert desk.edition == 0
        press.folder.with_name("away").rename(press.folder)
        press.print(4)
        await desk.until(4)


async def test_rolling_back_and_back_again_is_noticed_by_every_service(
    press: Press, desk: Desk, tmp_path: Path
) -> None:
    other = Desk(press.folder, tmp_path / "ivr.sqlite3", watch=False)
    async with desk.running():
        for edition in (1, 2):
            press.print(edition)
            await desk.until(edition)
        async with other.running():
            assert other.edition == 2
            await desk.flows.roll_back("dana")
            assert desk.edition == 1, "at once where it was asked for"
            await other.until(1)
            newest = (await desk.releases.history())[0]
            assert (newest.kind, newest.by) == ("rollback", "dana")
            oldest = (await desk.releases.history())[-1].version
            await other.releases.roll_back("eli", oldest[:7])
            await desk.until(0)
            with pytest.raises(FlowError):
                await desk.flows.roll_back("dana", "ffff")


async def test_what_was_rolled_back_does_not_return_with_a_restart(press: Press, desk: Desk, tmp_path: Path) -> None:
    async with desk.running():
        press.print(1)
        await desk.until(1)
        await desk.flows.roll_back("dana")
        assert desk.edition == 0
    again = Desk(press.folder, tmp_path / "ivr.sqlite3")
    async with again.running():
        assert again.edition == 0, "the files still hold edition 1"
        press.print(2)
        await again.until(2)


async def test_a_restart_with_broken_files_serves_the_last_good_version(
    press: Press, desk: Desk, tmp_path: Path
) -> None:
    async with desk.running():
        press.print(1)
        await desk.until(1)
    press.print(2, BROKEN)
    again = Desk(press.folder, tmp_path / "ivr.sqlite3")
    with capture_logs() as lines:
        async with again.running():
            assert again.edition == 1
            assert again.serving.rejected is not None
            press.print(3)
            await again.until(3)
    assert "flows.serving_last_good" in {line["event"] for line in lines if line["log_level"] == "error"}


async def test_broken_files_and_an_empty_store_say_everything(press: Press, desk: Desk) -> None:
    press.print(0, BROKEN)
    with pytest.raises(FlowError, match=r"nowhere(.|\n)*ivr flow check"):
        async with desk.running():
            pass


async def test_speech_workers_that_are_gone_hold_an_edit_back_until_they_return(press: Press, desk: Desk) -> None:
    async with desk.running():
        desk.prompts.gone = True
        press.print(1)
        await desk.until_that(lambda: desk.serving.held)
        assert desk.edition == 0
        desk.prompts.gone = False
        await desk.until(1)
        assert not desk.serving.held


async def test_the_canary_takes_exactly_its_callers(press: Press, desk: Desk) -> None:
    async with desk.running():
        press.print(1)
        await desk.until(1)
        trial = desk.serving.live.version
        await desk.flows.roll_back("dana")
        await desk.releases.start_canary(trial[:8], "dana", percent=10, numbers=["+1 503 555 0199"])
        await desk.until_that(lambda: desk.serving.canary is not None)
        callers = [f"503{n:07d}" for n in range(5000)]
        taken = {c for c in callers if edition_of(desk.serving.choose(c, "ivr", "x")) == 1}
        assert taken == {c for c in callers if bucket(trial, c) < BUCKETS // 10}
        assert abs(len(taken) - 500) < 90, "four standard deviations"
        assert all(edition_of(desk.serving.choose(c, "ivr", "another call")) == 1 for c in taken), "always the same"
        assert edition_of(desk.serving.choose("+15035550199", "ivr", "x")) == 1
        assert edition_of(desk.serving.choose("5035550000", "+15035550199", "x")) == 1
        withheld = [edition_of(desk.serving.choose("", "ivr", f"call {n}")) for n in range(2000)]
        assert 100 < sum(withheld) < 300

        await desk.releases.start_canary(trial, "dana", percent=50)
        await desk.until_that(lambda: desk.serving.canary is not None and desk.serving.canary.percent == 50)
        more = {c for c in callers if edition_of(desk.serving.choose(c, "ivr", "x")) == 1}
        assert taken < more, "who has it keeps it when it grows"
        await desk.releases.end_canary("dana")
        await desk.until_that(lambda: desk.serving.canary is None)
        assert all(edition_of(desk.serving.choose(c, "ivr", "x")) == 0 for c in callers)


async def test_a_canary_survives_a_restart_and_does_not_take_over(press: Press, desk: Desk, tmp_path: Path) -> None:
    async with desk.running():
        press.print(1)
        await desk.until(1)
        trial = desk.serving.live.version
        await desk.flows.roll_back("dana")
        await desk.releases.start_canary(trial, "dana", percent=100)
        await desk.until_that(lambda: desk.serving.canary is not None)
    again = Desk(press.folder, tmp_path / "ivr.sqlite3")
    async with again.running():
        assert again.edition == 0
        assert again.serving.canary is not None
        assert again.serving.canary.library.version == trial
        await again.releases.publish(trial, "dana")
        await again.until_that(lambda: again.edition == 1 and again.serving.canary is None)
