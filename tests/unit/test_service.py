"""The composition: parts start in order and stop in the opposite one, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from ivr import engines, service
from ivr.config import (
    Address,
    Agent,
    Config,
    DeskConfig,
    FlowsConfig,
    HttpConfig,
    HttpService,
    RecordingConfig,
    StoreConfig,
)
from ivr.config.fields import Secret
from ivr.errors import ConfigError, MediaUnavailable, UnavailableError
from ivr.ports import RecordingRow
from ivr.readiness import Lifecycle
from ivr.recording.container import STEREO_PCMU, Writer
from ivr.sealing import Keys
from ivr.store.recordings import RecordingTable
from ivr.store.store import Store
from ivr.web.app import HttpServer
from tests.call.fakes import FakeEndpoint, FakeLeg, FakeMedia, FakeSpeech

FLOWS = Path(__file__).parents[2] / "flows"
AGENT = Agent(name="desk", target="sip:agent@127.0.0.1:5090", skills=("general", "retention", "discs"), on_call=True)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which part was told to start or stop, in order. The line's sockets and processes are fakes."""
    done: list[str] = []

    def watched(name: str, method: Callable[..., Awaitable[Any]], verb: str) -> Callable[..., Awaitable[Any]]:
        async def call(self: Any, *arguments: Any) -> Any:
            done.append(f"{name}.{verb}")
            return await method(self, *arguments)

        return call

    class Media(FakeMedia):
        def __init__(self, **_: Any) -> None:
            super().__init__()

        def refusal(self) -> str:
            return ""

    class Speech(FakeSpeech):
        def __init__(self, _: Any) -> None:
            super().__init__()

    class Endpoint(FakeEndpoint):
        address = Address("127.0.0.1", 5060)

        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()

        async def start(self, on_call: Callable[[Any], None]) -> None:
            self.on_call = on_call

        async def reachable_at(self) -> str:
            return "127.0.0.1:5060"

        def take_orphans(self, take: Callable[[str], Awaitable[bool]]) -> None:
            self.take = take

        calls = 0

    monkeypatch.setattr(engines, "MediaPool", Media)
    monkeypatch.setattr(engines, "WorkerSpeechService", Speech)
    monkeypatch.setattr(service, "SipUserAgent", Endpoint)
    for name, watched_class, start, stop in (
        ("store", Store, "upgrade", "close"),
        ("media", Media, "start", "stop"),
        ("speech", Speech, "start", "stop"),
        ("http", HttpServer, "start", "stop"),
        ("sip", Endpoint, "start", "stop"),
    ):
        for verb, method in (("start", start), ("stop", stop)):
            monkeypatch.setattr(watched_class, method, watched(name, getattr(watched_class, method), verb))
    return done


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        flows=FlowsConfig(directory=FLOWS, services=(HttpService(name="deliveries", url="/api"),)),
        desk=DeskConfig(agents=(AGENT,)),
        http=HttpConfig(listen=Address("127.0.0.1", 0)),
        store=StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path / 'ivr.sqlite3'}"),
    )


PARTS = ["http", "store", "media", "speech", "sip"]
STARTED = [f"{part}.start" for part in PARTS]
STOPPED = [f"{part}.stop" for part in reversed(PARTS)]


async def test_parts_stop_in_the_opposite_order_after_every_call_has(config: Config, told: list[str]) -> None:
    with capture_logs() as logs:
        async with service.running(config, Lifecycle()) as running:
            assert told == STARTED
            async with (
                aiohttp.ClientSession(f"http://{running.http_address}") as client,
                client.get("/readyz") as answer,
            ):
                body = await answer.json()
                assert (answer.status, body["calls"], body["reasons"]) == (200, 0, [])
            leg = FakeLeg()
            running.endpoint.on_call(leg)  # type: ignore[attr-defined]
        assert leg.hung_up
    assert told == STARTED + STOPPED
    events = [entry["event"] for entry in logs]
    assert events[-1] == "service.stopped" and events.index("service.ready") < events.index("call.end")


