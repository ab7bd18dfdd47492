"""Transactions (RFC 3261 section 17, RFC 6026): retransmission, replay, time-outs. No sockets; time is passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from aiosipua import SipRequest, SipResponse, generate_branch, parse_via, stringify_via

from ivr.sip.message import Peer, branch_of, call_id_of, cseq_of, encode, response_to, sent_by, stamp_source, tag_of

T1 = 0.5
T2 = 4.0
T4 = 5.0
GIVE_UP = 64 * T1
MAX_SERVER = 20_000  # beyond, new requests get 503: a flood must not eat the memory

Key = tuple[str, ...]
Send = Callable[[bytes, Peer, Peer | None], None]


class Timer(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop that transactions need; tests pass one whose time they turn by hand."""

    def time(self) -> float: ...
    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...


class Backoff:
    """Repeats ``action`` after T1, 2·T1, 4·T1 … (``cap``: at most that far apart) until stopped."""

    def __init__(self, timers: Timers, action: Callable[[], None], cap: float = T2) -> None:
        self._timers, self._action, self._cap = timers, action, cap
        self._interval = T1
        self._timer: Timer | None = timers.call_later(T1, self._fire)

    def _fire(self) -> None:
        self._interval = min(self._interval * 2, self._cap)
        self._timer = self._timers.call_later(self._interval, self._fire)
        self._action()

    def slow_down(self) -> None:
        """From now on at the cap's pace (RFC 3261 section 17.1.2.2, Proceeding)."""
        self._interval = self._cap

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def server_key(request: SipRequest) -> Key:
    """RFC 3261 section 17.2.3; ACK finds the INVITE's transaction."""
    via = parse_via(request.headers.get("via")[0])
    method = "INVITE" if request.method == "ACK" else request.method
    branch = via.branch or ""
    if branch.startswith("z9hG4bK") and len(branch) > 7:
        return (branch, via.host.lower(), str(via.port or 5060), method)
    number, _ = cseq_of(request)
    return ("2543", call_id_of(request), tag_of(request, "from"), str(number), branch, via.host.lower(), method)


class ServerTransaction:
    """One request received. ``respond`` answers it; retransmissions get the last answer again."""

    def __init__(self, layer: TransactionLayer, key: Key, request: SipRequest, source: Peer) -> None:
        self._layer = layer
        self.key = key
        self.request = request
        self.source = source
        self._reply_to = stamp_source(request, source)
        self._fallback = sent_by(request, source) if source.reliable else None
        self._last: bytes | None = None
        self._backoff: Backoff | None = None
        self._end: Timer | None = None
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

    def _finish_in(self, delay: float, then: Callable[[], None]) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = self._layer.timers.call_later(delay, then)

    def _stop_repeating(self) -> None:
        if self._backoff is not None:
            self._backoff.stop()
            self._backoff = None

    def _forget(self) -> None:
        self.close()
        self._layer.drop_server(self)

    def close(self) -> None:
        self._stop_repeating()
        if self._end is not None:
            self._end.cancel()
            self._end = None


class ClientTransaction:
    """One request sent. ``on_response`` hears provisionals, one final (every 2xx of an INVITE: RFC 6026), and a
    408 or 503 made here when nobody answers."""

    def __init__(
        self, layer: TransactionLayer, request: SipRequest, peer: Peer, on_response: Callable[[SipResponse], None]
    ) -> None:
        self._layer = layer
        self.request = request
        self.peer = peer
        self.on_response = on_response
        self.key: Key = (branch_of(request), request.method)
        self._raw = encode(request)
        self._ack: bytes | None = None
        self.provisional = False
        self.final: SipResponse | None = None
        timers = layer.timers
        self._backoff: Backoff | None = None
        if not peer.reliable:
            self._backoff = Backoff(timers, self._transmit, GIVE_UP if self.invite else T2)
        self._end: Timer | None = timers.call_later(GIVE_UP, self._timed_out)

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

    def _finish_in(self, delay: float, then: Callable[[], None]) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = self._layer.timers.call_later(delay, then)

    def _stop_repeating(self) -> None:
        if self._backoff is not None:
            self._backoff.stop()
            self._backoff = None

    def _forget(self) -> None:
        self.close()
        self._layer.drop_client(self)

    def close(self) -> None:
        self._stop_repeating()
        if self._end is not None:
            self._end.cancel()
            self._end = None


