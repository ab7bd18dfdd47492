"""Stateless replies (RFC 3261 section 8.2.7): to requests outside of any call, and to what cannot be read."""

from __future__ import annotations

import contextlib

import structlog

from ivr.limits.throttle import CountedLog
from ivr.sip.dialog import must_be_secure, present, secured
from ivr.sip.headers import BadMessage
from ivr.sip.message import (
    MalformedMessage,
    Peer,
    SipMessage,
    SipRequest,
    SipResponse,
    encode,
    refusal,
    response_to,
    sent_by,
    stamp_source,
    stateless_tag,
)
from ivr.sip.signalling import Signalling

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class StatelessReplies:
    """Of one user agent."""

    def __init__(self, core: Signalling) -> None:
        self._core = core
        self._malformed = CountedLog(log, "sip.malformed", core.timers.time, "debug")

    def send(self, response: SipResponse, request: SipRequest, source: Peer) -> None:
        fallback = sent_by(request, source) if source.reliable else None
        self._core.send(encode(response), stamp_source(request, source), fallback)

    def refuse(self, message: SipMessage, source: Peer, status: int, phrase: str = "", **headers: str) -> None:
        """A request that cannot be served, by its transaction where it has one."""
        if not isinstance(message, SipRequest) or message.method == "ACK":
            return
        transaction = self._core.transactions.find(message)
        if transaction is not None:
            transaction.refuse(status, phrase, **headers)
        else:
            self.send(refusal(message, status, phrase, **headers), message, source)

    def refuse_malformed(self, error: MalformedMessage, source: Peer, *, known: bool) -> None:
        """``known``: whether it comes from a peer of ours; nobody else is answered."""
        self._malformed.note(source.host, error=str(error)[:200])
        request, reply = error.request, error.reply
        if request is None or reply is None or not known:
            return
        goal = source
        with contextlib.suppress(BadMessage):  # a Via that cannot be read: back to where it came from
            goal = stamp_source(request, source)
            reply.headers.set("Via", *request.headers.get("via"))
        with contextlib.suppress(ValueError):
            self._core.send(encode(reply), goal)

    def options(self, request: SipRequest, source: Peer) -> SipResponse:
        """Answer that a call would be served (RFC 3261 section 11.2): that is how proxies probe us. Where a part of
        this line is missing they heard 503: a call that comes all the same is taken, and led to a person."""
        response = response_to(request, 200, tag=stateless_tag(request))
        contact = self._core.contact(source)
        present(response, secured(contact) if must_be_secure(request) else contact)
        response.headers.set("Accept", "application/sdp")
        return response
