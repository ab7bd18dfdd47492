"""One person's data on both databases: found by whose it is, exported, and forgotten, table by table."""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from ivr.cli import export, forget
from ivr.config import Config, RecordingConfig, SpeechConfig, StoreConfig
from ivr.data_subject import DataSubjects
from ivr.errors import ConfigError
from ivr.events import CALLER_ID
from ivr.numbering import NumberingPlan
from ivr.ports import Arrival, AuditSearch
from ivr.ports.line import Announced
from ivr.record import Entry, Happening, Keyed, Prompted, Understood
from ivr.reference import COMPANY
from ivr.store import Store
from ivr.store.person import NOBODYS, STAYS
from ivr.store.spool import Spool
from ivr.store.spool_folder import Write
from ivr.store.tables import calls, metadata
from tests.films import done, films_on
from tests.recordings import KEY, archived, conversation, wav

from .conftest import Time
from .test_retention import rows, traces

ADA, ADA_NUMBER = "10001", "+15035550101"
BO, BO_NUMBER = "10002", "+15035550102"
SECRET = "ada has an aardvark in casablanca"


@dataclass(frozen=True, slots=True)
class Place:
    store: Store
    subjects: DataSubjects
    config: Config
    folder: Path

    async def forget(self, *words: str) -> str:
        told, _ = await forget.run(self.config, self.words(forget, "forget", *words))
        return told

    async def export(self, *words: str) -> str:
        return await export.run(self.config, self.words(export, "export", *words))

    def words(self, module: Any, *words: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        module.add(parser.add_subparsers())
        return parser.parse_args(words)

    async def counts(self) -> Mapping[str, int]:
        return {name: await rows(self.store, name) for name in metadata.tables}


@pytest.fixture
async def place(url: str, store: Store, now: Time, tmp_path: Path) -> AsyncIterator[Place]:
    folder = tmp_path / "recordings"
    (key := tmp_path / "key").write_text(KEY)
    config = Config(
        store=StoreConfig(url=url, spool=str(tmp_path / "spool")),
        recording=RecordingConfig.model_validate({"folder": folder, "key": f"file:{key}"}),
        speech=SpeechConfig(cache=tmp_path / "cache"),
    )
    async with archived(folder, KEY, store=store) as archive:
        yield Place(store, DataSubjects(store, films_on(store), archive, NumberingPlan()), config, folder)


def likely(member: str) -> Mapping[str, object]:
    return {CALLER_ID: member, "caller.identity": "likely", "caller.identity_by": "number known"}


async def lived(place: Place, now: Time, call_id: str, number: str, member: str = "", facts: Any = None) -> None:
    """A call in which everything happened that leaves a trace."""
    store = place.store
    await store.calls.begin(call_id, number, "+15035550199", now(), {})
    said: list[Happening] = [Prompted(f"Hello {call_id}"), Understood(SECRET), Keyed("1")]
    await store.calls.append_all(call_id, [Entry(each, now(), "main.menu") for each in said], 0)
    await store.dialogs.keep(call_id, f"sip-{call_id}", {"said": SECRET})
    await store.handoffs.keep_context(f"t-{call_id}", call_id, {"said": SECRET}, now() + timedelta(days=1))
    person = f"member:{member}" if member else f"tel:{number}"
    arrival = Arrival(person, call_id, "general", 5, said=SECRET, number=number, member=member, name="Ada")
    waited = await store.line.enter(arrival)
    await store.announced.keep([Announced(waited.id, now(), 1, None, "first", None, 0, None, None, None)])
    await store.line.leave(waited.id, "abandoned")
    await store.line.leave_message(arrival, "", SECRET)
    await store.line.ask_call_back(arrival, number)
    await store.callbacks.request(
        number, name="Ada", caller_id=member, skill="general", wanted=SECRET, key=f"{call_id}/x/1", call_id=call_id
    )
    async with archived(place.folder, KEY, store=store) as archive:
        await conversation(archive, call_id, ["priya"], caller_id=member)
        await archive.keep(call_id, wav(), member)
    if member:
        await done(store, "notes.add", member, key=f"{call_id}/y/1", call_id=call_id, text=SECRET, kind="k")
        await done(store, "notes.correct", member, key=f"{call_id}/y/2", call_id=call_id, text="corrected")
        await store.calls.save_resume_point(member, {"state": SECRET}, now(), call_id=call_id)
        await store.verification.begin(member, number)
    await store.calls.update(call_id, facts=dict(facts if facts is not None else likely(member) if member else {}))
    await store.calls.finish(call_id, "resolved", now.pass_(minutes=1), {})


async def test_what_export_shows_is_what_forget_removes_table_by_table(
    place: Place, store: Store, now: Time, tmp_path: Path
) -> None:
    await lived(place, now, "bo-1", BO_NUMBER, BO)
    before = await place.counts()
    for n in range(3):
        await lived(place, now, f"ada-{n}", ADA_NUMBER, ADA)
    assert traces(store.database, tmp_path, "aardvark") or not store.database.sqlite
    await place.export("(503) 555-0101", str(tmp_path / "ada"))
    index = json.loads((tmp_path / "ada/index.json").read_text())
    shown = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "ada/tables").iterdir()}
    assert {name: len(listed) for name, listed in shown.items()} == {
        name: told["rows"] for name, told in index["tables"].items()
    }
    full = await place.counts()
    announced = await place.forget("503.555.0101")
    assert "add --yes" in announced and await place.counts() == full, "only counted"
    assert "stays: 1 members (the membership itself" in announced
    said = await place.forget("503.555.0101", "--yes")
    left = await place.counts()
    gone = {name: full[name] - left[name] for name in full if full[name] > left[name]}
    assert gone == {n: t["rows"] for n, t in index["tables"].items() if t["stays"] == "ivr forget deletes these"}
    assert set(gone) == set(full) - set(NOBODYS) - set(STAYS) - set(COMPANY.kept) | {"notes", "note_changes"}
    assert all(f"{count} {name}" in said for name, count in gone.items())
    grown = {name for name in full if left[name] > before[name]}
    assert grown <= {"audit", "audit_log", "disc_reports"}, "what is left is what was there before her, and the trail"
    assert sum(1 for _ in place.folder.iterdir()) == 2, "Bo's"
    assert "nothing is kept that could be deleted" in await place.forget(ADA_NUMBER)
    bo = await store.calls.get("bo-1")
    assert bo is not None and len(bo["entries"]) == 3