class TransactionLayer:
    """Every transaction of the user agent, by key."""

    def __init__(self, send: Send, timers: Timers, tag_for: Callable[[SipRequest], str]) -> None:
        self.send = send
        self.timers = timers
        self.tag_for = tag_for
        self._servers: dict[Key, ServerTransaction] = {}
        self._clients: dict[Key, ClientTransaction] = {}
        self._requests: dict[Key, ServerTransaction] = {}  # by what forked copies share

    # --- requests received ---

    def absorb(self, request: SipRequest) -> bool:
        """True for a retransmission, and for the ACK of a refusal: already dealt with."""
        found = self._servers.get(server_key(request))
        if found is None:
            return False
        if request.method == "ACK":
            if found.final is None or found.final.status_code < 300:
                return False  # the ACK of a 2xx belongs to the dialog, whatever its branch
            found.acknowledge()
            return True
        found.repeat()
        return True

    def merged(self, request: SipRequest) -> bool:
        """A copy of a request under way that came by another path (RFC 3261 section 8.2.2.2)."""
        return not tag_of(request, "to") and _fork_key(request) in self._requests

    @property
    def overloaded(self) -> bool:
        return len(self._servers) >= MAX_SERVER

    def accept(self, request: SipRequest, source: Peer) -> ServerTransaction:
        transaction = ServerTransaction(self, server_key(request), request, source)
        self._servers[transaction.key] = transaction
        self._requests[_fork_key(request)] = transaction
        return transaction

    def find(self, request: SipRequest) -> ServerTransaction | None:
        return self._servers.get(server_key(request))

    def invite_of(self, cancel: SipRequest) -> ServerTransaction | None:
        """The INVITE that a CANCEL means (RFC 3261 section 9.2)."""
        return self._servers.get((*server_key(cancel)[:-1], "INVITE"))

    def drop_server(self, transaction: ServerTransaction) -> None:
        self._servers.pop(transaction.key, None)
        fork = _fork_key(transaction.request)
        if self._requests.get(fork) is transaction:
            del self._requests[fork]

    # --- requests sent ---

    def start(self, request: SipRequest, peer: Peer, on_response: Callable[[SipResponse], None]) -> ClientTransaction:
        transaction = ClientTransaction(self, request, peer, on_response)
        self._clients[transaction.key] = transaction
        transaction.transmit()
        return transaction

    async def request(self, request: SipRequest, peer: Peer) -> SipResponse:
        """Send a non-INVITE request; its final response, or a 408/503 made here."""
        done: asyncio.Future[SipResponse] = asyncio.get_running_loop().create_future()

        def heard(response: SipResponse) -> None:
            if response.status_code >= 200 and not done.done():
                done.set_result(response)

        self.start(request, peer, heard)
        return await done

    def receive_response(self, response: SipResponse) -> bool:
        """False for a response to nothing we sent."""
        found = self._clients.get((branch_of(response), cseq_of(response)[1]))
        if found is None:
            return False
        found.receive(response)
        return True

    def unreachable(self, peer: Peer, reason: str) -> None:
        for transaction in [t for t in self._clients.values() if t.peer == peer]:
            transaction.fail(503, f"Unreachable: {reason}"[:120])

    def drop_client(self, transaction: ClientTransaction) -> None:
        self._clients.pop(transaction.key, None)

    def close(self) -> None:
        """Forget everything; whoever still waits for an answer gets 503."""
        for server in self._servers.values():
            server.close()
        for client in tuple(self._clients.values()):
            client.fail(503, "Stopping")
            client.close()
        self._servers.clear()
        self._clients.clear()
        self._requests.clear()

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)


def renewed(request: SipRequest, number: int) -> SipRequest:
    """The same request as a new transaction: fresh branch, CSeq ``number``, all other headers kept."""
    copy = SipRequest(method=request.method, uri=request.uri, headers=request.headers.copy(), body=request.body)
    via = parse_via(copy.headers.get("via")[0])
    via.branch = generate_branch()
    copy.headers.get("via")[0] = stringify_via(via)
    copy.headers.set_single("CSeq", f"{number} {request.method}")
    return copy


def _fork_key(request: SipRequest) -> Key:
    number, method = cseq_of(request)
    return (call_id_of(request), tag_of(request, "from"), str(number), method)
