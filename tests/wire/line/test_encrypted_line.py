"""A whole encrypted line: callers and agents by TLS and SRTP alone, over either IP version; heard both ways; told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.certificates import Authority
from tests.wire.baresip import Baresip, baresip
from tests.wire.line.watching import logged, mark, until, until_idle
from tests.wire.srtp.conftest import strongest, tone

pytestmark = [pytest.mark.wire, pytest.mark.slow]

CALLERS_TONE, AGENTS_TONE = 500, 900


@dataclass(frozen=True, slots=True)
class Encrypted:
    line: RunningLine
    at: str  # HOST:PORT for TLS
    agent: Baresip
    house: Authority


@asynccontextmanager
async def encrypted(folder: Path, host: str, *, scheme: str) -> AsyncIterator[Encrypted]:
    """One whose trunk and only agent are met by TLS, by certificates, and by SRTP or not at all."""
    house = Authority(folder / "tls")
    own = house.signs("line", host)
    at = f"[{host}]" if ":" in host else host
    tls = f'listen = "{at}:0"\ncertificate = "{own.pem}"\nkey = "{own.key_pem}"\nca = "{house.pem}"\n'
    tls += f'client_ca = "{house.pem}"\nrequire_client = "demand"'
    extra = '[[sip.trunks]]\nname = "pbx"\ntransport = "tls"\ntls_names = ["sip:pbx.example.com"]\nsrtp = "require"\n'
    extra += f'[cdr]\npath = "{folder / "cdr.jsonl"}"'
    async with baresip(
        folder / "agent",
        pcm=tone(AGENTS_TONE, 60),
        media_encryption="srtp-mand",
        tls=house.signs("agent", host),
        ca=house.pem,
        host=host,
    ) as agent:
        target = agent.uri
        if scheme == "sips":
            target = f"sips:{target.partition(':')[2].partition(';')[0]}"
        agents = [AgentPhone(target, srtp="require", ring_timeout_s=10)]
        setup = LineSetup(folder / "line", agents, sip=f"{at}:0", allow="127.0.0.3/32", tls=tls, extra=extra)
        async with RunningLine.running(setup) as line:
            yield Encrypted(line, (await logged(line, "sip.tls_listening"))["addresses"][0], agent, house)


@pytest.mark.parametrize(("host", "scheme"), [("127.0.0.1", "sip"), ("127.0.0.1", "sips"), ("::1", "sip")])
async def test_a_caller_and_an_agent_talk_and_nobody_else_hears(tmp_path: Path, host: str, scheme: str) -> None:
    async with encrypted(tmp_path, host, scheme=scheme) as up:
        line, since = up.line, mark(up.line)
        credentials = up.house.signs("pbx", "sip:pbx.example.com")
        async with baresip(
            tmp_path / "pbx",
            pcm=tone(CALLERS_TONE, 60),
            media_encryption="srtp-mand",
            tls=credentials,
            ca=up.house.pem,
            host=host,
        ) as pbx:
            await pbx.command("dial", f"sip:line@{up.at};transport=tls")
            await pbx.wait("CALL_ESTABLISHED")
            call = (await logged(line, "call.start", since=since, trunk="pbx", transport="tls"))["call_id"]
            await pbx.press("0")
            await up.agent.wait("CALL_ESTABLISHED")
            await logged(line, "handoff.connected", since=since)

            async def talking() -> bool:
                ears = ((pbx, AGENTS_TONE), (up.agent, CALLERS_TONE))
                return all(abs(strongest(phone.heard()) - tone_hz) < 6 for phone, tone_hz in ears)

            await until(talking)
            await pbx.command("hangup")
            await up.agent.wait("CALL_CLOSED")
        end = await logged(line, "call.end", since=since)
        assert end["transport"] == "tls"
        assert end["encryption"].startswith(("AES", "AEAD")) and end["agent_encryption"].startswith(("AES", "AEAD"))
        shown = await line.get(f"/api/calls/{call}")
        assert (shown["transport"], shown["canonical"]["encryption"]) == ("tls", end["encryption"])
        async with aiohttp.ClientSession() as console, console.get(f"{line.http}/calls/{call}") as page:
            assert end["encryption"] in await page.text()

        async def recorded() -> bool:
            return (tmp_path / "cdr.jsonl").exists() and bool((tmp_path / "cdr.jsonl").read_text())

        await until(recorded)
        (record,) = (json.loads(text) for text in (tmp_path / "cdr.jsonl").read_text().splitlines())
        assert (record["tls"], record["srtp"]) == (True, end["encryption"])
        await until_idle(line)
