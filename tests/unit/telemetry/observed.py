"""Calls as observers are told of them, and a line at one moment, for tests of what is made of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ivr.config import Config, FlowsConfig, HttpService, NumberPlan, SipConfig, Trunk
from ivr.events import RECORDING_AGREED
from ivr.log_sink import SinkStatus
from ivr.media.load import MediaLoad
from ivr.ports import (
    Accepted,
    AgentStatus,
    Arrival,
    Began,
    CallObserver,
    EngineStatus,
    HttpAnswered,
    HumanWanted,
    Joined,
    LegStats,
    LineView,
    Moment,
    Opened,
    Over,
    Parted,
    Place,
    Played,
    Rang,
    Recognised,
    RegistrationStatus,
    TurnAnswered,
    Waited,
)
from ivr.readiness import Readiness
from ivr.record import Entered, Entry, HandedOver, Happening, Performed, Prompted, Understood
from ivr.sip.traffic import SipTraffic
from ivr.telemetry.exposition import Exposition
from ivr.telemetry.families import Families
from ivr.telemetry.labels import Labels
from ivr.telemetry.line_metrics import LineState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STATS = LegStats("PCMU", 900, 980, 20, 0, 4.0)
CONFIG = Config(
    sip=SipConfig(trunks=(Trunk(name="pbx", allow=("192.0.2.10",)),)),
    flows=FlowsConfig(
        numbers=(NumberPlan(called="5035550199", entry="discs", language="es-ES"),),
        services=(HttpService(name="deliveries", url="/api"),),
    ),
)
MAIN = "main.ask"


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def entry(at: float, what: Happening, state: str = MAIN) -> Entry:
    return Entry(what, after(at), state)


def story(**began: Any) -> Sequence[tuple[float, Moment]]:
    """A caller who says something, has it done by a company's service, wants a person, waits and talks with her."""
    identity = {"sip_call_id": "a@pbx", "caller": "+15035550142", "called": "+15035550100", "trunk": "pbx"}
    steps = {"recognition_s": 0.3, "recogniser_s": 0.2, "action_s": 0.2}
    moments: Sequence[tuple[float, Moment | Happening]] = [
        (0.0, Began(**{**identity, **began})),
        (0.1, Accepted()),
        (0.2, Opened("main", "v1", "en-US")),
        (0.2, Entered("main.ask", "question")),
        (0.3, Prompted("What can I do for you?", ("main.ask",))),
        (3.3, Played(3.0)),
        (6.0, Recognised("success", 0.2, 1.5)),
        (6.0, Understood("hold my discs", "success", "hold", {}, 0.9, how="grammar")),
        (6.2, HttpAnswered("deliveries", "PUT", 200, 0.15, "http key-1")),
        (6.2, Performed("http.call", "ok", 0.2)),
        (6.3, Prompted("Done.", ("main.done",))),
        (7.3, Played(1.0)),
        (7.3, TurnAnswered(0.8, steps)),
        (9.0, HumanWanted("asked", "general")),
        (12.0, Rang("agnes", "no_answer", 2.5)),
        (19.0, Rang("rosa", "answered", 3.0, 1.0)),
        (19.0, Waited(10.0)),
        (19.0, HandedOver("rosa", "asked")),
        (19.0, Joined("rosa", "general", "b@line", 10.0)),
        (49.0, Parted("rosa", "over", "agent", 30.0)),
        (49.1, Over("handed over", "agent", 200, CANONICAL, STATS, {RECORDING_AGREED: True})),
    ]
    return [(at, entry(at, what) if isinstance(what, Happening) else what) for at, what in moments]


CANONICAL: Mapping[str, Any] = {
    "seconds": 49.1, "language": "en-US", "handoff_reason": "asked", "end_reason": "hung up", "journal_lost": 2,
}  # fmt: skip


def tell(observer: CallObserver, moments: Sequence[tuple[float, Moment]], call_id: str = "c1") -> None:
    for at, what in moments:
        observer.observe(call_id, after(at), what)


def place(number: int, state: Any = "waiting", skill: str = "general", **values: Any) -> Place:
    return Place(number, Arrival(f"tel:{number}", f"c{number}", skill, 5), after(-30.0 * number), state, **values)


MEDIA = (MediaLoad(1, True, 120, 0, 5000, 3, 0.004), MediaLoad(2, False, 80, 1, 4000, 60, 0.03))


def line_state(**values: Any) -> LineState:
    engine = EngineStatus("moonshine", ("en-US",), True)
    registered = (RegistrationStatus("pbx", "registered"),)
    status = {"version": "v1"}
    readiness = Readiness(
        2, True, "ok", (engine,), (engine,), registered, status, endpoints=(engine,), media_processes=MEDIA
    )
    view = LineView(
        (place(1), place(2, "offered"), place(3, "callback", due_at=after(-1)), place(4, skill="never configured")),
        (AgentStatus("rosa", "idle", START, ("general",)), AgentStatus("agnes", "busy", START, ("general",))),
    )
    usual = {
        "version": "1",
        "at": START,
        "readiness": readiness,
        "live": {"dialogue": 1, "waiting": 1, "agent": 0},
        "max_calls": 100,
        "view": view,
        "traffic": SipTraffic(),
        "restarts": {"media": 1},
        "refused_credentials": {"http": 3},
        "certificates": {"sip": after(86400)},
        "spools": {"cdr": SinkStatus("full: no space", 4)},
        "done_at": START,
        "taken_over": 2,
        "media_legs_max": 200,
    }
    return LineState(**{**usual, **values})


async def exposed(families: Families, labels: Labels, state: LineState | None = None, accept: str = "") -> str:
    async def look() -> LineState:
        return state or line_state()

    exposition = Exposition(families, labels, look, lambda: {}, {})
    text, _ = await exposition.render(accept)
    return text.decode()
