"""What the doctor says of a machine's capacity: descriptors, ports, cores, priority, disks, clock."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ivr.cli.capacity_findings import capacity_findings
from ivr.cli.finding import Finding
from ivr.config import Config


def found(subject: str, **sections: Any) -> Finding:
    config = Config.model_validate(sections)
    return next(each for each in capacity_findings(config) if each.subject.startswith(subject))


def test_descriptors_are_held_against_max_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    assert found("file descriptors", sip={"max_calls": 240}).state == "ok"
    short = found("file descriptors", sip={"max_calls": 300})
    assert short.state == "bad" and "LimitNOFILE=1264" in short.remedy


def test_cores_say_whom_they_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    assert found("cores", sip={"max_calls": 100}).detail == "4 may be used; 4 recognise, for 240 callers who talk"
    more = found("cores", sip={"max_calls": 300}, media={"ports": "16000-18999"})
    assert more.state == "note" and "of 300 in sip.max_calls, new calls get 503" in more.detail


@pytest.mark.parametrize(
    ("calls", "media", "state", "said"),
    [
        (100, {}, "ok", "1 process of 200 legs: enough for 100 callers, agents included"),
        (300, {}, "ok", "3 processes of 200 legs: enough for 300 callers"),
        (500, {}, "bad", "4 processes of 200 legs: enough for 400 callers only, of 500 in sip.max_calls"),
        (300, {"processes": 6}, "note", "6 processes of 200 legs: enough for 600 callers, on 4 cores"),
        (300, {"processes": 1, "legs_per_process": 600}, "note", "1.14 of a core in one thread"),
    ],
)
def test_media_processes_are_counted(
    calls: int, media: dict[str, Any], state: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    told = found("media", sip={"max_calls": calls}, media={"ports": "16000-18999", **media})
    assert told.state == state and said in told.detail


@pytest.mark.parametrize("allowed", [True, False])
def test_real_time_priority_is_tried_and_given_back(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []

    def scheduler(pid: int, policy: int, param: object) -> None:
        if not allowed:
            raise PermissionError
        set_to.append(policy)

    monkeypatch.setattr(os, "sched_setscheduler", scheduler)
    said = found("real-time")
    assert said.state == ("ok" if allowed else "note") and ("LimitRTPRIO" in said.remedy) is not allowed
    assert set_to == ([os.SCHED_RR, os.SCHED_OTHER] if allowed else [])


@pytest.mark.parametrize(("free", "state"), [(100 << 20, "bad"), (1 << 30, "note"), (9 << 30, "ok")])
def test_a_disk_is_told_of_once(free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    places = {"logs": {"path": f"{tmp_path}/log/ivr.log"}, "recording": {"folder": f"{tmp_path}/recordings"}}
    places["cdr"] = {"path": f"{tmp_path}/cdr.jsonl"}
    config = Config.model_validate(
        {**places, "store": {"spool": f"{tmp_path}/s"}, "speech": {"cache": f"{tmp_path}/cache"}}
    )
    (disk,) = [each for each in capacity_findings(config) if each.subject.startswith("disk")]
    assert (disk.state, disk.subject) == (state, f"disk of {tmp_path}")
    assert disk.detail.endswith("GB free for log, spool, recordings, call detail records, prompts")
    assert ("[retention]" in disk.remedy) is (state != "ok")


@pytest.mark.parametrize(
    ("answer", "state", "says"), [(0, "ok", "kept"), (5, "note", "nothing keeps it"), (-1, "note", "can't be told")]
)
def test_the_kernel_is_asked_who_keeps_the_clock(
    answer: int, state: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = SimpleNamespace(ntp_adjtime=lambda buffer: answer)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: kernel)
    said = found("clock")
    assert said.state == state and says in said.detail


def test_the_machine_that_this_runs_on_is_told_of_without_a_stumble() -> None:
    subjects = [each.subject.split()[0] for each in capacity_findings(Config())]
    assert {"file", "RTP", "cores", "real-time", "disk", "clock"} <= set(subjects)


def test_core_dumps_are_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert "LimitCORE=0" in found("core dumps").remedy
