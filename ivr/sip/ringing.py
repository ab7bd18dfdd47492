"""Telephones that ring on our account: what they send before anybody answers. And those that a dead process left
ringing: a CANCEL stops them (RFC 3261 section 9.1), which must look as if it came from whoever sent the INVITE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

import structlog

from ivr.plain_text import plain
from ivr.sip.dialog import CallDialog
from ivr.sip.dialogs import fits
from ivr.sip.headers import BadMessage, Headers
from ivr.sip.message import Peer, SipRequest
from ivr.sip.outbound_call import OutboundCall
from ivr.sip.restored import AHEAD
from ivr.sip.signalling import Signalling, Unresolvable
from ivr.sip.transaction import ClientTransaction, within

log = structlog.get_logger(__name__)

NEEDED = ("Via", "From", "To", "Call-ID", "CSeq", "Route")


class RingingPhones:
    """Of one user agent."""

    def __init__(self, core: Signalling) -> None:
        self._core = core
        self._calls: list[tuple[str, OutboundCall]] = []

    @contextmanager
    def of(self, call: OutboundCall, call_id: str) -> Iterator[None]:
        """While it is under way, for the call ``call_id``."""
        self._calls.append((call_id, call))
        try:
            yield
        finally:
            self._calls.remove((call_id, call))

    def takes(self, request: SipRequest, source: Peer) -> bool:
        """Answer what is inside the early dialog of a telephone that rings: an UPDATE, which says more of who is rung
        (RFC 3311 section 5.1), or a probe. False for anything else. Raises BadMessage."""
        if request.method not in ("OPTIONS", "UPDATE") or not request.to.tag:
            return False
        inside = (call.early_dialog(request) for _, call in self._calls)
        if (early := next(filter(None, inside), None)) is None:
            return False
        transaction = self._core.transactions.accept(request, source)
        if not fits(early.dialog, transaction):
            return True
        if request.method == "UPDATE" and request.sdp() is not None:
            transaction.refuse(488 if early.settled else 491)  # media are the answer's; until there is one, ours stands
            return True
        if request.method == "UPDATE":
            early.dialog.retarget(request)
        contact = self._core.contact(transaction.peer)
        transaction.respond(early.dialog.response(request, 200, contact=contact))
        return True

    def kept(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        """As JSON: those that ring for this call."""
        ringing = [(call.ringing, call.early) for for_call, call in self._calls if for_call == call_id]
        return [
            {
                "uri": invite.request.uri,
                "peer": [invite.peer.transport, invite.peer.host, invite.peer.port, invite.peer.name],
                "headers": {name: list(invite.request.headers.get(name)) for name in NEEDED},
                "early": asdict(early) if early is not None else None,
            }
            for invite, early in ringing
            if invite is not None
        ]

    def cancel(self, kept: Mapping[str, Any]) -> None:
        """Raises ValueError."""
        try:
            invite, peer = SipRequest(method="INVITE", uri=str(kept["uri"]), headers=Headers()), Peer(*kept["peer"])
            for name, values in kept["headers"].items():
                invite.headers.set(name, *values)
            cancel = within(invite, "CANCEL")
            early = CallDialog(**kept["early"]) if kept.get("early") else None
        except (BadMessage, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no INVITE to cancel: {error}") from error
        self._core.transactions.start(ClientTransaction, cancel, peer, lambda _: None)
        if early is not None:
            early.local_cseq += AHEAD
            self._core.spawn(self._hang_up(early, peer), "sip-early-bye")
        log.info("sip.cancelled", sip_call_id=plain(invite.call_id), to=peer.host)

    async def _hang_up(self, early: CallDialog, peer: Peer) -> None:
        """Whoever had answered already, which the CANCEL comes too late for (section 15.1.1). Others say 481."""
        with suppress(Unresolvable):
            peer = await self._core.peer_of(early, peer)
            await self._core.request(early.request("BYE", self._core.via(peer), ""), peer, "", early)
