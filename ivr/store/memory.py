"""The ledger, callbacks and resume points in this process instead of a database: for simulated calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ivr.events import CALLBACK_REQUEST
from ivr.ports import Callback
from ivr.store.ledger import Json, Stamp


@dataclass(slots=True)
class AuditLine:
    stamp: Stamp
    caller_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    undone: bool = False


@dataclass(slots=True)
class MemoryLedger:
    """What ``ivr.store.ledger`` does: effects happen once a key, and leave a trace."""

    trail: list[AuditLine] = field(default_factory=list)
    _results: dict[str, tuple[str, Json]] = field(default_factory=dict)

    async def once(self, stamp: Stamp, effect: Callable[[], Awaitable[Json]]) -> Json:
        """What the effect returns, or returned then. Raises ActionError when the key belongs to another action."""
        if stamp.key in self._results:
            action, result = self._results[stamp.key]
            stamp.must_be(action)
            return result
        result = await effect()
        self._results[stamp.key] = (stamp.action, result)
        return result


class MemoryCallbacks:
    """Implements ``ivr.ports.Callbacks``."""

    def __init__(self, now: Callable[[], datetime], ledger: MemoryLedger) -> None:
        self._now = now
        self._ledger = ledger
        self._requests: list[Callback] = []

    async def request(
        self, number: str, *, name: str, caller_id: str, skill: str, wanted: str, key: str, call_id: str
    ) -> int:
        stamp = Stamp(key, CALLBACK_REQUEST, call_id, self._now())

        async def effect() -> Json:
            identity = len(self._requests) + 1
            self._requests.append(
                Callback(identity, number, name, caller_id, skill, wanted, call_id, "waiting", stamp.at)
            )
            self._ledger.trail.append(AuditLine(stamp, caller_id, None, {"callback": identity, "skill": skill}))
            return {"id": identity}

        return int((await self._ledger.once(stamp, effect))["id"])

    async def waiting(self) -> Sequence[Callback]:
        return [request for request in self._requests if request.state == "waiting"]

    async def close(self, callback_id: int) -> bool:
        for place, request in enumerate(self._requests):
            if request.id == callback_id and request.state == "waiting":
                self._requests[place] = replace(request, state="done")
                return True
        return False


class MemoryResumePoints:
    """Implements ``ivr.ports.ResumePoints``."""

    def __init__(self) -> None:
        self._points: dict[str, list[tuple[datetime, Mapping[str, Any], str]]] = {}

    async def save_resume_point(
        self, caller_id: str, snapshot: Mapping[str, Any], at: datetime, *, call_id: str = ""
    ) -> None:
        if call_id:
            await self.forget_resume_point(call_id)
        self._points.setdefault(caller_id, []).append((at, snapshot, call_id))

    async def forget_resume_point(self, call_id: str) -> None:
        for caller_id, points in self._points.items():
            self._points[caller_id] = [point for point in points if point[2] != call_id]

    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        fresh = [point for point in self._points.pop(caller_id, ()) if point[0] >= not_before]
        return max(fresh, key=lambda point: point[0])[1] if fresh else None
