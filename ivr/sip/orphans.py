"""Orphaned dialogs: requests inside dialogs that a dead process left, which a proxy brings to this one instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ivr.sip.dialogs import Dialogs, handle
from ivr.sip.headers import BadMessage
from ivr.sip.message import SipRequest
from ivr.sip.transaction import ServerTransaction

MOST = 20  # looked for at once: requests of strangers must not keep the database busy
INSIDE = frozenset({"BYE", "INFO", "INVITE", "OPTIONS", "REFER", "UPDATE"})


async def _nobody(sip_call_id: str) -> bool:
    """No process leaves its dialogs to others."""
    return False


class OrphanDialogs:
    """``take``: goes on with the call of a SIP Call-ID here, if its process is dead; whether its legs are among
    ``dialogs`` now."""

    def __init__(self, dialogs: Dialogs) -> None:
        self._dialogs = dialogs
        self._looking: set[str] = set()
        self.take: Callable[[str], Awaitable[bool]] = _nobody

    def may_have(self, request: SipRequest) -> bool:
        """Whether it is inside a dialog, and one that may be looked for now."""
        return (
            self.take is not _nobody
            and bool(request.to.tag)
            and request.method in INSIDE
            and len(self._looking) < MOST
            and request.call_id not in self._looking
        )

    async def answer(self, transaction: ServerTransaction) -> None:
        """In the dialog where it is to be had, else 481."""
        request = transaction.request
        self._looking.add(request.call_id)
        try:
            found = await self.take(request.call_id)
        finally:
            self._looking.discard(request.call_id)
        leg = self._dialogs.leg_of(request) if found else None
        if leg is None:
            transaction.refuse(481)
            return
        try:
            handle(leg, transaction)
        except BadMessage as error:
            transaction.refuse(error.status, error.phrase, **error.headers)
