"""How many files a process may have open: what that is compared with, and what is made of it."""

from __future__ import annotations

import asyncio
import errno
import resource

import pytest
import structlog.testing

from ivr.limits import descriptors


@pytest.mark.parametrize(
    ("max_calls", "available", "problem"),
    [
        (100, 464, ""),
        (100, 463, "463 allowed, 464 needed for max_calls = 100: enough for 99 calls"),
        (2000, 1024, "1024 allowed, 8064 needed for max_calls = 2000: enough for 240 calls"),
        (10, 20, "20 allowed, 104 needed for max_calls = 10: enough for 0 calls"),
    ],
)
def test_what_calls_need(max_calls: int, available: int, problem: str) -> None:
    assert descriptors.shortage(max_calls, available) == problem


def test_too_few_are_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "limit", lambda: 463)
    with structlog.testing.capture_logs() as logs:
        assert descriptors.warn(99) == "" and descriptors.warn(100).startswith("463 allowed")
    assert [entry["event"] for entry in logs] == ["service.descriptors_short"]
    assert "LimitNOFILE=464" in logs[0]["remedy"]


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        assert descriptors.limit() == 200
        assert descriptors.raise_limit() == descriptors.attainable()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("limit", [128, 256, 1024, 20_000])
def test_servers_leave_half_of_the_descriptors_to_calls(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "limit", lambda: limit)
    sip, http, arriving = descriptors.sip_connections(), descriptors.http_connections(), 2 * descriptors.backlog()
    assert sip.most + http.most + arriving <= limit // 2 + arriving // 2
    for limits in (sip, http):
        assert 0 < limits.unproven_a_source <= limits.unproven < limits.most


def test_running_out_is_one_line_a_minute() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        handler = descriptors.Exhaustion(loop)
        with structlog.testing.capture_logs() as logs:
            for _ in range(100):
                handler(loop, {"message": "accept", "exception": OSError(errno.EMFILE, "Too many open files")})
        assert [entry["event"] for entry in logs] == ["service.descriptors_exhausted"]

    asyncio.run(main())
