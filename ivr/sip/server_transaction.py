"""Server transactions (RFC 3261 section 17.2, RFC 6026): answers, their repetition and replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiosipua import SipRequest, SipResponse

from ivr.sip.message import Peer, encode, response_to, sent_by, stamp_source
from ivr.sip.timers import GIVE_UP, T4, Backoff, Timed, Timers

Key = tuple[str, ...]
Send = Callable[[bytes, Peer, Peer | None], None]


class ServerLayer(Protocol):
    """What a server transaction needs of its layer."""

    @property
    def timers(self) -> Timers: ...
    @property
    def send(self) -> Send: ...
    def tag_for(self, request: SipRequest) -> str: ...
    def drop_server(self, transaction: ServerTransaction) -> None: ...


class ServerTransaction(Timed):
    """One request received. ``respond`` answers it; retransmissions get the last answer again."""

    def __init__(self, layer: ServerLayer, key: Key, request: SipRequest, source: Peer) -> None:
        super().__init__(layer.timers)
        self._layer = layer
        self.key = key
        self.request = request
        self.source = source
        self._reply_to = stamp_source(request, source)
        self._fallback = sent_by(request, source) if source.reliable else None
        self._last: bytes | None = None
        self.final: SipResponse | None = None
        self.acknowledged = False
        self.on_no_ack: Callable[[], None] | None = None
        self.on_cancel: Callable[[], None] | None = None

    @property
    def invite(self) -> bool:
        return self.request.method == "INVITE"

    def respond(self, response: SipResponse) -> None:
        """Send ``response``; after a final one, nothing more (RFC 3261 section 17.2)."""
        if self.final is not None:
            return
        self._last = encode(response)
        self._transmit()
        if response.status_code < 200:
            return
        self.final = response
        # A 2xx is repeated on any transport until its ACK (section 13.3.1.4), other finals on UDP only (17.2.1).
        if self.invite and (response.status_code < 300 or not self.source.reliable):
            self._backoff = Backoff(self._layer.timers, self._transmit)
        self._finish_in(GIVE_UP, self._timed_out)

    def refuse(self, status: int, reason: str = "", *, tag: str = "", **headers: str) -> None:
        """A final answer without a body; ``headers`` with _ for -."""
        response = response_to(self.request, status, reason, tag=tag or self._layer.tag_for(self.request))
        for name, value in headers.items():
            response.headers.set_single(name.replace("_", "-"), value)
        self.respond(response)

    def repeat(self) -> None:
        """The request came again: so does our last answer."""
        if not self.acknowledged:
            self._transmit()

    def acknowledge(self) -> None:
        """The ACK came."""
        if self.acknowledged:
            return
        self.acknowledged = True
        self._stop_repeating()
        if self.final is not None and self.final.status_code >= 300:
            self._finish_in(T4, self._forget)

    def _transmit(self) -> None:
        if self._last is not None:
            self._layer.send(self._last, self._reply_to, self._fallback)

    def _timed_out(self) -> None:
        waited = self.invite and not self.acknowledged
        self._forget()
        if waited and self.on_no_ack is not None:
            self.on_no_ack()

    def _forget(self) -> None:
        self.close()
        self._layer.drop_server(self)
