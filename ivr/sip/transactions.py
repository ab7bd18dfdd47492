"""Every transaction of the user agent, by key (RFC 3261 section 17). No sockets; time is passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiosipua import SipRequest, SipResponse, generate_branch, parse_via, stringify_via

from ivr.sip.client_transaction import ClientTransaction
from ivr.sip.message import Peer, branch_of, call_id_of, cseq_of, tag_of
from ivr.sip.server_transaction import Key, Send, ServerTransaction
from ivr.sip.timers import Timers

MAX_SERVER = 20_000  # beyond, new requests get 503: a flood must not eat the memory


def server_key(request: SipRequest) -> Key:
    """RFC 3261 section 17.2.3; ACK finds the INVITE's transaction."""
    via = parse_via(request.headers.get("via")[0])
    method = "INVITE" if request.method == "ACK" else request.method
    branch = via.branch or ""
    if branch.startswith("z9hG4bK") and len(branch) > 7:
        return (branch, via.host.lower(), str(via.port or 5060), method)
    number, _ = cseq_of(request)
    return ("2543", call_id_of(request), tag_of(request, "from"), str(number), branch, via.host.lower(), method)


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
