"""The composition root: builds the adapters, owns start, drain and stop. Nothing else knows who implements what."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog

from ivr.accounts.authentication import Authentication
from ivr.accounts.first_link import offered, withdrawn
from ivr.accounts.oidc import Oidc
from ivr.actions import ActionRegistry, consent, messages
from ivr.actions.history import HistoryActions
from ivr.actions.http import HttpActions
from ivr.actions.plugins import plugins
from ivr.actions.waiting import WaitingActions
from ivr.call.acceptor import Acceptor
from ivr.call.call_backs import CallBacks
from ivr.call.registry import CallHistory, CallRegistry, CallServices
from ivr.call.takeover import Takeovers
from ivr.call.tied_call import TiedCalls
from ivr.call.waiting import WaitingRules
from ivr.clock import SystemClock
from ivr.company import Times, company_of
from ivr.config import TIE_LINE, UNKEPT, Config, LineConfig, shown
from ivr.contact_centre import ContactCentre, Premises
from ivr.data_subject import DataSubjects
from ivr.desk.board_phone import BoardPhones
from ivr.desk.kept_place import kept_place
from ivr.desk.promises import PromisedCallbacks
from ivr.drain import Drain
from ivr.embedding.loading import understanding
from ivr.engines import Engines
from ivr.events import RECORDING_ON
from ivr.lifespan import Lifespan
from ivr.line_facts import KnownFacts, line_facts
from ivr.line_telemetry import LineTelemetry, Measured
from ivr.log_sink import SinkStatus
from ivr.logs import Log
from ivr.ports import Leg, SipEndpoint
from ivr.readiness import Life, Lifecycle, Parts, ReadinessWatch, StoreProbe
from ivr.release.checker import Checker
from ivr.release.entry import CallEntry, PromptPreparation, check_entries
from ivr.release.lesson import Lesson
from ivr.release.live import LiveFlows, aside
from ivr.release.releases import Releases
from ivr.release.service_vocabularies import ServiceVocabularies
from ivr.release.serving import ServingVersions
from ivr.release.verdicts import Verdicts
from ivr.reload import Reload
from ivr.reload_check import ReloadCheck
from ivr.sip.agent import SipUserAgent
from ivr.sip.party import tie_token
from ivr.speech.prompt_cache import SAID, prompts_said
from ivr.store.store import Store
from ivr.store.writer import GATHER_S
from ivr.web.app import HttpServer, application, bound, own_url, port_of
from ivr.web.backend import Backend
from ivr.web.live import Feed
from ivr.workshop.console import ConsoleWorkshop
from ivr.workshop.drafts.desk import DraftDesk
from ivr.workshop.words.desk import WordingDesk

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """One running line. The addresses are HOST:PORT, with the ports that were bound, ``tls_address`` "" without TLS;
    ``console_url`` opens in a browser: the configured one, or one of this machine. ``reload``: on SIGHUP.
    ``first_link``: what makes the first account, where one is needed; else ""."""

    sip_address: str
    http_address: str
    console_url: str
    calls: CallRegistry
    endpoint: SipEndpoint
    readiness: ReadinessWatch
    drain: Drain
    reload: Reload
    telemetry: LineTelemetry
    first_link: str = ""
    tls_address: str = ""


@asynccontextmanager
async def running(
    config: Config, lifecycle: Lifecycle, written: Log | None = None, engines: Engines | None = None
) -> AsyncIterator[Service]:
    """Entered when calls are answered; ends every call, then every part, last started first. ``lifecycle`` is told of
    each step, ``written`` is the log that /readyz tells of and a reload reopens. ``engines``: where they are begun
    already; they end here.

    Raises ConfigError, FlowError, UnavailableError; whatever had started is stopped first."""
    config.check_secrets()
    time_zone, listen = config.flows.time_zone, config.http.listen
    async with Lifespan() as lifespan:
        lifespan.callback(log.info, "service.stopped")
        sockets = bound(listen.host, listen.port)
        for each in sockets:
            lifespan.callback(each.close)
        http_address = f"{listen.host}:{port_of(sockets)}"
        console_url = config.http.public_url.rstrip("/") or own_url(sockets)

        clock, serving, feed = SystemClock(), ServingVersions(), Feed()
        telemetry = LineTelemetry(config, clock)

        def drains() -> bool:
            return lifecycle.life is not Life.SERVING

        lifespan.ends(telemetry.close)
        registry = CallRegistry(feed.touch, telemetry.observers)
        company = company_of(config)
        store = Store(
            config.store.resolved(),
            branches=company.branches,
            node=config.node,
            line=secrets.token_hex(16),
            spool=config.store.spool_folder,
            spool_mb=config.store.spool_mb,
            gather_s=GATHER_S,
            keys=config.takeover.keys(),
            drains=drains,
        )
        store.database.on_transaction = telemetry.transaction
        office = company.on(store.database, Times(clock.now, ZoneInfo(time_zone)))
        engines = engines or Engines(config)
        media, speech = engines.media, engines.speech
        paraphrases = await aside(understanding, config.speech.cache / "classifiers", on_demand=False)
        endpoint = SipUserAgent(
            *(config.sip, config.media.codecs, config.flows.numbering),
            near=store.ties.near,
            full=lambda calls: speech.load(calls).refuses,
            unready=lambda: watch.unready(),
            leases=store.registrations,
            refused=telemetry.refused,
        )
        centre = ContactCentre.opened(
            config,
            Premises(
                *(store, office, registry, endpoint, media, speech, clock, console_url),
                now_counts=lambda: reload.config,
                libraries=lambda: serving.libraries,
                on_change=feed.touch,
            ),
        )
        desk, line, switchboard, archive = centre.desk, centre.line, centre.switchboard, centre.archive
        own_token = secrets.token_urlsafe(32)
        token = config.http.token.reveal() if not listen.loopback or config.http.token.available() else ""
        authentication = Authentication(store.accounts, store.tokens, now=store.now)
        oidc = Oidc(config.http.oidc, console_url)
        lifespan.push_async_callback(oidc.close)
        company_http = HttpActions(
            *(config.flows.services, own_url(sockets), own_token),
            observe=telemetry.http_answered,
            sampling=telemetry.sampling,
        )
        number = config.flows.numbering.number
        waiting = WaitingActions(store.callbacks, line, number, switchboard.destinations.subscriber)
        history = HistoryActions(store.calls, clock.now)
        actions = ActionRegistry(
            *(plugin.actions for plugin in plugins()),
            *(office.actions, waiting.actions, history.actions),
            *(consent.ACTIONS, messages.ACTIONS, company_http.actions),
        )

        sourced = ServiceVocabularies(company_http, lambda: serving.libraries, clock)
        entry = CallEntry(
            config.flows,
            serving,
            lambda name: config.recording.enabled if name == RECORDING_ON else desk.fact(name, clock.now()),
            config.sip.vouching,
            kept_place(line, number),
            paraphrases.classifiers,
            sourced.of,
        )
        prompts = PromptPreparation(entry, speech, media)
        releases = Releases(store.flow_versions)
        known = KnownFacts(line_facts(config), lambda: entry.vocabularies)
        lesson = Lesson(paraphrases.classifiers, entry.voices, paraphrases.state)
        checker = Checker()
        lifespan.ends(checker.stop)
        flows = LiveFlows(
            *(config.flows, known.now, releases, serving, clock, sourced.before(prompts.prepare)),
            on_change=feed.touch,
            lesson=lesson,
            verdicts=Verdicts(config.speech.cache / "verdicts"),
            checker=checker,
        )

        check = ReloadCheck(lambda: reload.config, serving, entry, prompts, flows, known, telemetry, engines, written)
        reload = Reload(
            config,
            check,
            (
                lambda now: endpoint.apply(now.sip),
                lambda now: store.line.apply(now.desk.line),
                centre.apply,
                engines.apply,
                lambda now: company_http.apply(now.flows.services),
                lambda now: entry.apply(now.flows, now.sip.vouching),
                lambda now: known.apply(check.facts),
                lambda now: store.retention.apply(now.retention),
                telemetry.apply,
                lambda now: oidc.apply(now.http.oidc),
                lambda now: written.apply(**now.logs.model_dump()) if written is not None else None,
            ),
            store.audit_log,
        )
        workshop = ConsoleWorkshop(config, serving, flows, releases, checker, store.calls)
        lifespan.ends(workshop.stop)
        probe = StoreProbe(store)
        parts = Parts(
            lifecycle,
            registry,
            probe,
            media,
            speech,
            endpoint,
            flows.status,
            lambda: written.status if written is not None else SinkStatus(),
            lambda: reload.config.sip.open_trunk,
            lifespan.died,
            sourced.stale,
            media.refusal,
        )
        watch, drain = ReadinessWatch(parts.readiness), Drain(lifecycle, endpoint, registry)
        app = application(
            Backend(
                calls=CallHistory(registry, store.calls, store.audit.of_call),
                flows=workshop,
                readiness=parts.readiness,
                context=desk.context,
                audit=store.audit_log,
                mask=config.logs.redact,
                started=lambda: lifecycle.life is not Life.STARTING,
                zone=ZoneInfo(time_zone),
                seats=centre.seats,
                recordings=archive,
                board=centre.board,
                board_phone=BoardPhones(centre.floor),
                metrics=telemetry.expose,
                drain=drain,
                retry_after_s=lambda: reload.config.sip.retry_after_s,
                configuration=lambda: shown(reload.config),
                words=WordingDesk(
                    config, known.now, releases, speech.render, store.audit_log, None, flows.one_at_a_time
                ),
                drafts=DraftDesk(config, store.drafts, flows, serving, checker),
                node=config.node,
            ),
            feed,
            authentication=authentication,
            token=token,
            own_token=own_token,
            resources=office.routes(),
            trusted_proxies=config.http.trusted_proxies,
            oidc=oidc,
            secure=config.http.public_url.lower().startswith("https:"),
        )
        lifecycle.begin("opening HTTP")
        http = HttpServer(app, sockets)
        lifespan.push_async_callback(centre.seats.stop)  # once the pages are closed
        await lifespan.begin(http.start(), http.stop)
        lifecycle.begin("opening the database")
        await lifespan.begin(store.prepare(), store.close)
        lifespan.push_async_callback(probe.settle)
        lifespan.push_async_callback(engines.stop)
        engines.begin()
        lifespan.push_async_callback(authentication.settle)
        heir = config.store.takeover and not store.database.in_memory
        if heir and config.loses_keys:
            log.warning("takeover.keys_unkept", meaning=UNKEPT, remedy="set [takeover] key, the same on every node")
        if count := await store.begin(heir=heir):
            log.warning("calls.reconciled", count=count)
        asked = token or config.http.public_url or config.http.trusted_proxies  # others come than who is at the machine
        first_link = await offered(authentication, console_url, config.store.spool_folder) if asked else ""
        if first_link:
            lifespan.beside(withdrawn(authentication, config.store.spool_folder), "first link")
        lifespan.beside(store.run(clock, lambda: [call.call_id for call in registry]), "store")
        await lifespan.begin(entry.load_vocabularies(actions), company_http.aclose)
        lifecycle.begin("checking the flows")
        library = await flows.start()
        check_entries(config.flows, library)
        await sourced.load(library)
        lifecycle.begin("starting the media process")
        await engines.media_up()
        lifecycle.begin("loading recogniser and voices")
        await engines.speech_up()
        lifecycle.begin("rendering prompts")
        await prompts.begin(library, lambda done, total: lifecycle.begin("rendering prompts", done, total))
        lifespan.beside(prompts.go_on(library), "prompts")

        await centre.begin(lifespan, clock)
        lifespan.beside(PromisedCallbacks(store.callbacks, line, clock).run(), "promised call backs")
        services = CallServices(
            media=media,
            speech=speech,
            actions=actions,
            desk=desk,
            line=line,
            records=store.calls,
            clock=clock,
            registry=registry,
            switchboard=switchboard,
            floor=centre.floor,
            time_zone=ZoneInfo(time_zone),
            waiting=lambda: _waiting_rules(reload.config.desk.line),
            number=number,
            messages=archive,
            tie=centre.tie,
            dialogs=store.dialogs if heir else None,
        )
        call_backs = CallBacks(services, line, centre.seats.deliver, drains)
        lifespan.beside(call_backs.run(), "call backs")
        lifespan.beside(entry.follow_vocabularies(actions, clock), "vocabularies")
        lifespan.beside(sourced.follow(), "vocabularies of services")
        lifespan.beside(flows.run(), "flows")
        store.retention.apply(config.retention)
        subjects = DataSubjects(store, office, archive, config.flows.numbering, config.speech.cache / SAID)
        lifespan.beside(subjects.follow(clock), "calls to be forgotten")
        files = {"recordings": archive.purge, "prompts": prompts_said(config.speech.cache)}
        lifespan.beside(store.retention.hourly(clock, files), "retention")
        telemetry.begin(lifespan)

        telemetry.measure(
            config,
            Measured(
                parts=parts,
                workers=lambda: engines.workers,
                config=lambda: reload.config,
                config_ok=lambda: reload.accepted,
                view=line.view,
                traffic=endpoint.traffic,
                skills=centre.skills.now,
                libraries=lambda: serving.libraries,
                actions=frozenset(known.facts.signatures),
                refused_credentials=lambda: {"http": authentication.guesses.refused},
                retention_done_at=lambda: store.retention.done_at,
                taken_over=lambda: takeovers.taken,
                certificates=lambda: {"sip": ends} if (ends := endpoint.load().certificate_ends) else {},
            ),
        )
        acceptor, tied = Acceptor(services, entry.open), TiedCalls(services, centre.tie)

        def arrived(leg: Leg) -> None:
            if leg.trunk == TIE_LINE:
                tied.accept(leg, tie_token(leg.called.uri))
            else:
                acceptor.accept(leg)

        def room() -> int:
            free = reload.config.sip.max_calls - endpoint.calls if lifecycle.life is Life.SERVING else 0
            store.has_room(max(0, free))
            return max(0, free)

        takeovers = Takeovers(services, acceptor, store.dialogs, endpoint, entry.open, entry.go_on, room, call_backs)
        if heir:
            endpoint.take_orphans(takeovers.take)
        await lifespan.begin(endpoint.start(arrived), endpoint.stop)
        lifespan.push_async_callback(centre.tie.close)
        lifespan.push_async_callback(acceptor.stop)
        lifespan.push_async_callback(tied.stop)
        await store.ties.reachable_at(await endpoint.reachable_at())

        if heir:
            lifespan.beside(takeovers.run(store.inherited), "takeovers")
        sip_address = str(endpoint.address)
        lifecycle.reach(Life.SERVING)
        lifespan.callback(lifecycle.reach, Life.STOPPING)
        tls_address = str(endpoint.tls_address) if config.sip.tls is not None else ""
        log.info("service.ready", sip=sip_address, tls=tls_address, http=http_address, flow_version=library.version)
        lifespan.beside(watch.run(), "readiness")
        yield Service(
            *(sip_address, http_address, console_url, registry, endpoint, watch, drain, reload, telemetry),
            *(first_link, tls_address),
        )


def _waiting_rules(line: LineConfig) -> WaitingRules:
    return WaitingRules(line.told_every_s, line.offer_s, line.music, line.overflow, line.overflow_after_s)
