"""Earlier calls of the same person, as the records have them by their number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ivr.call_search import CallSearch, reason_of
from ivr.ports import CallRecords, EarlierCall

MOST = 6


class RecordedCalls:
    """Implements ``ivr.ports.EarlierCalls``."""

    def __init__(self, records: CallRecords) -> None:
        self._records = records

    async def __call__(self, number: str, but: str) -> Sequence[EarlierCall]:
        found = await self._records.find(CallSearch(text=number, live=False, limit=MOST), {but})
        return [
            EarlierCall(
                str(call["call_id"]),
                datetime.fromisoformat(call["started_at"]),
                str(call.get("outcome") or ""),
                reason_of(call),
                (call.get("canonical") or {}).get("seconds"),
            )
            for call in found.calls
        ]
