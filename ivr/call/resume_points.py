"""Resume points: where a dropped call stopped, so that the caller's next call goes on there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from ivr.call.journal import Journal
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.events import CALLER_ID
from ivr.ports import ResumePoints

log = structlog.get_logger(__name__)

RESUME_WITHIN = timedelta(minutes=30)
STORE_TIMEOUT_S = 2.0


async def taken(points: ResumePoints, caller_id: str, now: datetime) -> Mapping[str, object] | None:
    """The snapshot of this caller's call that dropped within RESUME_WITHIN, used once; None without, or when the
    store does not answer."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await points.take_resume_point(caller_id, now - RESUME_WITHIN)
    except (IvrError, TimeoutError, OSError) as error:
        log.warning("resume.unavailable", error=str(error) or "timeout")
        return None


def keep(journal: Journal, dialogue: Dialogue, now: datetime) -> None:
    """The call drops now: what is worth it is kept, behind the call, for callers who are known."""
    snapshot, caller_id = dialogue.snapshot(), dialogue.facts.get(CALLER_ID)
    if snapshot is not None and caller_id:
        journal.save_resume_point(str(caller_id), snapshot, now)
