"""The call history: calls in progress from the registry, past ones from the records, as one list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ivr.call.registry import CallRegistry
from ivr.ports import CallRecords

Changes = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]


class CallHistory:
    """Implements ``ivr.web.backend.Calls``. ``changes``: what a call changed, in order."""

    def __init__(self, registry: CallRegistry, records: CallRecords, changes: Changes) -> None:
        self._registry = registry
        self._records = records
        self._changes = changes

    async def recent(self, limit: int, live: bool | None) -> Sequence[Mapping[str, Any]]:
        now = [call.view() for call in self._registry] if live is not False else []
        if live:
            return now[:limit]
        ids = {call["call_id"] for call in now}
        past = await self._records.recent(limit, live=live)
        return [*now, *(row for row in past if row["call_id"] not in ids)][:limit]

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        """A past call comes with its ``changes``, by the audit trail."""
        live = self._registry.get(call_id)
        if live is not None:
            return live.view()
        past = await self._records.get(call_id)
        return past and {**past, "changes": await self._changes(call_id)}