async def test_nothing_of_her_is_left_in_any_file(place: Place, store: Store, now: Time, tmp_path: Path) -> None:
    for n in range(5):
        await lived(place, now, f"ada-{n}", ADA_NUMBER, ADA)
    cache = place.config.speech.cache / "said" / "aa"
    cache.mkdir(parents=True)
    (cache / "tts-1.wav").write_bytes(b"hello ada")
    await place.forget(ADA_NUMBER, "--yes")
    assert list(cache.iterdir()) == [] and list(place.folder.iterdir()) == []
    assert traces(store.database, tmp_path, "aardvark") == []


async def test_the_trail_says_that_and_how_much_but_not_who(place: Place, store: Store, now: Time) -> None:
    await lived(place, now, "c-1", "+15035550777")
    with capture_logs() as logs:
        await place.forget("503-555-0777", "--yes")
    (row,) = (await store.audit_log.find(AuditSearch(what="person.forgotten"))).rows
    assert row.event.actor.startswith("shell") and row.event.after is not None
    assert row.event.after["deleted"]["calls"] == 1
    assert "0777" not in json.dumps([asdict(row), logs], default=str)
    assert [each["event"] for each in logs if each["event"].startswith("person.")] == ["person.forgotten"]


async def test_whose_a_call_is(place: Place, store: Store, now: Time) -> None:
    """By number, however it was written down; by who is known; not by a claim, and nobody else's from her phone."""
    await lived(place, now, "national", "5035550101")
    await lived(place, now, "elsewhere", "+15035550999", ADA)
    await lived(place, now, "claimed", "+15035550888", facts={CALLER_ID: ADA, "caller.identity": "unverified"})
    await lived(place, now, "visitor", ADA_NUMBER, BO, {CALLER_ID: BO, "caller.identity": "verified"})
    await lived(place, now, "withheld", "")
    subject = await place.subjects.find("tel:+1-503-555-0101")
    assert (subject.ids, set(subject.person.calls), subject.person.others) == ((ADA,), {"national", "elsewhere"}, 1)
    await place.forget(ADA_NUMBER, "--yes")
    assert {call["call_id"] for call in await store.calls.recent()} == {"claimed", "visitor", "withheld"}
    by_id = await place.subjects.find("", BO)
    assert by_id.person.calls == ("visitor",)


