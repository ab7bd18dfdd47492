"""Call detail records: what stands in them, when they are written, and what a full disk costs."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivr.errors import ConfigError
from ivr.ports import Accepted, Began, Joined, LegStats, Moment, Over, Parted, RefusedCall
from ivr.telemetry.call_detail import COLUMNS, CallDetailFile, CallDetails
from tests.unit.telemetry.observed import CANONICAL, START, story, tell


def details() -> tuple[CallDetails, Callable[[], list[dict[str, Any]]]]:
    lines: list[str] = []
    return CallDetails("line-1", lines.append), lambda: [json.loads(line) for line in lines]


def test_a_call_is_one_record_with_every_column_at_its_end() -> None:
    observer, records = details()
    tell(observer, story(diverted_by="5035550111", transport="tls")[:-1])
    assert records() == []
    tell(observer, story()[-1:])
    (record,) = records()
    assert tuple(record) == COLUMNS
    assert record == {
        "v": 1, "call_id": "c1", "sip_call_id": "a@pbx", "node": "line-1", "trunk": "pbx", "direction": "inbound",
        "caller": "+15035550142", "called": "+15035550100", "diverted_by": "5035550111",
        "started": "2026-03-01T12:00:00.000Z", "answered": "2026-03-01T12:00:00.100Z",
        "ended": "2026-03-01T12:00:49.100Z", "seconds": 49.1, "billable_s": 49, "final": True,
        "outcome": "handed over", "ended_by": "agent", "end_reason": "hung up", "sip_status": 200, "entry": "main",
        "flow_version": "v1", "language": "en-US", "agent": "rosa", "agent_sip_call_id": "b@line", "wait_s": 10.0,
        "talk_s": 30.0, "handoff_reason": "asked", "transferred_to": "", "codec": "PCMU", "srtp": "", "tls": True,
        "lost": 20, "jitter_ms": 4.0, "mos": 3.3, "recording": False, "consent": "yes",
    } | {"mos": record["mos"]}  # fmt: skip
    assert 2.0 < record["mos"] < 4.4


@pytest.mark.parametrize("set_by", [-3600.0, 3600.0])
def test_a_clock_that_is_set_in_mid_call_bills_nobody_an_hour(set_by: float) -> None:
    observer, records = details()
    tell(observer, story()[:-1])
    tell(observer, [(49.1 + set_by, Over("handed over", "agent", 200, {**CANONICAL, "seconds": 49.1}, LegStats()))])
    (record,) = records()
    assert (record["seconds"], record["billable_s"]) == (49.1, 49)


def test_a_conversation_after_which_the_call_went_on_has_a_record_of_its_own_that_bills_nothing() -> None:
    observer, records = details()
    again: list[tuple[float, Moment]] = [
        (49.0, Parted("rosa", "line", "agent", 30.0, recorded=True)),
        (60.0, Joined("agnes", "general", "c@line")),
        (70.0, Parted("outside", "over", "caller", 10.0)),
        (70.0, Over("handed over", "caller", 200, {**CANONICAL, "seconds": 70.0}, LegStats())),
    ]
    tell(observer, [*story()[:-2], *again])
    first, last = records()
    assert (first["agent"], first["outcome"], first["final"], first["billable_s"]) == ("rosa", "passed on", False, 0)
    assert (first["seconds"], first["talk_s"], first["recording"]) == (30.0, 30.0, True)
    assert (last["agent"], last["transferred_to"], last["talk_s"], last["final"]) == ("agnes", "outside", 40.0, True)
    assert (last["billable_s"], last["agent_sip_call_id"]) == (70, "c@line")


def test_a_trunks_refused_call_has_a_record_and_one_that_nobody_answered_is_billed_nothing() -> None:
    observer, records = details()
    observer.refused(START, RefusedCall("z@pbx", "+1503", "line", "pbx", 486, "busy"))
    tell(observer, story()[:1])
    tell(observer, [(2.0, Over("abandoned", "caller", 487, {}, LegStats()))])
    refused, given_up = records()
    assert (refused["outcome"], refused["end_reason"], refused["sip_status"]) == ("refused", "busy", 486)
    assert (refused["caller"], refused["sip_call_id"], refused["answered"]) == ("+1503", "z@pbx", None)
    assert tuple(refused) == COLUMNS
    assert (given_up["sip_status"], given_up["billable_s"], given_up["mos"]) == (487, 0, None)


def until(happened: Callable[[], bool]) -> None:
    for _ in range(500):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_the_file_is_its_owners_and_goes_on_under_its_name_once_it_was_renamed(tmp_path: Path) -> None:
    path, old = tmp_path / "cdr" / "calls.jsonl", tmp_path / "cdr" / "calls.1"
    file = CallDetailFile()
    file.apply(str(path))
    file.write("first\n")
    until(lambda: path.read_text() == "first\n")
    assert not stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO
    path.rename(old)
    file.reopen()
    file.write("second\n")
    until(lambda: path.exists() and path.read_text() == "second\n")
    assert old.read_text() == "first\n"
    file.apply("")
    assert file.status is None
    file.write("nowhere\n")
    file.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")  # noqa: PTH110
def test_a_full_disk_costs_records_which_are_counted_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.telemetry.call_detail.SPILL_BYTES", 64 << 10)
    file = CallDetailFile()
    file.apply("/dev/full")
    line = json.dumps(dict.fromkeys(COLUMNS, "x" * 20)) + "\n"
    began = time.perf_counter()
    for _ in range(1000):
        file.write(line)
    assert time.perf_counter() - began < 0.5, "500 µs a record would be waiting"
    until(lambda: file.status is not None and file.status.lost > 800 and "full" in file.status.trouble)
    file.close()


def test_a_file_that_cannot_be_is_the_operators_to_mend(tmp_path: Path) -> None:
    file = CallDetailFile()
    for doing in (file.check, file.apply):
        with pytest.raises(ConfigError, match=r"\[cdr\] path"):
            doing(str(tmp_path))
    file.check("")
    file.check(str(tmp_path / "calls.jsonl"))


def test_a_call_back_has_the_id_of_the_leg_that_answered() -> None:
    observer, records = details()
    began = Began("", "line", "+15035550142", "pbx", "outbound")
    told: list[tuple[float, Moment]] = [(0.0, began), (4.0, Accepted("m@line"))]
    tell(observer, [*told, (9.0, Over("handed over", "caller", 200, {}, LegStats()))])
    (record,) = records()
    assert (record["sip_call_id"], record["direction"], record["billable_s"]) == ("m@line", "outbound", 5)
