"""SIP server transactions: INVITE by RFC 3261's figure 7 with RFC 6026's "accepted", all others by figure 8."""

from __future__ import annotations

from collections.abc import Callable

from ivr.sip.message import Peer, SipRequest, SipResponse, encode, response_to, sent_by, stamp_source, stateless_tag
from ivr.sip.timers import T2, Backoff, Timers
from ivr.sip.transaction import Key, Send, Transaction
from ivr.sip.transaction import TransactionState as State


class ServerTransaction(Transaction):
    """One request received from ``peer``. ``respond`` answers it; retransmissions get the last answer again."""

    def __init__(self, key: Key, request: SipRequest, peer: Peer, send: Send, timers: Timers) -> None:
        super().__init__(key, request, peer, send, timers)
        self._reply_to = stamp_source(request, peer)
        self._fallback = sent_by(request, peer) if peer.reliable else None
        self._last = b""
        self.final: SipResponse | None = None

    def respond(self, response: SipResponse) -> None:
        """Send ``response``; after a final one, nothing more (section 17.2)."""
        if self.final is not None:
            return
        self._last = encode(response)
        self._transmit()
        if response.status_code < 200:
            self.state = State.PROCEEDING
        else:
            self.final = response
            self._answered(response.status_code)

    def refuse(self, status: int, reason: str = "", *, tag: str = "", **headers: str) -> None:
        """Respond finally, without a body; ``headers`` are named with _ for -."""
        response = response_to(self.request, status, reason, tag=tag or stateless_tag(self.request))
        for name, value in headers.items():
            response.headers.set(name.replace("_", "-"), value)
        self.respond(response)

    def repeat(self) -> None:
        """Send the last answer again, because the request came again."""
        self._transmit()

    def _answered(self, status: int) -> None:
        raise NotImplementedError

    def _transmit(self) -> None:
        if self._last:
            self._send(self._last, self._reply_to, self._fallback)


class InviteServerTransaction(ServerTransaction):
    """An INVITE received (section 17.2.1, figure 7; RFC 6026 section 8.7). It also repeats a 2xx until its ACK, on any
    transport, which section 13.3.1.4 leaves to the user agent; ``on_no_ack`` hears of an ACK that never came."""

    state = State.PROCEEDING

    def __init__(self, key: Key, request: SipRequest, peer: Peer, send: Send, timers: Timers) -> None:
        super().__init__(key, request, peer, send, timers)
        self.on_no_ack: Callable[[], None] | None = None
        self.on_cancel: Callable[[], None] | None = None

    def _answered(self, status: int) -> None:
        if status < 300:
            self._enter(State.ACCEPTED, L=self._accepted_over)
            self._running["2xx"] = Backoff(self._timers, self._transmit, T2)
        else:
            self._enter(State.COMPLETED, G=self._transmit, H=self.terminate)

    def repeat(self) -> None:
        if self.state in (State.PROCEEDING, State.COMPLETED) or "2xx" in self._running:
            self._transmit()

    def acknowledge(self) -> None:
        """Note that the ACK came."""
        if self.state is State.COMPLETED:
            self._enter(State.CONFIRMED, I=self.terminate)
        else:
            self._stop("2xx")

    def _accepted_over(self) -> None:
        unacknowledged = "2xx" in self._running
        self.terminate()
        if unacknowledged and self.on_no_ack is not None:
            self.on_no_ack()


class NonInviteServerTransaction(ServerTransaction):
    """Any other request received (section 17.2.2, figure 8)."""

    state = State.TRYING

    def _answered(self, status: int) -> None:
        self._enter(State.COMPLETED, J=self.terminate)
