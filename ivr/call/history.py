"""The call history: calls in progress from the registry, past ones from the records, as one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ivr.call.registry import CallRegistry
from ivr.ports import CallRecords


class CallHistory:
    """Implements ``ivr.web.backend.Calls``."""

    def __init__(self, registry: CallRegistry, records: CallRecords) -> None:
        self._registry = registry
        self._records = records

    async def recent(self, limit: int, live: bool | None) -> Sequence[Mapping[str, Any]]:
        now = [call.view() for call in self._registry] if live is not False else []
        if live:
            return now[:limit]
        ids = {call["call_id"] for call in now}
        past = await self._records.recent(limit, live=live)
        return [*now, *(row for row in past if row["call_id"] not in ids)][:limit]

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        live = self._registry.get(call_id)
        return live.view() if live is not None else await self._records.get(call_id)
