"""Client transactions (RFC 3261 section 17.1, RFC 6026): repetition, time-out, the ACK of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiosipua import SipRequest, SipResponse

from ivr.sip.message import Peer, branch_of, cseq_of, encode, response_to
from ivr.sip.server_transaction import Key, Send
from ivr.sip.timers import GIVE_UP, T2, T4, Backoff, Timed, Timers


class ClientLayer(Protocol):
    """What a client transaction needs of its layer."""

    @property
    def timers(self) -> Timers: ...
    @property
    def send(self) -> Send: ...
    def drop_client(self, transaction: ClientTransaction) -> None: ...


class ClientTransaction(Timed):
    """One request sent. ``on_response`` hears provisionals, one final (every 2xx of an INVITE: RFC 6026), and a
    408 or 503 made here when nobody answers."""

    def __init__(
        self, layer: ClientLayer, request: SipRequest, peer: Peer, on_response: Callable[[SipResponse], None]
    ) -> None:
        super().__init__(layer.timers)
        self._layer = layer
        self.request = request
        self.peer = peer
        self.on_response = on_response
        self.key: Key = (branch_of(request), request.method)
        self._raw = encode(request)
        self._ack: bytes | None = None
        self.provisional = False
        self.final: SipResponse | None = None
        if not peer.reliable:
            self._backoff = Backoff(layer.timers, self._transmit, GIVE_UP if self.invite else T2)
        self._finish_in(GIVE_UP, self._timed_out)

    @property
    def invite(self) -> bool:
        return self.request.method == "INVITE"

    def transmit(self) -> None:
        self._transmit()

    def _transmit(self) -> None:
        self._layer.send(self._raw, self.peer, None)

    def receive(self, response: SipResponse) -> None:
        if response.status_code < 200:
            if self.final is None:
                self._proceed()
                self.on_response(response)
            return
        first = self.final is None
        if first:
            self.final = response
            self._stop_repeating()
            # Timers D, K, M: long enough for every copy that may still be under way.
            self._finish_in(GIVE_UP if self.invite else T4, self._forget)
        if self.invite and response.status_code >= 300:
            if first:
                self._ack = encode(self._ack_for(response))
            if self._ack is not None:
                self._layer.send(self._ack, self.peer, None)
        if first or (self.invite and response.status_code < 300):
            self.on_response(response)

    def fail(self, status: int, reason: str) -> None:
        """No answer will come: report ``status`` as if it had (RFC 3261 section 8.1.3.1)."""
        if self.final is not None:
            return
        self.final = response_to(self.request, status, reason)
        self._forget()
        self.on_response(self.final)

    def give_up_in(self, delay: float) -> None:
        """Answer 408 ourselves after ``delay`` (a cancelled INVITE whose 487 never comes)."""
        if self.final is None:
            self._finish_in(delay, self._timed_out)

    def _proceed(self) -> None:
        self.provisional = True
        if self.invite:
            self._stop_repeating()
            if self._end is not None:
                self._end.cancel()
                self._end = None  # ringing takes as long as the caller allows
        elif self._backoff is not None:
            self._backoff.slow_down()

    def _timed_out(self) -> None:
        self.fail(408, "No answer")

    def _ack_for(self, response: SipResponse) -> SipRequest:
        """RFC 3261 section 17.1.1.3: the ACK for a non-2xx belongs to the INVITE's transaction."""
        ack = SipRequest(method="ACK", uri=self.request.uri)
        ack.headers.append("Via", self.request.headers.get("via")[0])
        for name, source in (("From", self.request), ("To", response), ("Call-ID", self.request)):
            ack.headers.set_single(name, source.headers.get_first(name) or "")
        ack.headers.set_single("CSeq", f"{cseq_of(self.request)[0]} ACK")
        ack.headers.set_single("Max-Forwards", "70")
        for route in self.request.headers.get("route"):
            ack.headers.append("Route", route)
        return ack

    def _forget(self) -> None:
        self.close()
        self._layer.drop_client(self)
