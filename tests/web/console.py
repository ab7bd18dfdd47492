"""The console as the service wires it: real flows, database and simulator; calls are real sessions on a fake line."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.accounts.authentication import Authentication
from ivr.accounts.oidc import Oidc
from ivr.call.registry import CallHistory, CallRegistry, CallServices
from ivr.call.session import CallSession
from ivr.clock import SystemClock
from ivr.config import Agent, Config, DeskConfig, FlowsConfig, HttpService
from ivr.dialogue.flows.library import FlowLibrary
from ivr.line_facts import line_facts
from ivr.ports import Ears
from ivr.release.checker import Checker
from ivr.release.entry import CallEntry
from ivr.release.live import LiveFlows
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.store import Store
from ivr.web.app import HttpServer, application, bound, port_of
from ivr.web.backend import Backend
from ivr.web.live import Feed
from ivr.workshop.console import ConsoleWorkshop
from ivr.workshop.drafts.desk import DraftDesk
from ivr.workshop.words.desk import WordingDesk
from tests.call.fakes import FakeEars, FakeLeg, FakeSpeech, services
from tests.databases import migrated
from tests.web.fakes import ready
from tests.web.people import Roles, hire

FLOWS = Path(__file__).parents[2] / "flows"
AGENT = Agent(name="desk", target="sip:agent@127.0.0.1:5090", skills=("general", "retention", "discs"), on_call=True)
CONTEXT: dict[str, Any] = {
    "call_id": "c0ffee",
    "reason": "cancellation-risk",
    "skill": "retention",
    "priority": 9,
    "caller": {"number": "5035550101", "display": "", "uri": ""},
    "language": "en-US",
    "facts": {"caller.name": "Rosa Diaz", "member.number": "10001", "queue.size": 8, "call.caller": "5035550101"},
    "transcript": [
        {"kind": "prompt", "text": "What can I do for you?"},
        {"kind": "heard", "text": "I'm thinking of <b>cancelling</b>", "intent": "risk:cancel"},
    ],
    "tried": ["move_to_top"],
    "flow": "main",
    "state": "ask",
}


def stopped() -> float:
    """A clock that stands."""
    return 1000.0


class Caller:
    """A call in progress."""

    def __init__(self, leg: FakeLeg, session: CallSession, speech: Brisk) -> None:
        self.leg = leg
        self._speech = speech
        self.call_id = session.call_id
        self._task = asyncio.create_task(session.run())

    def say(self, text: str) -> None:
        self._speech.by_call[self.call_id].hear(text)

    async def hang_up(self) -> None:
        self.leg.end()
        await self._task


class Brisk(FakeSpeech):
    """Speaks twenty times as fast as people do."""

    def __init__(self) -> None:
        super().__init__()
        self.by_call: dict[str, FakeEars] = {}

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        ears = await super().open(call_id, language)
        self.by_call[call_id] = self.ears[-1]
        return ears

    async def render(self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True) -> Any:
        clip = await super().render(text, language, voice)
        return type(clip)(clip.key, clip.pcm[: len(clip.pcm) // 20 // 320 * 320 or 320])


@dataclass
class Console:
    """``folder`` holds the flows; ``base`` is where the console listens."""

    folder: Path
    base: str
    serving: ServingVersions
    flows: LiveFlows
    services: CallServices
    entry: CallEntry
    speech: Brisk
    store: Store
    workshop: ConsoleWorkshop
    authentication: Authentication

    def call(self, number: str = "5035550142") -> Caller:
        name = f"{int(number):016x}"
        leg = FakeLeg(f"leg-{name}", number=number)
        return Caller(leg, CallSession(name, leg, self.services, self.entry.open), self.speech)

    def edit(self, name: str, old: str, new: str) -> None:
        file = self.folder / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")


@asynccontextmanager
async def console(
    folder: Path,
    *,
    token: str = "",
    mask: bool = True,
    trusted_proxies: Sequence[str] = (),
    people: Roles | None = None,
    clock: Callable[[], float] = time.monotonic,
    oidc: Callable[[str], Oidc] | None = None,
    check_limit_s: float = 120.0,
) -> AsyncIterator[Console]:
    """``clock``: of the waits of those who guess; ``stopped`` where a test guesses, however busy the machine."""
    flows_folder = folder / "flows"
    shutil.copytree(FLOWS, flows_folder)
    config = Config(
        flows=FlowsConfig(directory=flows_folder, services=(HttpService(name="deliveries", url="/api"),)),
        desk=DeskConfig(agents=(AGENT,)),
    )
    store = Store(await migrated(folder / "ivr.sqlite3"), timeout_s=10.0)
    serving, feed, speech = ServingVersions(), Feed(), Brisk()
    registry = CallRegistry(feed.touch)

    async def nothing_to_render(_: FlowLibrary) -> None:
        return None

    releases = Releases(store.flow_versions)
    checker = Checker(limit_s=check_limit_s)
    live = LiveFlows(
        config.flows,
        lambda: line_facts(config),
        releases,
        serving,
        SystemClock(),
        nothing_to_render,
        poll_s=0.5,
        on_change=feed.touch,
        checker=checker,
    )
    await live.start()
    workshop = ConsoleWorkshop(config, serving, live, releases, checker, store.calls)

    async def context(secret: str) -> Mapping[str, Any] | None:
        return CONTEXT if secret == "right" else None

    authentication = Authentication(store.accounts, store.tokens, clock=clock)
    await hire(authentication, people or {})
    sockets = bound("127.0.0.1", 0)
    app = application(
        Backend(
            CallHistory(registry, store.calls, store.audit.of_call),
            workshop,
            ready,
            context,
            store.audit_log,
            mask,
            drafts=DraftDesk(config, store.drafts, live, serving, checker),
            words=WordingDesk(
                config, lambda: line_facts(config), releases, speech.render, store.audit_log, None, live.one_at_a_time
            ),
        ),
        feed,
        authentication=authentication,
        token=token,
        trusted_proxies=trusted_proxies,
        oidc=oidc(f"http://127.0.0.1:{port_of(sockets)}") if oidc is not None else None,
    )
    server = HttpServer(app, sockets)
    await server.start()
    shared = services(speech=speech, records=store.calls, clock=SystemClock(), registry=registry)
    entry = CallEntry(config.flows, serving, lambda name: name == "hours.open" or None)
    work = asyncio.create_task(live.run())
    try:
        yield Console(
            flows_folder,
            f"http://127.0.0.1:{port_of(sockets)}",
            serving,
            live,
            shared,
            entry,
            speech,
            store,
            workshop,
            authentication,
        )
    finally:
        for call in registry:
            await call.end("test over")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await server.stop()
        await workshop.stop()
        await checker.stop()
        await store.close()
