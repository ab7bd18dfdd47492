"""Ports of the web server: what its pages and its API ask of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Protocol, TypeVar

from aiohttp import web

from ivr.call_search import CallSearch, CallsFound
from ivr.desk.seats import Seats
from ivr.errors import StoreUnavailable
from ivr.ports import AgentState, AuditLog, Recordings, Supervision
from ivr.readiness import Readiness

T = TypeVar("T")

STORE_TIMEOUT_S = 2.0

Expose = Callable[[str], Awaitable[tuple[bytes, str]]]
"""From an Accept header to the metrics as text, and its content type."""


class Calls(Protocol):
    """Live and past calls, one view over both. ``find`` and ``get`` raise StoreUnavailable."""

    def live(self) -> Sequence[Mapping[str, Any]]: ...
    async def find(self, asked: CallSearch) -> CallsFound: ...
    async def get(self, call_id: str) -> Mapping[str, Any] | None: ...


class Trial(Protocol):
    """A call without a telephone, by typing. All methods raise IvrError for what can't be done."""

    async def begin(self) -> Mapping[str, Any]:
        """What happened: ``entries`` (kind, state, text), ``states`` passed, ``state``, ``slots``, ``records``
        (what the company keeps of the caller), ``result``, ``over``."""

    async def obey(self, line: str) -> Mapping[str, Any]:
        """Words, keys, or a command that begins with a slash; the same as ``begin``, with ``text`` for answers."""

    def close(self) -> None:
        """Nobody looks at it any more."""


@dataclass(frozen=True, slots=True)
class FlowSummary:
    name: str
    about: str
    version: str
    states: int


class Flows(Protocol):
    def summaries(self) -> Sequence[FlowSummary]:
        """Of the live version, the entry flow first."""

    def languages(self) -> Sequence[str]:
        """What the live version speaks."""

    def company(self) -> tuple[str, Mapping[str, Sequence[str]]] | None:
        """The company file of the live version in words: a title, and lines by their heading; None without one."""

    def status(self) -> Mapping[str, Any]:
        """version, canary, rejected_findings, held, reloads, rejections."""

    def findings(self) -> Sequence[Mapping[str, Any]]:
        """Why the newest files were rejected; empty when they were not."""

    def rejected_at(self) -> str: ...

    async def picture(self, flow: str) -> str:
        """SVG of the live version; ids ``state-<flow>-<state>``. Raises FlowError for an unknown flow."""

    async def history(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """at, kind, version, previous, by, changed; newest first. Raises StoreUnavailable."""

    async def roll_back(self, by: str, version: str) -> str:
        """To ``version``, or with "" to the one before the live one. Raises FlowError, StoreUnavailable."""

    async def trial(self, flow: str, caller: str, language: str) -> Trial:
        """Raises FlowError, UnavailableError."""


@dataclass(frozen=True, slots=True)
class WordsFound:
    """``rows``: a page of ``count`` texts. The rest is what can be asked for: everything that there is."""

    rows: Sequence[Mapping[str, Any]]
    count: int
    languages: Sequence[str]
    personas: Sequence[str]
    owners: Sequence[str]


class Words(Protocol):
    """What the line says, in the files of its flows. ``wanted``: language, persona, owner, status, text. All methods
    raise FlowError with why something can't be done, StoreUnavailable."""

    async def search(self, wanted: Mapping[str, str], start: int, most: int) -> WordsFound: ...
    async def sheet(self, wanted: Mapping[str, str]) -> str:
        """As CSV, for a translator."""

    async def read_sheet(self, data: bytes) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """What a sheet changes, for ``save``, and that in words; nothing is written."""

    async def save(self, by: str, changes: Sequence[Mapping[str, Any]]) -> Sequence[str]:
        """All of them, or none: ``key``, ``text``, ``was``, ``of``, ``right``; what was done, in words."""

    async def undo(self, by: str) -> Sequence[str]:
        """Take back what ``by`` saved last; the files."""

    async def sound(self, key: str, text: str) -> bytes | None:
        """A WAV file of the text of ``key``, or of ``text`` in its place; None for an unknown key. Raises
        UnavailableError."""


class BoardPhone(Protocol):
    """A supervisor's browser phone, as long as their board is open."""

    @property
    def name(self) -> str:
        """Under which conversations know it."""

    async def connect(self, sdp: str) -> str:
        """Our SDP answer to the page's offer. Raises IvrError, ValueError."""

    async def close(self) -> None: ...


class Board(Protocol):
    """The supervisor's board; see ``ivr.desk.board``. Commands raise IvrError with what can't be done."""

    def view(self) -> Mapping[str, Any]: ...
    @property
    def promises(self) -> Mapping[str, Any]: ...
    async def day(self, day: date) -> Mapping[str, Any]: ...
    async def set_hours(self, by: str, *, open_: bool | None, until: datetime | None, reason: str = "") -> None: ...
    async def announce(self, by: str, text: str, until: datetime | None = None) -> None: ...
    async def move(self, by: str, place_id: int, *, skill: str = "", priority: int | None = None) -> None: ...
    async def set_skills(self, by: str, agent: str, skills: Sequence[str]) -> None: ...
    async def set_state(self, by: str, agent: str, state: AgentState, reason: str = "") -> None: ...
    async def supervise(self, by: str, phone: str, agent: str, how: Supervision) -> None: ...


class Drain(Protocol):
    """No new calls until it is taken back. ``final``: the process ends with it."""

    @property
    def final(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def calls(self) -> int: ...
    def begin(self, by: str, retry_after_s: int) -> None: ...
    def undo(self, by: str) -> None:
        """Raises UnavailableError where the line ends."""


@dataclass(frozen=True, slots=True)
class Backend:
    """``context``: a hand-over's, by the token in its link. ``audit``: who did what. ``mask``: hide
    telephone numbers, as the logs do.
    ``started``: whether there is anything to show yet, beside readiness. ``zone``: in which a day is asked for.
    ``seats``: live agents' consoles; None where there are none. ``recordings``: of conversations and messages; None
    where there are none. ``board``: the supervisors'; ``board_phone``: makes their phone, by name.
    ``metrics``: the exposition, None where there is none. ``drain``: of the line; ``retry_after_s``: for the calls it
    refuses. ``words``: what is said, for who writes it; None where nobody may. ``configuration``: what the line serves
    with, without secrets. ``node``: what this line is called among
    those on one database."""

    calls: Calls
    flows: Flows
    readiness: Callable[[], Awaitable[Readiness]]
    context: Callable[[str], Awaitable[Mapping[str, Any] | None]]
    audit: AuditLog
    mask: bool = True
    started: Callable[[], bool] = lambda: True
    zone: tzinfo = UTC
    seats: Seats | None = None
    recordings: Recordings | None = None
    board: Board | None = None
    board_phone: Callable[[str], BoardPhone] | None = None
    metrics: Expose | None = None
    drain: Drain | None = None
    retry_after_s: Callable[[], int] = lambda: 30
    configuration: Callable[[], Mapping[str, Any]] = lambda: {}
    words: Words | None = None
    node: str = ""


BACKEND: web.AppKey[Backend] = web.AppKey("backend", Backend)


async def in_time(work: Awaitable[T]) -> T:
    """What the store answers while somebody waits for a page. Raises StoreUnavailable, also when that takes long."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await work
    except TimeoutError as error:
        raise StoreUnavailable("the store does not answer") from error
