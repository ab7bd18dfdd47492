"""Readiness (/readyz): whether new calls can be served, and the state of every part they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field
from typing import Any

from ivr.errors import StoreUnavailable
from ivr.ports import EngineStatus, MediaEngine, RegistrationStatus, SignallingLoad, SipEndpoint, SpeechService


@dataclass(frozen=True, slots=True)
class Readiness:
    """``store``: "ok", or what is wrong with it; ``calls``: how many are in progress; ``flows``: what serves."""

    calls: int
    media: bool
    store: str
    recognisers: Sequence[EngineStatus]
    synthesisers: Sequence[EngineStatus]
    registrations: Sequence[RegistrationStatus]
    flows: Mapping[str, Any]
    sip: SignallingLoad = field(default_factory=SignallingLoad)

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
            "store": self.store,
            "recognisers": [_engine(status) for status in self.recognisers],
            "synthesisers": [_engine(status) for status in self.synthesisers],
            "registrations": [
                {**asdict(r), "expires_at": r.expires_at and r.expires_at.isoformat()} for r in self.registrations
            ],
            "sip": asdict(self.sip),
            "flow_version": self.flows["version"],
            "flows": self.flows,
        }


def _engine(status: EngineStatus) -> dict[str, Any]:
    return {"name": status.name, "healthy": status.healthy, "detail": status.detail}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a call needs, to be asked how it is. ``calls`` are those in progress; ``ping`` raises StoreUnavailable;
    ``flows`` says what serves."""

    calls: Sized
    ping: Callable[[], Awaitable[None]]
    media: MediaEngine
    speech: SpeechService
    endpoint: SipEndpoint
    flows: Callable[[], Mapping[str, Any]]

    async def readiness(self) -> Readiness:
        try:
            await self.ping()
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
            self.endpoint.load(),
        )