async def test_a_number_of_several_people_asks_who(place: Place, now: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    await lived(place, now, "c-1", ADA_NUMBER, ADA)
    shared = type(films_on(place.store))

    async def both(self: object, phone: str) -> list[str]:
        return [ADA, BO]

    monkeypatch.setattr(shared, "persons", both)
    with pytest.raises(ConfigError, match=r"several people: 10001, 10002 .*--caller"):
        await place.forget(ADA_NUMBER)
    assert "1 calls" in await place.forget(ADA_NUMBER, "--caller", ADA)


@pytest.mark.parametrize("words", [[], [" "], ["--caller", ""]])
async def test_nobody_is_nobody(place: Place, words: list[str]) -> None:
    with pytest.raises(ConfigError, match="nobody is named"):
        await place.forget(*words)


@pytest.mark.parametrize("number", ["0", "5", "%", "_", "anna", "+15035550100", "'; DROP TABLE calls; --"])
async def test_a_strange_number_is_only_itself(place: Place, store: Store, now: Time, number: str) -> None:
    await lived(place, now, "c-1", ADA_NUMBER, ADA)
    assert "nothing is kept that could be deleted" in await place.forget(number, "--yes")
    with pytest.raises(ConfigError, match="nothing is kept about them"):
        await place.export(number, str(place.folder / "x"))
    assert await rows(store, "calls") == 1


async def test_a_call_in_progress_is_deleted_once_it_is_over(place: Place, store: Store, now: Time) -> None:
    await lived(place, now, "before", ADA_NUMBER, ADA)
    await store.calls.begin("live", ADA_NUMBER, "+15035550199", now(), {})
    await store.calls.append_all("live", [Entry(Understood(SECRET), now())], 0)
    talks = await store.line.enter(Arrival(f"tel:{ADA_NUMBER}", "live", "general", 5, said=SECRET, number=ADA_NUMBER))
    said = await place.forget(ADA_NUMBER, "--yes")
    assert "1 call in progress: deleted within a minute of the end" in said and "1 calls" in said
    live = await store.calls.get("live")
    assert live is not None and len(live["entries"]) == 1
    assert [each.id for each in (await store.line.snapshot()).places] == [talks.id], "nobody loses their place"
    assert await place.subjects.finish() == 0
    await store.calls.append_all("live", [Entry(Understood(SECRET), now())], 1)
    await store.calls.update("live", facts={})
    await store.line.leave(talks.id, "done")
    await store.calls.finish("live", "resolved", now.pass_(minutes=1), {})
    assert await place.forget("--finish") == "deleted 1 call that ended meanwhile"
    assert [await rows(store, name) for name in ("calls", "call_entries", "places", "place_events")] == [0, 0, 0, 0]
    assert await place.subjects.finish(now() - timedelta(hours=1)) == 0


async def test_a_call_in_progress_that_was_somebody_elses_stays(place: Place, store: Store, now: Time) -> None:
    for call_id in ("hers", "visitor"):
        await store.calls.begin(call_id, ADA_NUMBER, "+15035550199", now(), {})
    await place.forget(ADA_NUMBER, "--yes")
    for call_id, member in (("hers", ADA), ("visitor", BO)):
        await done(store, "notes.add", member, key=f"{call_id}/1", call_id=call_id, text=SECRET, kind="k")
        await store.calls.update(call_id, facts=dict(likely(member)))
        await store.calls.finish(call_id, "resolved", now(), {})
    assert await place.subjects.finish() == 1 and await place.subjects.finish() == 0
    assert [call["call_id"] for call in await store.calls.recent()] == ["visitor"]
    films = films_on(store).backend
    assert not await films.notes(ADA) and SECRET in [note.text for note in await films.notes(BO)]


async def test_a_line_finishes_by_itself(place: Place, store: Store, now: Time) -> None:
    await lived(place, now, "c-1", ADA_NUMBER)
    mark = update(calls).values(details={"forget": []})
    await store.database.write(lambda connection: connection.execute(mark))
    slept: list[float] = []

    class Clock:
        def monotonic(self) -> float:
            return 0.0

        def now(self) -> Any:
            return now()

        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await place.subjects.follow(Clock())
    assert slept == [60.0] and await rows(store, "calls") == 0


async def test_what_waits_in_the_spool_goes_too(place: Place, store: Store, now: Time, url: str) -> None:
    line = Store(url, line="me", spool=place.config.store.spool_folder)
    assert line.spool_folder is not None
    row = {"call_id": "waits", "caller": "5035550101", "called": "x"}
    theirs = [
        Write("begin", row),
        Write("append", {"call_id": "waits", "rows": [{"entry": {"text": SECRET}}]}),
        Write("place", {"member": ADA, "snapshot": {"x": SECRET}, "call_id": "other"}),
    ]
    other = Write("append", {"call_id": "bo", "rows": [{"entry": {"text": "hello"}}]})
    dead = Spool(line.spool_folder, "dead", 1_000_000)
    await dead.keep([theirs[0], other, *theirs[1:]])
    shown = await place.forget(ADA_NUMBER)
    assert "3 spool" in shown
    await dead.close()
    assert "deleted 3 spool" in await place.forget(ADA_NUMBER, "--yes")
    (file,) = line.spool_folder.glob("*.jsonl")
    assert file.read_bytes() == other.line() and file.stat().st_mode & 0o777 == 0o600
    await line.close()


async def test_what_a_living_line_holds_is_said_to_be_left(
    place: Place, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.data_subject.DRAIN_S", 0.0)
    line = Store(url, line="me", spool=place.config.store.spool_folder)
    assert line.spool_folder is not None
    living = Spool(line.spool_folder, "living", 1_000_000)
    await living.keep([Write("begin", {"call_id": "waits", "caller": ADA_NUMBER, "called": "x"})])
    told, whole = await forget.run(place.config, place.words(forget, "forget", ADA_NUMBER, "--yes"))
    assert "not deleted: 1 writes in the spool of a running line" in told and not whole
    await living.close()
    await line.close()


async def test_recordings_of_another_machine_are_named(place: Place, store: Store, now: Time, tmp_path: Path) -> None:
    async with archived(tmp_path / "other machine", KEY, store=store) as archive:
        name = await conversation(archive, "c-1", ["priya"], caller_id=ADA)
    told, whole = await forget.run(place.config, place.words(forget, "forget", ADA_NUMBER, "--yes"))
    assert name in told and "where they are" in told and not whole
    assert await store.recordings.find(name) is not None


async def test_an_export_is_readable_and_whole(place: Place, store: Store, now: Time, tmp_path: Path) -> None:
    await lived(place, now, "ada-1", ADA_NUMBER, ADA)
    told = await place.export("--caller", ADA, str(tmp_path / "ada.zip"))
    assert "1 calls" in told
    assert (tmp_path / "ada.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "ada.zip") as packed:
        names = set(packed.namelist())
        text = packed.read("calls/ada-1.txt").decode()
        sounds = [name for name in names if name.endswith(".wav")]
        assert all(packed.read(name)[:4] == b"RIFF" for name in sounds) and len(sounds) == 2
        members = json.loads(packed.read("tables/member_pins.json"))
        queue = json.loads(packed.read("tables/queue_entries.json"))
    assert f"caller: {SECRET}" in text and "caller (key): 1" in text and "line: Hello ada-1" in text
    assert members[0]["hash"] == "(not shown)" and queue[0]["title"]
    noted = [row.event.action for row in (await store.audit_log.find(AuditSearch())).rows]
    assert noted.count("recording.played") == 2, "listening is in the log, here as elsewhere"
    assert noted.count("person.exported") == 1
    for taken in (tmp_path / "ada.zip", place.folder):
        with pytest.raises(ConfigError, match="is there already"):
            await place.export(ADA_NUMBER, str(taken))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "nothing half made is left"


async def test_a_recording_without_its_key_is_named_in_the_export(place: Place, now: Time, tmp_path: Path) -> None:
    await lived(place, now, "ada-1", ADA_NUMBER, ADA)
    keyless = place.config.model_copy(update={"recording": RecordingConfig(folder=place.folder)})
    told = await export.run(keyless, place.words(export, "export", ADA_NUMBER, str(tmp_path / "ada")))
    assert told.count("is not configured") == 2
    assert len(json.loads((tmp_path / "ada/index.json").read_text())["recordings_that_can_not_be_read"]) == 2


async def test_many_calls_are_forgotten_in_parts(place: Place, store: Store, now: Time) -> None:
    for n in range(450):
        await store.calls.begin(f"c-{n}", ADA_NUMBER, "x", now(), {})
        await store.calls.finish(f"c-{n}", "resolved", now(), {})
    assert "450 calls" in await place.forget(ADA_NUMBER, "--yes")
    assert await rows(store, "calls") == 0
