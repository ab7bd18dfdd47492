"""Earlier calls of a number, out of a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivr.desk.earlier_calls import MOST, RecordedCalls
from ivr.store import Store

AT = datetime(2026, 3, 3, 18, 0, tzinfo=UTC)


async def test_those_of_the_number_in_any_notation_the_newest_first_without_this_one(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'ivr.sqlite3'}", timeout_s=10.0)
    await store.upgrade()
    try:
        for number in range(MOST + 3):
            at = AT + timedelta(hours=number)
            await store.calls.begin(f"c{number}", "5035550101", "100", at, {})
            told = {"seconds": 12.0, "handoff_reason": "thinking of cancelling"}
            await store.calls.finish(f"c{number}", "with agent", at + timedelta(seconds=12), told)
        await store.calls.begin("other", "5035550177", "100", AT, {})
        await store.calls.begin("now", "5035550101", "100", AT + timedelta(days=2), {})
        found = await RecordedCalls(store.calls)("+1 503 555-0101", "c8")
        assert [call.call_id for call in found] == ["c7", "c6", "c5", "c4", "c3", "c2"]
        first = found[0]
        assert (first.outcome, first.reason, first.seconds) == ("with agent", "thinking of cancelling", 12.0)
        assert first.at == AT + timedelta(hours=7)
    finally:
        await store.close()
