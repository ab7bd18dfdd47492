"""Verification of a caller's secret (a PIN), with tries that are limited across calls.

Nothing tells what was wrong: a number that nobody has, one without a secret and a wrong secret are one outcome, after
the same work and counted alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from ivr.ports import VerificationTries

OUTCOMES = ("ok", "wrong", "locked")

log = structlog.get_logger(__name__)


async def verify(tries: VerificationTries, claimed: str, caller: str, proves: Callable[[], Awaitable[bool]]) -> str:
    """ "ok", "wrong" or "locked". ``claimed``: whom the caller says to be. ``caller``: the calling number, "" withheld.

    A try counts as wrong until it has proved right: who hangs up on it, or makes many at once, gains nothing. Raises
    StoreUnavailable."""
    this = await tries.begin(claimed, caller)
    if this is None:
        log.info("verification.locked", withheld=not caller)
        return "locked"
    if not await proves():
        log.info("verification.wrong", withheld=not caller)
        return "wrong"
    await tries.passed(this)
    return "ok"