async def test_a_line_with_a_token_and_no_accounts_tells_a_link_to_the_first_one(
    config: Config, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service.running(config, Lifecycle()) as running:
        assert running.first_link == "", "on loopback nothing is asked"
    monkeypatch.setenv("TEST_HTTP_TOKEN", "hunter2")
    http = HttpConfig(listen=Address("127.0.0.1", 0), token=Secret("env:TEST_HTTP_TOKEN"))
    guarded = config.model_copy(update={"http": http})
    with capture_logs() as logs:
        async with (
            service.running(guarded, Lifecycle()) as running,
            aiohttp.ClientSession(f"http://{running.http_address}") as client,
        ):
            link, kept = running.first_link, guarded.store.spool_folder / "first-account"
            home, _, secret = link.partition("/login#first=")
            assert home == running.console_url and len(secret) == 43 and secret not in str(logs)
            assert kept.read_text() == f"{link}\n" and kept.stat().st_mode & 0o777 == 0o600
            words = "correct horse battery"
            form = {"secret": secret, "name": "ann", "password": words, "again": words}
            async with client.post("/login/first", data=form, allow_redirects=False) as answer:
                assert answer.status == 303
    assert not kept.exists(), "it is over"
    async with service.running(guarded, Lifecycle()) as running:
        assert running.first_link == "", "once somebody has an account there is none"


async def test_the_console_has_an_address_that_opens(
    config: Config, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listening on every address, which is none to go to; behind a proxy the one that the world knows."""
    monkeypatch.setenv("TEST_HTTP_TOKEN", "hunter2")
    everywhere = HttpConfig(listen=Address("0.0.0.0", 0), token=Secret("env:TEST_HTTP_TOKEN"))
    async with service.running(config.model_copy(update={"http": everywhere}), Lifecycle()) as running:
        _, _, port = running.http_address.rpartition(":")
        assert running.console_url == f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(running.console_url) as client, client.get("/login") as answer:
            assert answer.status == 200 and "ivr accounts link" in await answer.text()
    behind = everywhere.model_copy(update={"public_url": "https://line.example/"})
    async with service.running(config.model_copy(update={"http": behind}), Lifecycle()) as running:
        assert running.console_url == "https://line.example"


async def test_what_had_started_is_stopped_when_a_part_fails(
    config: Config, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        told.append("sip.start")
        raise MediaUnavailable("no process")

    async def stuck(_: Any) -> None:
        told.append("speech.stop")
        raise OSError("no such process")

    monkeypatch.setattr("ivr.service.SipUserAgent.start", fail)
    monkeypatch.setattr("ivr.engines.WorkerSpeechService.stop", stuck)
    with capture_logs() as logs, pytest.raises(UnavailableError, match="no process"):
        async with service.running(config, Lifecycle()):
            pass
    assert told == STARTED + STOPPED
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["service.stop_failed"]
    assert logs[-1]["event"] == "service.stopped"


async def test_what_a_dead_line_was_recording_is_ended_at_the_start(
    config: Config, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config.model_copy(update={"recording": RecordingConfig(folder=tmp_path / "kept")})
    row = RecordingRow("abc", "conversation", "call-1", "10001", ("rosa",), datetime.now(UTC))
    store = Store(config.store.url)
    await store.upgrade()
    await store.recordings.add(row)
    await store.close()
    writer = Writer(tmp_path / "kept" / "abc.ivrrec", STEREO_PCMU, Keys())
    writer.write(bytes(STEREO_PCMU.second))
    writer.close()  # as when its process is killed
    done: asyncio.Future[tuple[str, float, str]] = asyncio.get_running_loop().create_future()
    method = RecordingTable.broken_off

    async def watched(self: RecordingTable, name: str, seconds: float, ended: str) -> bool:
        found = await method(self, name, seconds, ended)
        done.set_result((name, seconds, ended))
        return found

    monkeypatch.setattr(RecordingTable, "broken_off", watched)
    async with service.running(config, Lifecycle()), asyncio.timeout(60.0):
        assert await done == ("abc", 1.0, "broken off")


async def test_a_taken_port_is_told_before_anything_starts(config: Config, told: list[str]) -> None:
    async with service.running(config, Lifecycle()) as running:
        port = int(running.http_address.rpartition(":")[2])
        taken = config.model_copy(update={"http": HttpConfig(listen=Address("127.0.0.1", port))})
        told.clear()
        with pytest.raises(ConfigError, match="--http"):
            async with service.running(taken, Lifecycle()):
                pass
        assert told == []
