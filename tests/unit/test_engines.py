"""What a reload may make of the media processes, and what it must not."""

from __future__ import annotations

import os

import pytest
from structlog.testing import capture_logs

from ivr.config import Config
from ivr.engines import Engines
from ivr.errors import ConfigError


def config(max_calls: int = 100, **media: object) -> Config:
    return Config.model_validate({"sip": {"max_calls": max_calls}, "media": media})


def test_more_processes_than_the_ports_in_use_are_enough_for_need_a_restart() -> None:
    running = config(ports="16000-16007")
    engines = Engines(running)
    wanted = running.model_copy(update={"media": running.media.model_copy(update={"processes": 3})})
    with pytest.raises(ConfigError, match=r"16000-16007\) are enough for 2 callers.*restart with more media.ports"):
        engines.check(wanted)
    engines.check(running)


def test_too_few_legs_for_the_calls_are_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    engines = Engines(config())
    with capture_logs() as logs:
        engines.check(config(200))
        engines.check(config(201))
    assert [(entry["event"], entry["callers"], entry["max_calls"]) for entry in logs] == [
        ("service.media_short", 200, 201)
    ]
