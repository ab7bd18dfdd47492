"""Calls made into scripts: simulated ones, ones as the phone keeps them, and what must not get into a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ivr.errors import ConfigError, FlowError
from ivr.store import Store
from ivr.workshop.scripts.from_call import Recording, append, load, past_call, record
from ivr.workshop.scripts.model import parse_script, read_script, script_files
from ivr.workshop.scripts.runner import Runner, perform
from ivr.workshop.simulate.commands import obey
from ivr.workshop.simulate.driver import USUAL
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation
from ivr.workshop.simulate.timeline import INSIDE, keep, timeline
from tests.flows.reference import FLOWS, library
from tests.unit.workshop.conftest import MORNING

FILES = [read_script(path) for path in script_files([FLOWS])]


async def simulated(sandbox: Sandbox, *typed: str, caller: str = "5035550101") -> dict[str, Any]:
    await sandbox.reset(MORNING)
    call = Simulation(library(), sandbox, MORNING, replace(USUAL, caller=caller))
    await call.begin()
    for line in typed:
        await obey(call, line)
    kept = json.loads(json.dumps(timeline(call), default=str))
    assert isinstance(kept, dict)
    return kept


def as_by_phone(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What the phone's journal would hold of the call: nothing that only a simulation knows."""
    return {**kept, "entries": [e for e in kept["entries"] if e["kind"] not in INSIDE]}


async def replayed(recording: Recording, sandbox: Sandbox) -> None:
    """The file as written, read and run from the beginning."""
    file = parse_script(Path("again.test.yaml"), recording.text)
    report = await Runner(library(), sandbox).run([file])
    assert report.passed and report.results, recording.text


async def test_every_reference_script_survives_being_simulated_recorded_and_replayed(sandbox: Sandbox) -> None:
    runner = Runner(library(), sandbox)
    count = 0
    for file in FILES:
        assert file.suite is not None
        for call in file.suite.calls:
            simulation = await runner.begin(file.suite, call)
            await simulation.begin()
            for step in call.steps:
                await perform(simulation, step)
            kept = json.loads(json.dumps(timeline(simulation), default=str))
            recording = await record(kept, library(), sandbox)
            told = any("secret" in remark for remark in recording.remarks)
            assert told == ("•" in recording.text), (call.name, recording.remarks)
            assert recording.faithful or told, (call.name, recording.remarks)
            count += 1
            again = any(step.call or step.line for step in call.steps)
            if not again:  # on the phone a second call is another call, and the line moves when it likes
                by_phone = await record(as_by_phone(kept), library(), sandbox)
                secret = any("secret" in remark for remark in by_phone.remarks)
                assert secret == told, (call.name, by_phone.remarks)
                assert by_phone.faithful or secret, (call.name, by_phone.remarks)
    assert count > 100


@pytest.mark.parametrize(
    ("said", "offered"),
    [
        (
            ("hold my deliveries", "I'm leaving on July fourth and coming back on the tenth"),
            "Did you mean Tuesday, March tenth, or talking to somebody about your membership?",
        ),
        (("move Vertigo", "one place up"), "Did you mean to the top, or talking to somebody?"),
    ],
)
async def test_a_choice_that_a_person_was_part_of_is_recorded_and_told_to_differ(
    said: Sequence[str], offered: str, sandbox: Sandbox
) -> None:
    """What was meant is offered by its day and a person as one, not by all that was said. A file has no way to say that
    a person was meant beside: nobody takes it for the call."""
    recording = await record(await simulated(sandbox, *said), library(), sandbox)
    assert offered in recording.text
    assert not recording.faithful and any("the replay differs" in remark for remark in recording.remarks)


