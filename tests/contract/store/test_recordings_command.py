"""`ivr recordings`: what there is, and deleting it for good."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

import pytest

from ivr.cli import recordings
from ivr.cli.options import age
from ivr.config import Config, RecordingConfig, StoreConfig
from ivr.errors import ConfigError, RecordingUnreadable
from ivr.ports import RecordingAbout
from ivr.sealing import Keys
from ivr.store import Store
from tests.recordings import KEY, OTHER_KEY, archived, conversation


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


async def test_keys_rotate(url: str, store: Store, tmp_path: Path) -> None:
    folder, old, new = tmp_path / "kept", tmp_path / "old", tmp_path / "new"
    old.write_text(KEY)
    new.write_text(OTHER_KEY)

    def keyed(**keys: object) -> Config:
        return Config(store=StoreConfig(url=url), recording=RecordingConfig.model_validate({"folder": folder, **keys}))

    async with archived(folder, KEY, store=store) as archive:
        names = [await conversation(archive, f"call-{n}", ["priya"]) for n in range(3)]
    (folder / "torn.ivrrec").write_bytes((folder / f"{names[0]}.ivrrec").read_bytes()[:20])
    both = keyed(key=f"file:{new}", former_keys=[f"file:{old}"])
    assert "3 recordings; a former key" in await recordings.run(both, arguments("keys"))
    with pytest.raises(RecordingUnreadable, match=r"(?s)wrapped by \w+: 3; already: 0\ntorn: .*header was changed"):
        await recordings.run(both, arguments("rewrap"))
    (folder / "torn.ivrrec").unlink()
    assert "already: 3" in await recordings.run(both, arguments("rewrap"))
    told = await recordings.run(both, arguments("keys"))
    assert "3 recordings; the current key" in told and "0 recordings; a former key that may go" in told
    current = Keys.of((OTHER_KEY,)).current
    assert (await recordings.run(keyed(key=f"file:{new}"), arguments("list"))).count(f"sealed by {current}") == 3
    assert "can't be played until it is in former_keys" in await recordings.run(
        keyed(key=f"file:{old}"), arguments("keys")
    )
    with pytest.raises(RecordingUnreadable, match="is not configured"):
        await recordings.run(keyed(key=f"file:{old}"), arguments("rewrap"))
    with pytest.raises(ConfigError, match="no current key"):
        await recordings.run(keyed(), arguments("rewrap"))


async def test_a_clear_file_in_the_place_of_a_sealed_one_is_not_played(store: Store, tmp_path: Path) -> None:
    async with archived(tmp_path, KEY, store=store) as sealed, archived(tmp_path / "x", store=store) as clear:
        name = await conversation(sealed, "call-1", ["priya"])
        forged = await conversation(clear, "call-2", ["priya"])
        (tmp_path / "x" / f"{forged}.ivrrec").replace(tmp_path / f"{name}.ivrrec")
        with pytest.raises(RecordingUnreadable, match="somebody put another in its place"):
            await sealed.open(name, "rosa")


async def test_one_that_goes_on_is_never_purged(store: Store, tmp_path: Path) -> None:
    async with archived(tmp_path, KEY, store=store) as archive:
        kept = await archive.begin(RecordingAbout("call-1", "10001", "priya"))
        assert kept is not None
        assert await archive.purge(store.now() + timedelta(days=1)) == 0
        await kept.close("over", ["priya"])
        assert await archive.purge(store.now() + timedelta(days=1)) == 1


async def test_check_finds_what_can_not_be_heard_any_more(url: str, store: Store, tmp_path: Path) -> None:
    folder, key, other = tmp_path / "kept", tmp_path / "key", tmp_path / "other"
    key.write_text(KEY)
    other.write_text(OTHER_KEY)

    def keyed(file: Path) -> Config:
        recording = RecordingConfig.model_validate({"folder": folder, "key": f"file:{file}"})
        return Config(store=StoreConfig(url=url), recording=recording)

    async with archived(folder, KEY, store=store) as archive:
        whole, gone, flipped, cut, taken, swapped = [
            await conversation(archive, f"call-{n}", ["priya"], seconds=4) for n in range(6)
        ]
    assert await recordings.run(keyed(key), arguments("check")) == "6 recordings whole"
    with pytest.raises(RecordingUnreadable, match=r"0 recordings whole, 6 not:(\n.*its key .* is not configured.*){6}"):
        await recordings.run(keyed(other), arguments("check"))
    path = {name: folder / f"{name}.ivrrec" for name in (gone, flipped, cut, taken, swapped)}
    path[gone].unlink()
    content = bytearray(path[flipped].read_bytes())
    content[-40] ^= 1
    path[flipped].write_bytes(content)
    path[cut].write_bytes(path[cut].read_bytes()[:-18_000])
    path[swapped].write_bytes(path[taken].read_bytes())
    with pytest.raises(RecordingUnreadable) as told:
        await recordings.run(keyed(key), arguments("check"))
    first, *others = str(told.value).splitlines()
    assert first == "2 recordings whole, 4 not:"
    found = {line.split()[0]: line for line in others}
    assert whole not in found and taken not in found
    for name, why in ((gone, "no such"), (flipped, "was changed"), (cut, "missing"), (swapped, "another recording's")):
        assert why in found[name], found[name]
    async with archived(folder, KEY, store=store) as archive:
        with pytest.raises(RecordingUnreadable, match="another recording's"):
            await archive.open(swapped, "rosa")
