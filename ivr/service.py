"""The composition root: builds the adapters, owns start, drain and stop. Nothing else knows who implements what."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ivr.actions import StoreActions, signatures
from ivr.call.registry import CallRegistry
from ivr.call.session import CallSession, Line
from ivr.config import Config
from ivr.desk import ConfiguredDesk
from ivr.dialogue.flows.fixed_prompts import fixed_words
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.spoken.tags import served
from ivr.errors import IvrError, StoreUnavailable
from ivr.media.engine import ProcessMediaEngine
from ivr.ports import Actions, Leg
from ivr.release.candidate import Surroundings
from ivr.release.entry import Openings
from ivr.release.live import LiveFlows
from ivr.release.releases import Releases
from ivr.release.serving import Shelf
from ivr.sip.agent import SipUserAgent
from ivr.speech.service import WorkerSpeechService
from ivr.store.store import Store
from ivr.web.api import Backend, Readiness
from ivr.web.app import HttpServer, application
from ivr.web.console.backend import ConsoleBackend
from ivr.web.feed import Feed
from ivr.workshop.console import ConsoleWorkshop

log = structlog.get_logger(__name__)

STOP_CALLS_S = 3.0
CATALOGUE_REFRESH_S = 300.0


class SystemClock:
    """Implements ports.Clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Service:
    """One running line. ``start`` returns when calls are answered; a failed part is stopped again before it raises."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._clock = SystemClock()
        self.registry = CallRegistry()
        self.shelf = Shelf()
        self.store = Store(config.store.resolved())
        self._media = ProcessMediaEngine(
            host=config.sip.listen.host,
            port_range=config.media.port_range,
            codecs=config.media.codecs,
            timeout_s=config.media.timeout_s,
            advertise=config.sip.advertise,
        )
        self._speech = WorkerSpeechService(config.speech)
        self._endpoint = SipUserAgent(config.sip, codecs=config.media.codecs)
        self._http: HttpServer | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._stopping: list[Callable[[], Any]] = []
        self._line: Line | None = None
        self._openings = Openings(config.flows, self.shelf, self._fact)
        releases = Releases(self.store.flow_versions)
        around = Surroundings.of(config, signatures())
        self.flows = LiveFlows(config.flows, around, releases, self.shelf, self._clock, self._prepare_prompts)
        self.feed = Feed()
        self._workshop = ConsoleWorkshop(config, self.shelf, self.flows, releases)

    # -- start and stop ------------------------------------------------------------------------------------

    async def start(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Raises ConfigError, FlowError, UnavailableError; whatever had started is stopped first."""
        try:
            await self._start(progress)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, progress: Callable[[int, int], None] | None) -> None:
        config = self._config
        await self._begin(self.store.upgrade(), self.store.close)
        library = await self.flows.start()
        await self._begin(self._media.start(), self._media.stop)
        await self._begin(self._speech.start(), self._speech.stop)
        await self._prepare_prompts(library, progress)
        actions = StoreActions(self.store, config.flows.services, time_zone=config.flows.time_zone)
        self._stopping.append(actions.close)
        self._openings.catalogue = await actions.vocabulary("catalogue")
        app = application(
            Backend(
                calls=_Calls(self.registry, self.store),
                readiness=self.readiness,
                queue=self._member_queue,
                context=self._handoff_context,
            ),
            token=config.http.token.reveal() if self._token_needed() else "",
            console_backend=ConsoleBackend(self._workshop, self.feed, config.logs.redact, library.languages),
        )
        self._stopping.append(self._workshop.close)
        self.registry.on_move = self.flows.on_change = self.feed.touch
        self._http = HttpServer(app, config.http.listen.host, config.http.listen.port)
        await self._begin(self._http.start(), self._http.stop)
        self._desk = ConfiguredDesk(
            config.desk,
            self.store.handoffs,
            time_zone=config.flows.time_zone,
            base_url=config.http.public_url or f"http://{self.http_address}",
        )
        self._line = Line(
            endpoint=self._endpoint,
            media=self._media,
            speech=self._speech,
            actions=actions,
            desk=self._desk,
            records=self.store.calls,
            clock=self._clock,
            registry=self.registry,
            caller_id=config.desk.caller_id,
            time_zone=ZoneInfo(config.flows.time_zone),
        )
        for work, name in ((self._refresh_catalogue(actions), "catalogue"), (self.flows.run(), "flows")):
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(_tell_of_death)
            self._stopping.append(partial(_cancelled, task))
        await self._begin(self._endpoint.start(self._on_call), self._endpoint.stop)
        log.info("service.ready", sip=self.sip_address, http=self.http_address, flow_version=library.version)

    def _token_needed(self) -> bool:
        return not self._config.http.listen.loopback or self._config.http.token.available()

    async def _begin(self, start: Any, stop: Callable[[], Any]) -> None:
        self._stopping.append(stop)
        await start

    async def stop(self) -> None:
        """End every call, then every part, last started first."""
        for call in self.registry:
            await call.end("the service stops")
        if self._calls:
            await asyncio.wait(self._calls, timeout=STOP_CALLS_S)
        for task in tuple(self._calls):
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        while self._stopping:
            try:
                await self._stopping.pop()()
            except (IvrError, OSError) as error:
                log.error("service.stop_failed", error=str(error))
        log.info("service.stopped")

    async def drain(self, seconds: float) -> None:
        """Refuse new calls and let those in progress end, for at most ``seconds``."""
        self._endpoint.refuse_new_calls(503, int(seconds))
        try:
            async with asyncio.timeout(seconds):
                await self.registry.drained()
        except TimeoutError:
            log.warning("service.drain_incomplete", calls=len(self.registry))

    # -- flows -------------------------------------------------------------------------------------------------

    async def _prepare_prompts(self, library: FlowLibrary, progress: Callable[[int, int], None] | None = None) -> None:
        """Everything a version can say without knowing who calls, rendered. Raises UnavailableError."""
        voices = self._openings.voices(self._choosable(library))
        prompts = [
            (words.text, words.language or language, voice)
            for language, persona in voices
            for words, voice in fixed_words(library, language, persona)
            if words.text
        ]
        clips = await self._speech.render_all(prompts, progress)
        await self._media.preload(clips)

    def _choosable(self, library: FlowLibrary) -> list[str]:
        """Languages that callers may choose and that something here can speak."""
        voices = [lang for status in self._speech.synthesisers() if status.healthy for lang in status.languages]
        return [language for language in library.universals.languages if served(language, voices)]

    # -- calls -------------------------------------------------------------------------------------------------

    async def _refresh_catalogue(self, actions: Actions) -> None:
        """Titles added to the database are heard by calls that begin a few minutes later."""
        while True:
            await self._clock.sleep(CATALOGUE_REFRESH_S)
            try:
                self._openings.catalogue = await actions.vocabulary("catalogue")
            except IvrError as error:
                log.warning("catalogue.stale", error=str(error))

    def _on_call(self, leg: Leg) -> None:
        assert self._line is not None
        call_id = secrets.token_hex(8)
        session = CallSession(call_id, leg, self._line, self._openings.open)
        task = asyncio.create_task(session.run(), name=f"call {call_id}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    def _fact(self, name: str) -> object:
        return self._desk.open_now("general", self._clock.now()) if name == "hours.open" else None

    # -- what the outside asks ---------------------------------------------------------------------------------

    @property
    def sip_address(self) -> str:
        return f"{self._config.sip.listen.host}:{self._endpoint.address.port}"

    @property
    def http_address(self) -> str:
        port = self._http.port if self._http else self._config.http.listen.port
        return f"{self._config.http.listen.host}:{port}"

    @property
    def calls_in_progress(self) -> int:
        return len(self.registry)

    async def readiness(self) -> Readiness:
        try:
            await self.store.ping()
            store = "ok"
        except StoreUnavailable as error:
            store = str(error)
        registrations = self._endpoint.registrations()
        recognisers = self._speech.recognisers()
        parts: dict[str, Any] = {
            "calls": len(self.registry),
            "media": "ok" if self._media.healthy() else "restarting",
            "store": store,
            "recognisers": [{"name": s.name, "healthy": s.healthy, "detail": s.detail} for s in recognisers],
            "synthesisers": [
                {"name": s.name, "healthy": s.healthy, "detail": s.detail} for s in self._speech.synthesisers()
            ],
            "registrations": [
                {
                    "trunk": r.trunk,
                    "state": r.state,
                    "detail": r.detail,
                    "expires_at": r.expires_at and r.expires_at.isoformat(),
                }
                for r in registrations
            ],
            "flow_version": self.shelf.live.version,
            "flows": self.flows.status(),
        }
        ready = (
            self._media.healthy()
            and store == "ok"
            and any(s.healthy for s in recognisers)
            and all(r.state == "registered" for r in registrations)
        )
        return Readiness(ready, parts)

    async def _handoff_context(self, token: str) -> Mapping[str, Any] | None:
        return await self._desk.context(token)

    async def _member_queue(self, number: str) -> Sequence[Mapping[str, Any]] | None:
        profile = await self.store.membership.profile(number)
        if profile is None:
            return None
        return [{"position": i, "title": t.name, "id": t.id} for i, t in enumerate(profile.queue, 1)]


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _tell_of_death(task: asyncio.Task[None]) -> None:
    """What runs beside the calls never ends by itself; the line goes on without it, but somebody must know."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("service.part_died", part=task.get_name(), exc_info=error)


class _Calls:
    """Implements web.api.Calls: live calls from memory, past ones from the store."""

    def __init__(self, registry: CallRegistry, store: Store) -> None:
        self._registry = registry
        self._store = store

    async def recent(self, limit: int, live: bool | None) -> Sequence[Mapping[str, Any]]:
        now = [call.view() for call in self._registry] if live is not False else []
        if live:
            return now[:limit]
        ids = {call["call_id"] for call in now}
        past = await self._store.calls.recent(limit, live=live)
        return [*now, *(row for row in past if row["call_id"] not in ids)][:limit]

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        live = self._registry.get(call_id)
        return live.view() if live is not None else await self._store.calls.get(call_id)
