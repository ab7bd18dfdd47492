"""[media] and sip.max_calls: how many processes that is, and for how many callers."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from ivr.config import Config


def config(max_calls: int = 100, **media: Any) -> Config:
    return Config.model_validate({"sip": {"max_calls": max_calls}, "media": media})


@pytest.mark.parametrize(
    ("cores", "max_calls", "media", "processes", "callers"),
    [
        (8, 100, {}, 1, 100),
        (8, 101, {}, 2, 200),
        (8, 350, {}, 4, 400),
        (2, 350, {}, 2, 200),
        (2, 350, {"processes": 4}, 4, 400),
        (8, 350, {"legs_per_process": 700}, 1, 350),
        (8, 350, {"ports": "16000-16007"}, 2, 200),
    ],
    ids=["one as shipped", "one more", "as many as needed", "one a core", "as asked", "larger ones", "as ports allow"],
)
def test_media_processes(
    cores: int, max_calls: int, media: dict[str, Any], processes: int, callers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    made = config(max_calls, **media)
    assert (made.media_processes, made.media_callers) == (processes, callers)


def test_each_process_has_ports_for_a_caller_with_an_agent() -> None:
    assert config(ports="16000-16007", processes=2).media_processes == 2
    with pytest.raises(ValidationError, match=r"enough for 2 callers, each with an agent: fewer than .* \(3\)"):
        config(ports="16000-16007", processes=3)
