"""SIP transaction layer (RFC 3261 section 17): it finds every transaction by key. No sockets; time is passed in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from aiosipua import generate_branch

from ivr.sip.message import Peer, SipRequest, SipResponse
from ivr.sip.timers import Timers
from ivr.sip.traffic import SipTraffic
from ivr.sip.transaction import (
    ClientTransaction,
    InviteClientTransaction,
    InviteServerTransaction,
    Key,
    Send,
    ServerTransaction,
    Transaction,
    TransactionState,
)

C = TypeVar("C", bound=ClientTransaction)
S = TypeVar("S", bound=ServerTransaction)

MAX_SERVER = 20_000  # beyond, new calls get 503: a flood must not eat the memory; calls under way have room


def server_key(request: SipRequest) -> Key:
    """Return the key of RFC 3261 section 17.2.3; an ACK finds the INVITE's transaction."""
    via, method = request.top_via, "INVITE" if request.method == "ACK" else request.method
    if via.branch.startswith("z9hG4bK") and len(via.branch) > 7:
        return (via.branch, via.host.lower(), str(via.sent_by_port), method)
    number = str(request.cseq.number)
    return ("2543", request.call_id, request.from_.tag, number, via.branch, via.host.lower(), method)


class TransactionLayer:
    """It hands requests and responses to their transactions, and forgets those that terminate."""

    def __init__(self, send: Send, timers: Timers, traffic: SipTraffic | None = None) -> None:
        self._send = send
        self._timers = timers
        self._servers: dict[Key, ServerTransaction] = {}
        self._clients: dict[Key, ClientTransaction] = {}
        self._requests: dict[Key, ServerTransaction] = {}  # by what forked copies share
        self._calls: Counter[str] = Counter()  # transactions by Call-ID
        self.traffic = traffic or SipTraffic()

    # --- requests received ---

    def absorb(self, request: SipRequest) -> bool:
        """Deal with a retransmission, and with the ACK of a refusal; False for anything else."""
        found = self._servers.get(server_key(request))
        if found is None:
            return False
        if request.method != "ACK":
            self.traffic.repeated_in += 1
            found.repeat()
            return True
        refused = found.state in (TransactionState.COMPLETED, TransactionState.CONFIRMED)
        if refused and isinstance(found, InviteServerTransaction):
            found.acknowledge()
        return refused  # the ACK of a 2xx belongs to the dialog, whatever its branch

    def merged(self, request: SipRequest) -> bool:
        """Whether this is a copy of a request under way that came by another path (RFC 3261 section 8.2.2.2)."""
        return not request.to.tag and _fork_key(request) in self._requests

    @property
    def overloaded(self) -> bool:
        return len(self._servers) >= MAX_SERVER

    @property
    def crowded(self) -> bool:
        """Whether what is left is kept for calls: refusals go out without state (section 8.2.7)."""
        return len(self._servers) >= MAX_SERVER // 10

    def accept(self, request: SipRequest, source: Peer) -> ServerTransaction:
        if request.method == "INVITE":
            return self.accept_invite(request, source)
        return self._accepted(ServerTransaction, request, source)

    def accept_invite(self, request: SipRequest, source: Peer) -> InviteServerTransaction:
        return self._accepted(InviteServerTransaction, request, source)

    def _accepted(self, kind: type[S], request: SipRequest, source: Peer) -> S:
        transaction = kind(server_key(request), request, source, self._send, self._timers)
        fork = _fork_key(request)
        transaction.on_terminated = partial(self._forget, transaction, fork)
        self._watch(transaction)
        self._servers[transaction.key] = self._requests[fork] = transaction
        self._count(fork[0], 1)
        return transaction

    def _watch(self, transaction: Transaction) -> None:
        transaction.on_sent_again = self.traffic.sent_again
        transaction.on_gave_up = self.traffic.gave_up

    def _forget(self, transaction: ServerTransaction, fork: Key) -> None:
        if self._servers.pop(transaction.key, None) is not None:
            self._count(fork[0], -1)
        if self._requests.get(fork) is transaction:
            del self._requests[fork]

    def knows(self, call_id: str) -> bool:
        """Whether a transaction has this Call-ID."""
        return call_id in self._calls

    def _count(self, call_id: str, change: int) -> None:
        self._calls[call_id] += change
        if not self._calls[call_id]:
            del self._calls[call_id]

    def find(self, request: SipRequest) -> ServerTransaction | None:
        return self._servers.get(server_key(request))

    def invite_of(self, cancel: SipRequest) -> InviteServerTransaction | None:
        """Return the INVITE that a CANCEL means (RFC 3261 section 9.2)."""
        found = self._servers.get((*server_key(cancel)[:-1], "INVITE"))
        return found if isinstance(found, InviteServerTransaction) else None

    # --- requests sent ---

    def start(
        self,
        kind: type[C],
        request: SipRequest,
        peer: Peer,
        on_response: Callable[[SipResponse], None],
        patience_s: float | None = None,
    ) -> C:
        transaction = kind(request, peer, self._send, self._timers, on_response, patience_s)

        def forget() -> None:
            if self._clients.pop(transaction.key, None) is not None:
                self._count(request.call_id, -1)

        transaction.on_terminated = forget
        self._watch(transaction)
        self._clients[transaction.key] = transaction
        self._count(request.call_id, 1)
        transaction.start()
        return transaction

    async def request(
        self,
        request: SipRequest,
        peer: Peer,
        on_2xx: Callable[[], None] = lambda: None,
        patience_s: float | None = None,
    ) -> SipResponse:
        """Send a request; return its final response, or a 408/503 made here, after ``patience_s`` without any answer at
        the latest. ``on_2xx`` hears of each."""
        done: asyncio.Future[SipResponse] = asyncio.get_running_loop().create_future()

        def heard(response: SipResponse) -> None:
            if 200 <= response.status_code < 300:
                on_2xx()
            if response.status_code >= 200 and not done.done():
                done.set_result(response)

        kind = InviteClientTransaction if request.method == "INVITE" else ClientTransaction
        self.start(kind, request, peer, heard, patience_s)
        return await done

    def receive_response(self, response: SipResponse) -> bool:
        """Hand a response to its transaction; False for a response to nothing we sent."""
        found = self._clients.get((response.top_via.branch, response.cseq.method))
        if found is None:
            return False
        found.receive(response)
        return True

    def pending(self, peer: Peer) -> bool:
        """Whether a request of ours still waits for an answer of ``peer``."""
        over = (TransactionState.COMPLETED, TransactionState.ACCEPTED, TransactionState.TERMINATED)
        return any(t.peer == peer and t.state not in over for t in self._clients.values())

    def unreachable(self, peer: Peer, reason: str) -> int:
        """Fail what waits for ``peer``; return how many requests that were."""
        waiting = [t for t in self._clients.values() if t.peer == peer]
        for transaction in waiting:
            transaction.fail(503, f"Unreachable: {reason}"[:120])
        return len(waiting)

    def close(self) -> None:
        """Forget everything; whoever still waits for an answer gets 503."""
        for client in tuple(self._clients.values()):
            client.fail(503, "Stopping")
        for transaction in (*self._clients.values(), *self._servers.values()):
            transaction.terminate()

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)


def renewed(request: SipRequest, number: int) -> SipRequest:
    """Return the same request as a new transaction: fresh branch, CSeq ``number``, all other headers kept."""
    copy = SipRequest(method=request.method, uri=request.uri, headers=request.headers.copy(), body=request.body)
    via = copy.top_via.with_params(branch=generate_branch())
    copy.headers.set("Via", str(via), *copy.headers.get("via")[1:])
    copy.headers.set("CSeq", f"{number} {request.method}")
    return copy


def _fork_key(request: SipRequest) -> Key:
    return (request.call_id, request.from_.tag, str(request.cseq), request.method)