async def test_a_past_call_comes_back_from_the_store(sandbox: Sandbox, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'calls.sqlite3'}"
    store = Store(url)
    await store.upgrade()
    kept = await simulated(sandbox, "remove Vertigo", "1", "/silence", "/fail action queue.read", "read my queue")
    await keep(kept, store.calls)
    await store.close()
    recording = await record(await past_call(kept["call_id"], url), library(), sandbox, name="from the store")
    assert recording.remarks == ()
    assert "- name: from the store" in recording.text
    assert "- say: remove Vertigo" in recording.text
    assert "- key: '1'" in recording.text
    assert "- silence: true" in recording.text
    assert "- answer: {action: queue.read, outcome: failed}\n      - say: read my queue" in recording.text
    assert "outcome: connected" in recording.text
    await replayed(recording, sandbox)
    with pytest.raises(ConfigError, match="no call nosuch"):
        await past_call("nosuch", url)


async def test_what_a_recogniser_heard_is_written_so_that_it_means_the_same(sandbox: Sandbox) -> None:
    kept = as_by_phone(await simulated(sandbox, "put Casablanca first"))
    heard = next(e for e in kept["entries"] if e["kind"] == "heard")
    heard["text"] = "put castle blank a first"
    recording = await record(kept, library(), sandbox)
    assert recording.faithful
    assert "- say: put casablanca first  # heard: put castle blank a first" in recording.text


async def test_doubt_is_recorded_as_doubt(sandbox: Sandbox) -> None:
    kept = as_by_phone(await simulated(sandbox, "/doubt put Casablanca first", "yes"))
    recording = await record(kept, library(), sandbox)
    assert recording.faithful, recording.remarks
    assert "doubt: true" in recording.text


async def test_secrets_leave_a_hole_that_is_pointed_at(sandbox: Sandbox) -> None:
    kept = as_by_phone(await simulated(sandbox, "what's next"))
    heard = next(e for e in kept["entries"] if e["kind"] == "heard")
    heard.update(text="•••", intent="", slots={})
    recording = await record(kept, library(), sandbox)
    assert not recording.faithful
    assert any("something secret was said" in remark for remark in recording.remarks)
    assert [f.why for f in recording.replay.findings] == [
        "say: this was secret when the call was recorded; write what the test should say"
    ]


async def test_somebodys_number_does_not_get_into_a_file(sandbox: Sandbox) -> None:
    kept = as_by_phone(await simulated(sandbox, "/fail agent", "0", "1", "2", "5035550177#"))
    kept["caller"] = "2025318876"
    for entry, digit in zip([e for e in kept["entries"] if e["kind"] == "key"][3:], "2025318876", strict=False):
        entry["key"] = digit
    recording = await record(kept, library(), sandbox)
    assert "2025318876" not in recording.text
    assert "2025550177" in recording.text
    assert any("caller's number is somebody's" in remark for remark in recording.remarks)


async def test_hours_that_change_during_a_call_are_kept(sandbox: Sandbox) -> None:
    kept = as_by_phone(await simulated(sandbox, "/time 03:00", "0"))
    recording = await record(kept, library(), sandbox)
    assert "- time: '03:00'" in recording.text
    assert recording.faithful


async def test_a_call_of_other_flows_is_refused(sandbox: Sandbox) -> None:
    kept = await simulated(sandbox)
    for entry in kept["entries"]:
        entry.pop("to_state", None)
    with pytest.raises(FlowError, match="began in pizza"):
        await record({**kept, "flow": "pizza"}, library(), sandbox)


async def test_recordings_are_added_to_what_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "main.test.yaml"
    first = await record(await simulated(sandbox, "what's next"), library(), sandbox, name="one")
    second = await record(await simulated(sandbox, "remove Vertigo", "no"), library(), sandbox, name="two")
    append(path, first)
    append(path, second)
    report = await Runner(library(), sandbox).run([read_script(path)])
    assert [(r.name, r.passed) for r in report.results] == [("one", True), ("two", True)]
    before = path.read_text()
    with pytest.raises(ConfigError, match="another call named"):
        append(path, second)
    assert path.read_text() == before


def test_only_saved_calls_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "call.json"
    for text in ("", "[]", '{"entries": 1}', "\x00"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="--save"):
            load(path)
