"""What the console asks of the service: flows as pictures, their versions, and calls to try them on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from ivr.web.feed import Feed


class Trial(Protocol):
    """A call without a telephone, by typing. All methods raise IvrError for what can't be done."""

    async def begin(self) -> Mapping[str, Any]:
        """What happened: ``entries`` (kind, state, text), ``states`` passed, ``state``, ``slots``, ``records``
        (what the company keeps of the caller), ``result``, ``over``."""
        ...

    async def obey(self, line: str) -> Mapping[str, Any]:
        """Words, keys, or a command that begins with a slash; the same as ``begin``, with ``text`` for answers."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FlowSummary:
    name: str
    about: str
    version: str
    states: int


class ConsoleFlows(Protocol):
    def summaries(self) -> Sequence[FlowSummary]:
        """Of the live version, the entry flow first."""
        ...

    def status(self) -> Mapping[str, Any]:
        """version, canary, rejected_findings, held, reloads, rejections."""
        ...

    def findings(self) -> Sequence[Mapping[str, Any]]:
        """Why the newest files were rejected; empty when they were not."""
        ...

    def rejected_at(self) -> str: ...

    async def picture(self, flow: str) -> str:
        """SVG of the live version; ids ``state-<flow>-<state>``. Raises FlowError for an unknown flow."""
        ...

    async def history(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """at, kind, version, previous, by, changed; newest first. Raises StoreUnavailable."""
        ...

    async def roll_back(self, by: str, version: str) -> str:
        """Raises FlowError, StoreUnavailable."""
        ...

    async def trial(self, flow: str, caller: str, language: str) -> Trial:
        """Raises FlowError."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleBackend:
    """``mask``: hide telephone numbers, as the logs do."""

    flows: ConsoleFlows
    feed: Feed
    mask: bool = True
    languages: tuple[str, ...] = ("en-US",)


CONSOLE: web.AppKey[ConsoleBackend] = web.AppKey("console", ConsoleBackend)
