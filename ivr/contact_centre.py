"""The contact centre of a line: who waits, who serves them, by which rules, and what joins the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo

from ivr.call.registry import CallRegistry
from ivr.company import OpenCompany
from ivr.config import Config
from ivr.desk import ConfiguredDesk, WaitingLine
from ivr.desk.announcements import WaitAnnouncements
from ivr.desk.board import DeskBoard
from ivr.desk.earlier_calls import RecordedCalls
from ivr.desk.page import TranscriptLine
from ivr.desk.routing import Rules
from ivr.desk.scoring import Scoring
from ivr.desk.seats import Seats
from ivr.desk.settings import LiveSettings
from ivr.desk.skills import NamedSkills
from ivr.desk.story import Stories
from ivr.dialogue.flows.library import FlowLibrary
from ivr.lifespan import Lifespan
from ivr.phones.destinations import Destinations
from ivr.phones.floor import AgentFloor
from ivr.phones.recording import CallRecording, SpokenLine
from ivr.phones.switchboard import Switchboard
from ivr.phones.tie_line import TieLine
from ivr.ports import CallRecords, Clock, MediaEngine, SipEndpoint, SpeechService
from ivr.record import Entry, Spoken
from ivr.recording.archive import Archive
from ivr.sealing import Keys
from ivr.store.store import Store


@dataclass(frozen=True, slots=True)
class Premises:
    """What it is opened in. ``now_counts`` is the configuration as reloads have left it, ``libraries`` are the flows
    that serve, ``on_change`` tells the consoles, which are at ``console_url``."""

    store: Store
    office: OpenCompany
    registry: CallRegistry
    endpoint: SipEndpoint
    media: MediaEngine
    speech: SpeechService
    clock: Clock
    console_url: str
    now_counts: Callable[[], Config]
    libraries: Callable[[], Sequence[FlowLibrary]]
    on_change: Callable[[], None]

    def live_calls(self) -> list[str]:
        """Ids of the calls in progress here."""
        return [call.call_id for call in self.registry]


async def said_in(records: CallRecords, call_id: str) -> Sequence[TranscriptLine]:
    """What was written down of its conversations. Raises StoreUnavailable."""
    entries = [Entry.from_json(each) for each in (await records.get(call_id) or {}).get("entries", ())]
    told = ((each.what, each.at) for each in entries)
    return [
        TranscriptLine(what.by, what.text, at, what.unsure, what.late) for what, at in told if isinstance(what, Spoken)
    ]


@dataclass(frozen=True, slots=True)
class ContactCentre:
    """Its parts, wired. ``desk``: to whom a call is handed over, when; ``line``: who waits; ``waits``: what is told of
    that, and ``scoring`` whether it was true; ``switchboard``, ``floor`` and ``tie``: the phones; ``seats`` and
    ``board``: what agents and supervisors see; ``archive``: what is recorded."""

    desk: ConfiguredDesk
    settings: LiveSettings
    line: WaitingLine
    waits: WaitAnnouncements
    scoring: Scoring
    switchboard: Switchboard
    floor: AgentFloor
    tie: TieLine
    seats: Seats
    skills: NamedSkills
    board: DeskBoard
    archive: Archive

    @classmethod
    def opened(cls, config: Config, at: Premises) -> Self:
        """Nothing of it runs yet."""
        store, clock, zone = at.store, at.clock, config.flows.time_zone
        settings = LiveSettings(store.desk_settings, at.on_change)
        desk = ConfiguredDesk(
            config.desk,
            store.handoffs,
            time_zone=zone,
            base_url=at.console_url,
            settings=lambda: settings.current,
        )
        scoring = Scoring(store.announced, store.desk_history.handle_times)
        waits = WaitAnnouncements(
            Rules.of(config.desk.line),
            config.desk.line.handle_s,
            now=clock.now,
            keep=scoring.keep,
            unknown=scoring.ask,
        )
        archive = Archive(store.recordings, config.recording.folder, Keys.of(config.recording.keys()), clock.now)
        store.line.apply(config.desk.line)
        line = WaitingLine(
            store.line,
            config.desk,
            clock,
            open_at=desk.open_at,
            estimator=waits,
            live=at.live_calls,
            on_change=at.on_change,
        )

        def written_down(line: SpokenLine) -> None:
            """On the consoles of who talks with them, and in the call's record."""
            if (call := at.registry.get(line.call_id)) is not None:
                call.note(Spoken(line.by, line.text, line.unsure, line.late))
            for seat in filter(None, map(seats.of, line.agents)):
                seat.transcribed(TranscriptLine(line.by, line.text, line.at, line.unsure, line.late))

        recording = CallRecording(
            at.speech,
            archive if config.recording.enabled else None,
            transcribe=config.recording.enabled and config.recording.transcribe,
            on_line=written_down,
        )
        switchboard = Switchboard(
            *(at.endpoint, at.media, at.speech, desk, config.desk.caller_id, Destinations(config)), recording=recording
        )
        floor = AgentFloor(config.desk.agents, switchboard, at.media, store.ties.line)
        seats = Seats(
            line,
            clock,
            Stories(at.office, RecordedCalls(store.calls)),
            at.on_change,
            skills=lambda name: next((a.skills for a in at.now_counts().desk.agents if a.name == name), ("general",)),
            outside=lambda: at.now_counts().desk.line.outside,
            phone=lambda seat: floor.register(seat.account.name, seat),
            subscriber=switchboard.destinations.subscriber,
            said=lambda call_id: said_in(store.calls, call_id),
        )
        skills = NamedSkills(config.desk, at.libraries)
        board = DeskBoard(
            line,
            settings,
            store.audit_log,
            store.desk_history,
            clock,
            ZoneInfo(zone),
            hours=desk.hours_at,
            rules=lambda: waits.rules,
            skills=skills.now,
            bridge_of=floor.bridge_of,
            on_change=at.on_change,
        )
        tie = TieLine(store.ties, switchboard, line, clock)
        return cls(
            desk=desk,
            settings=settings,
            line=line,
            waits=waits,
            scoring=scoring,
            switchboard=switchboard,
            floor=floor,
            tie=tie,
            seats=seats,
            skills=skills,
            board=board,
            archive=archive,
        )

    async def begin(self, lifespan: Lifespan, clock: Clock) -> None:
        """Whoever waits is paired with whoever is free, from now until the end."""
        await self.line.begin()
        lifespan.beside(self.line.run(), "line")
        lifespan.beside(self.scoring.run(self.waits, clock), "scoring")
        lifespan.beside(self.settings.follow(clock), "desk settings")
        lifespan.beside(self.board.follow(), "board")
        lifespan.beside(self.archive.end_dead(clock), "recordings of the dead")
        lifespan.push_async_callback(self.floor.close)

    def apply(self, config: Config) -> None:
        """What a reload may change, for what begins from now on."""
        self.desk.apply(config.desk)
        self.line.apply(config.desk)
        self.waits.apply(Rules.of(config.desk.line))
        self.skills.apply(config.desk)
        self.switchboard.destinations.apply(config)
        self.floor.apply(config.desk.agents)
