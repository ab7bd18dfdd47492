"""Readiness (/readyz): whether new calls can be served, and the state of every part they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ivr.errors import StoreUnavailable
from ivr.ports import EngineStatus, MediaEngine, RegistrationStatus, SipEndpoint, SpeechService


@dataclass(frozen=True, slots=True)
class Readiness:
    """``store``: "ok", or what is wrong with it; ``spooled``: how many writes wait for it; ``unkept``: how many
    will never be written; ``calls``: how many are in progress; ``flows``: what serves."""

    calls: int
    media: bool
    store: str
    recognisers: Sequence[EngineStatus]
    synthesisers: Sequence[EngineStatus]
    registrations: Sequence[RegistrationStatus]
    flows: Mapping[str, Any]
    spooled: int = 0
    unkept: int = 0

    @property
    def ready(self) -> bool:
        return (
            self.media
            and self.store == "ok"
            and any(recogniser.healthy for recogniser in self.recognisers)
            and all(registration.state == "registered" for registration in self.registrations)
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "status": "ready" if self.ready else "not ready",
            "calls": self.calls,
            "media": "ok" if self.media else "restarting",
            "store": self.store + (f"; {self.spooled} writes wait in the spool" if self.spooled else ""),
            **({"writes_lost": self.unkept} if self.unkept else {}),
            "recognisers": [_engine(status) for status in self.recognisers],
            "synthesisers": [_engine(status) for status in self.synthesisers],
            "registrations": [
                {**asdict(r), "expires_at": r.expires_at and r.expires_at.isoformat()} for r in self.registrations
            ],
            "flow_version": self.flows["version"],
            "flows": self.flows,
        }


def _engine(status: EngineStatus) -> dict[str, Any]:
    return {"name": status.name, "healthy": status.healthy, "detail": status.detail}


class KeptStore(Protocol):
    """A database, and what waits for it: ``waiting`` writes; ``lost`` are those that will never be written."""

    @property
    def waiting(self) -> int: ...
    @property
    def lost(self) -> int: ...
    async def ping(self) -> None:
        """Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a call needs, to be asked how it is. ``calls`` are those in progress; ``flows`` says what serves."""

    calls: Sized
    store: KeptStore
    media: MediaEngine
    speech: SpeechService
    endpoint: SipEndpoint
    flows: Callable[[], Mapping[str, Any]]

    async def readiness(self) -> Readiness:
        try:
            await self.store.ping()
            store = "ok"
        except StoreUnavailable as error:
            store = str(error)
        return Readiness(
            len(self.calls),
            self.media.healthy(),
            store,
            self.speech.recognisers(),
            self.speech.synthesisers(),
            self.endpoint.registrations(),
            self.flows(),
            self.store.waiting,
            self.store.lost,
        )
