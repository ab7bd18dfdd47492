"""The composition root: builds the adapters, owns start, drain and stop. Nothing else knows who implements what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ivr.actions import ActionRegistry
from ivr.actions.callbacks import CallbackActions
from ivr.actions.http import HttpActions
from ivr.call.registry import CallHistory, CallRegistry, CallServices
from ivr.call.session import Acceptor
from ivr.clock import SystemClock
from ivr.company import Times, company_of
from ivr.config import Config
from ivr.desk import ConfiguredDesk
from ivr.dialogue.checker.facts import LineFacts
from ivr.errors import IvrError
from ivr.line_facts import line_facts
from ivr.media.engine import ProcessMediaEngine
from ivr.ports import SipEndpoint
from ivr.readiness import Parts
from ivr.release.entry import CallEntry, PromptPreparation
from ivr.release.live import LiveFlows
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.sip.agent import SipUserAgent
from ivr.speech.service import WorkerSpeechService
from ivr.store.store import Store
from ivr.web.app import HttpServer, application, bound, port_of
from ivr.web.backend import Backend
from ivr.web.live import Feed
from ivr.workshop.console import ConsoleWorkshop

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """One running line. The addresses are HOST:PORT, with the ports that were bound."""

    sip_address: str
    http_address: str
    calls: CallRegistry
    endpoint: SipEndpoint

    async def drain(self, seconds: float) -> None:
        """Refuse new calls and let those in progress end, for at most ``seconds``."""
        self.endpoint.refuse_new_calls(503, int(seconds))
        try:
            async with asyncio.timeout(seconds):
                await self.calls.drained()
        except TimeoutError:
            log.warning("service.drain_incomplete", calls=len(self.calls))


@asynccontextmanager
async def running(config: Config, progress: Callable[[int, int], None] | None = None) -> AsyncIterator[Service]:
    """Entered when calls are answered; ends every call, then every part, last started first.

    Raises ConfigError, FlowError, UnavailableError; whatever had started is stopped first."""
    time_zone, listen = config.flows.time_zone, config.http.listen
    async with AsyncExitStack() as stack:
        stack.callback(log.info, "service.stopped")
        sockets = bound(listen.host, listen.port)
        for each in sockets:
            stack.callback(each.close)
        http_address = f"{listen.host}:{port_of(sockets)}"

        clock, serving, feed = SystemClock(), ServingVersions(), Feed()
        registry = CallRegistry(feed.touch)
        company = company_of(config)
        store = Store(config.store.resolved(), branches=company.branches, node=config.node)
        office = company.on(store.database, Times(clock.now, ZoneInfo(time_zone)))
        media = ProcessMediaEngine(
            host=config.sip.listen.host,
            port_range=config.media.port_range,
            codecs=config.media.codecs,
            timeout_s=config.media.timeout_s,
            advertise=config.sip.advertise,
        )
        speech = WorkerSpeechService(config.speech)
        endpoint = SipUserAgent(config.sip, codecs=config.media.codecs)
        desk = ConfiguredDesk(
            config.desk,
            store.handoffs,
            time_zone=time_zone,
            base_url=config.http.public_url or f"http://{http_address}",
        )
        company_http = HttpActions(config.flows.services)
        actions = ActionRegistry(office.actions, CallbackActions(store.callbacks).actions, company_http.actions)

        vouching = {trunk.name for trunk in config.sip.trunks if trunk.vouches}
        entry = CallEntry(config.flows, serving, lambda name: desk.fact(name, clock.now()), vouching)
        prompts = PromptPreparation(entry, speech, media)
        releases = Releases(store.flow_versions)
        known = line_facts(config)

        def facts() -> LineFacts:
            """What a new version of the flows is held against."""
            return replace(known, vocabularies=entry.vocabularies)

        flows = LiveFlows(config.flows, facts, releases, serving, clock, prompts.prepare, on_change=feed.touch)

        await _begin(stack, store.upgrade(), store.close)
        if count := await store.calls.end_unfinished("lost", clock.now()):
            log.warning("calls.reconciled", count=count)
        await _begin(stack, entry.load_vocabularies(actions), company_http.aclose)
        library = await flows.start()
        await _begin(stack, media.start(), media.stop)
        await _begin(stack, speech.start(), speech.stop)
        await prompts.prepare(library, progress)

        workshop = ConsoleWorkshop(config, serving, flows, releases)
        app = application(
            Backend(
                calls=CallHistory(registry, store.calls, store.audit.of_call),
                flows=workshop,
                readiness=Parts(registry, store.ping, media, speech, endpoint, flows.status).readiness,
                context=desk.context,
                mask=config.logs.redact,
            ),
            feed,
            token=config.http.token.reveal() if not listen.loopback or config.http.token.available() else "",
            resources=office.routes(),
        )
        http = HttpServer(app, sockets)
        await _begin(stack, http.start(), http.stop)

        services = CallServices(
            endpoint=endpoint,
            media=media,
            speech=speech,
            actions=actions,
            desk=desk,
            records=store.calls,
            clock=clock,
            registry=registry,
            caller_id=config.desk.caller_id,
            time_zone=ZoneInfo(time_zone),
        )
        _beside(stack, entry.follow_vocabularies(actions, clock), "vocabularies")
        _beside(stack, flows.run(), "flows")
        if config.retention.calls_days:
            _beside(stack, store.retention.daily(timedelta(days=config.retention.calls_days), clock), "retention")
        acceptor = Acceptor(services, entry.open)
        await _begin(stack, endpoint.start(acceptor.accept), endpoint.stop)
        stack.push_async_callback(acceptor.stop)

        sip_address = f"{config.sip.listen.host}:{endpoint.address.port}"
        log.info("service.ready", sip=sip_address, http=http_address, flow_version=library.version)
        yield Service(sip_address, http_address, registry, endpoint)


async def _begin(stack: AsyncExitStack, start: Awaitable[object], stop: Callable[[], Awaitable[object]]) -> None:
    """``stop`` also mends what a failed ``start`` left behind."""
    stack.push_async_callback(_stopped, stop)
    await start


async def _stopped(stop: Callable[[], Awaitable[object]]) -> None:
    try:
        await stop()
    except (IvrError, OSError) as error:
        log.error("service.stop_failed", error=str(error))


def _beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """What runs beside the calls never ends by itself; the line goes on without it, but somebody must know."""

    def tell_of_death(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("service.part_died", part=name, exc_info=error)

    async def cancel() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(tell_of_death)
    stack.push_async_callback(cancel)
