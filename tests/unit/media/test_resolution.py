"""Host names in media descriptions."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from ivr.media.description import PCMU, MediaDescription
from ivr.media.resolution import resolved

NAMED = MediaDescription("media.far.example", 4000, (PCMU,), sip_host="192.0.2.9")


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str, error: Exception | None = None) -> list[str]:
    asked: list[str] = []

    async def look_up(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        if error is not None:
            raise error
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [(f, socket.SOCK_DGRAM, 17, "", (a, port)) for f, a in zip(families, addresses, strict=True)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    return asked


async def test_an_address_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, "198.51.100.1")
    for host in ("192.0.2.9", "2001:db8::9", "0.0.0.0"):
        here = MediaDescription(host, 4000, (PCMU,))
        assert await resolved(here) is here
    assert asked == []


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["2001:db8::9", "192.0.2.7"], "192.0.2.7"),
        (["2001:db8::9"], "2001:db8::9"),
        (["224.0.0.1", "0.0.0.0", "192.0.2.8"], "192.0.2.8"),
        (["224.0.0.1"], "media.far.example"),
        ([], "media.far.example"),
    ],
)
async def test_a_name_gives_way_to_its_address(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], chosen: str
) -> None:
    answering(monkeypatch, *addresses)
    found = await resolved(NAMED)
    assert (found.host, found.port, found.sip_host) == (chosen, 4000, "192.0.2.9")


async def test_the_address_is_of_a_version_that_we_have(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "192.0.2.7", "2001:db8::9")
    assert (await resolved(NAMED, (6,))).host == (await resolved(NAMED, (6, 4))).host == "2001:db8::9"
    assert (await resolved(NAMED, (4, 6))).host == "192.0.2.7"


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), OSError("no DNS")])
async def test_a_name_that_leads_nowhere_stays(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    answering(monkeypatch, error=error)
    assert await resolved(NAMED) == NAMED


async def test_no_caller_waits_long_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    async with asyncio.timeout(1):
        assert await resolved(NAMED, timeout_s=0.05) == NAMED
