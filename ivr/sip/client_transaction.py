"""SIP client transactions: INVITE by RFC 3261's figure 5 with RFC 6026's "accepted", all others by figure 6."""

from __future__ import annotations

from collections.abc import Callable

from ivr.sip.message import Peer, SipRequest, SipResponse, encode, response_to
from ivr.sip.timers import TIMEOUT, Backoff, Timers
from ivr.sip.transaction import Send, Transaction
from ivr.sip.transaction import TransactionState as State


class ClientTransaction(Transaction):
    """One request that we send, once ``start`` is called. ``on_response`` hears provisionals, one final (every 2xx of
    an INVITE), and a 408 or 503 made here when nobody answers."""

    def __init__(
        self,
        request: SipRequest,
        peer: Peer,
        send: Send,
        timers: Timers,
        on_response: Callable[[SipResponse], None],
    ) -> None:
        super().__init__((request.top_via.branch, request.method), request, peer, send, timers)
        self._on_response = on_response
        self._raw = encode(request)

    def start(self) -> None:
        raise NotImplementedError

    def receive(self, response: SipResponse) -> None:
        raise NotImplementedError

    def fail(self, status: int, reason: str) -> None:
        """Report ``status`` as if it had come, because no answer will (RFC 3261 section 8.1.3.1)."""
        if self.state in (State.CALLING, State.TRYING, State.PROCEEDING):
            self.terminate()
            self._on_response(response_to(self.request, status, reason))

    def _transmit(self) -> None:
        self._send(self._raw, self.peer, None)

    def _timed_out(self) -> None:
        self.fail(408, "No answer")


class InviteClientTransaction(ClientTransaction):
    """An INVITE that we send (section 17.1.1, figure 5; RFC 6026 section 8.4)."""

    _ack = b""

    def start(self) -> None:
        self._enter(State.CALLING, A=self._transmit, B=self._timed_out)
        self._transmit()

    def receive(self, response: SipResponse) -> None:
        status = response.status_code
        match self.state:
            case State.CALLING | State.PROCEEDING if status < 200:
                if self.state is State.CALLING:
                    self._enter(State.PROCEEDING)  # ringing takes as long as the caller allows
                self._on_response(response)
            case State.CALLING | State.PROCEEDING if status < 300:
                self._enter(State.ACCEPTED, M=self.terminate)
                self._on_response(response)
            case State.CALLING | State.PROCEEDING:
                self._enter(State.COMPLETED, D=self.terminate)
                self._ack = encode(self._ack_for(response))
                self._send(self._ack, self.peer, None)
                self._on_response(response)
            case State.COMPLETED if status >= 300:
                self._send(self._ack, self.peer, None)
            case State.COMPLETED | State.ACCEPTED if 200 <= status < 300:
                self._on_response(response)  # of a fork; a refusal and an answer may cross

    def cancelled(self) -> None:
        """Wait 64·T1 for the 487 to a CANCEL that went out, then report 408 (section 9.1)."""
        if self.state is State.PROCEEDING:
            self._running["CANCEL"] = self._timers.call_later(TIMEOUT, self._timed_out)

    def _ack_for(self, response: SipResponse) -> SipRequest:
        """Make the ACK for a non-2xx, which belongs to the INVITE's transaction (section 17.1.1.3)."""
        ack = within(self.request, "ACK")
        ack.headers.set("To", response.headers.first("to"))
        return ack


class NonInviteClientTransaction(ClientTransaction):
    """Any other request that we send (section 17.1.2, figure 6)."""

    def start(self) -> None:
        self._enter(State.TRYING, E=self._transmit, F=self._timed_out)
        self._transmit()

    def receive(self, response: SipResponse) -> None:
        match self.state:
            case State.TRYING | State.PROCEEDING if response.status_code < 200:
                self.state = State.PROCEEDING  # E and F go on, E at T2
                if isinstance(timer_e := self._running.get("E"), Backoff):
                    timer_e.slow_down()
                self._on_response(response)
            case State.TRYING | State.PROCEEDING:
                self._enter(State.COMPLETED, K=self.terminate)
                self._on_response(response)


def within(invite: SipRequest, method: str) -> SipRequest:
    """Make the CANCEL of ``invite`` (section 9.1) or the ACK of its refusal (17.1.1.3): with its URI, top Via, Route,
    From, To, Call-ID and CSeq number."""
    request = SipRequest(method=method, uri=invite.uri)
    request.headers.set("Via", str(invite.top_via))
    for name in ("From", "To", "Call-ID"):
        request.headers.set(name, invite.headers.first(name))
    request.headers.set("CSeq", f"{invite.cseq.number} {method}")
    request.headers.set("Max-Forwards", "70")
    request.headers.set("Route", *invite.headers.get("route"))
    return request
