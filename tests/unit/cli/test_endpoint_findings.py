"""What `ivr doctor` tells of endpoints, asked for real on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from ivr.cli.endpoint_findings import endpoint_findings
from ivr.cli.finding import Finding
from ivr.config import Config, load_config
from tests.endpoints import KEY, MODEL, OpenAiServer, VoskWebSocketServer, status


def loaded(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def both(url: str) -> str:
    common = f'url = "{url}"\nmodel = "{MODEL}"\napi_key = "env:DOCTOR_KEY"\n'
    return f'[speech.second_ear]\nkind = "openai"\n{common}[[speech.prompt_voices]]\nvoice = "alloy"\n{common}'


async def test_endpoints_that_answer_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_KEY", KEY)
    async with OpenAiServer.running(KEY) as server:
        config = loaded(tmp_path, both(server.url))
        ear, voice = await endpoint_findings(config.speech)
        assert (ear.state, ear.subject) == ("ok", "speech.second_ear") and f"{server.url} answers in 0." in ear.detail
        assert (voice.state, voice.subject) == ("ok", "speech.prompt_voices")
        monkeypatch.setenv("DOCTOR_KEY", "another")
        for finding in await endpoint_findings(config.speech):
            assert finding.state == "bad" and "refuses the key (401)" in finding.detail
            assert finding.remedy == "check api_key"
        monkeypatch.delenv("DOCTOR_KEY")
        assert {f.state for f in await endpoint_findings(config.speech)} == {"bad"}


async def test_one_that_is_not_there_is_named_with_what_to_do(tmp_path: Path, unused_tcp_port: int) -> None:
    text = f'[speech.second_ear]\nkind = "vosk_server"\nurl = "ws://127.0.0.1:{unused_tcp_port}"\n'
    (finding,) = await endpoint_findings(loaded(tmp_path, text).speech)
    assert finding.state == "bad" and str(unused_tcp_port) in finding.detail and finding.remedy == "is it running?"


async def test_one_that_is_too_slow_to_be_of_use_is_named(tmp_path: Path) -> None:
    async with OpenAiServer.running() as server:

        async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
            await asyncio.sleep(0.3)
            return ""

        server.hears = hears
        text = f'[speech.second_ear]\nkind = "openai"\nurl = "{server.url}"\nmodel = "{MODEL}"\ntimeout_s = 0.1\n'
        (finding,) = await endpoint_findings(loaded(tmp_path, text).speech)
        assert finding.state == "note" and "too late" in finding.detail and "raise timeout_s" in finding.remedy


async def test_a_vosk_server_is_asked_too(tmp_path: Path) -> None:
    async with VoskWebSocketServer.running() as server:
        text = f'[speech.second_ear]\nkind = "vosk_server"\nurl = "{server.url}"\n'
        config = loaded(tmp_path, text)
        assert [f.state for f in await endpoint_findings(config.speech)] == ["ok"]
        server.instead = status(503)
        assert [f.state for f in await endpoint_findings(config.speech)] == ["bad"]


async def test_words_that_leave_the_machine_unencrypted_are_told_of(tmp_path: Path) -> None:
    text = '[speech.second_ear]\nkind = "vosk_server"\nurl = "ws://asr.invalid:2700"\n'
    found = await endpoint_findings(loaded(tmp_path, text).speech)
    told = Finding(
        "note",
        "speech.second_ear",
        "what callers say goes to asr.invalid unencrypted",
        "use https: or wss:, or a tunnel between the two machines",
    )
    assert found[1:] == [told] and found[0].state == "bad"


async def test_without_endpoints_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert await endpoint_findings(loaded(tmp_path, "").speech) == []
