"""Transactions against figures 5 to 8 and table 4 of RFC 3261, and RFC 6026; time is turned by hand."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from ivr.sip.message import Peer, SipResponse, parse_message, response_to
from ivr.sip.timers import INTERVALS
from ivr.sip.transaction import (
    ClientTransaction,
    InviteClientTransaction,
    InviteServerTransaction,
    ServerTransaction,
    Transaction,
)
from ivr.sip.transactions import TransactionLayer, server_key
from tests.unit.sip.messages import parsed_request, request

PEERS = {"udp": Peer("udp", "192.0.2.9", 5070), "tcp": Peer("tcp", "192.0.2.9", 5070)}
T = TypeVar("T", bound=Transaction)
Step = tuple[int | float | str, str, str]  # what happens; the state then; the timers that then run


class Entry:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Clock:
    """Timers whose time a test turns by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._entries: list[tuple[float, int, Entry]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Entry:
        entry = Entry(callback)
        heapq.heappush(self._entries, (self.now + delay, next(self._order), entry))
        return entry

    def turn(self, seconds: float) -> None:
        until = self.now + seconds
        while self._entries and self._entries[0][0] <= until:
            self.now, _, entry = heapq.heappop(self._entries)
            if entry.callback is not None:
                entry.callback()
        self.now = until


class Wire:
    """What a transaction sends, and when; what it tells the one who uses it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sent: list[tuple[float, str]] = []
        self.heard: list[int] = []
        self.terminated = 0

    def send(self, data: bytes, peer: Peer, fallback: Peer | None) -> None:
        message = parse_message(data)
        what = str(message.status_code) if isinstance(message, SipResponse) else message.method
        self.sent.append((self.clock.now, what))

    def times(self, what: str) -> list[float]:
        return [at for at, sent in self.sent if sent == what]

    def client(self, method: str, transport: str) -> ClientTransaction:
        kind = InviteClientTransaction if method == "INVITE" else ClientTransaction
        asked = parsed_request(request(method))
        transaction = kind(asked, PEERS[transport], self.send, self.clock, lambda r: self.heard.append(r.status_code))
        return self._watched(transaction)

    def server(self, method: str, transport: str) -> ServerTransaction:
        kind = InviteServerTransaction if method == "INVITE" else ServerTransaction
        asked = parsed_request(request(method, transport=transport.upper()))
        return self._watched(kind(server_key(asked), asked, PEERS[transport], self.send, self.clock))

    def _watched(self, transaction: T) -> T:
        transaction.on_terminated = self._count
        return transaction

    def _count(self) -> None:
        self.terminated += 1


def follow(wire: Wire, transaction: Transaction, steps: Sequence[Step]) -> None:
    """Integers are responses, floats seconds that pass, words what else the figures' arrows say."""
    for number, (event, state, letters) in enumerate(steps):
        if isinstance(event, float):
            wire.clock.turn(event)
        elif isinstance(event, int):
            response = response_to(transaction.request, event, tag="t")
            if isinstance(transaction, ClientTransaction):
                transaction.receive(response)
            elif isinstance(transaction, ServerTransaction):
                transaction.respond(response)
        elif isinstance(transaction, ClientTransaction):
            if event == "start":
                transaction.start()
            else:  # a transport error
                transaction.fail(503, "")
        elif isinstance(transaction, ServerTransaction) and event == "again":
            transaction.repeat()
        elif isinstance(transaction, InviteServerTransaction) and event == "ACK":
            transaction.acknowledge()
        assert (transaction.state, set(transaction.running)) == (state, set(letters.split())), (number, event)
    assert wire.terminated == (transaction.state == "terminated")


FIGURE_5: dict[str, list[Step]] = {
    "timer B": [("start", "calling", "A B"), (31.9, "calling", "A B"), (0.2, "terminated", "")],
    "transport error": [("start", "calling", "A B"), ("transport error", "terminated", "")],
    "1xx, 300-699, timer D": [
        ("start", "calling", "A B"), (180, "proceeding", ""), (3600.0, "proceeding", ""), (183, "proceeding", ""),
        (486, "completed", "D"), (486, "completed", "D"), (31.9, "completed", "D"), (0.2, "terminated", ""),
    ],
    "300-699 from calling": [("start", "calling", "A B"), (302, "completed", "D")],
    "2xx from calling, timer M": [
        ("start", "calling", "A B"), (200, "accepted", "M"), (200, "accepted", "M"), (180, "accepted", "M"),
        (31.9, "accepted", "M"), (0.2, "terminated", ""),
    ],
    "2xx from proceeding": [("start", "calling", "A B"), (100, "proceeding", ""), (200, "accepted", "M")],
}  # fmt: skip
FIGURE_6: dict[str, list[Step]] = {
    "timer F from trying": [("start", "trying", "E F"), (31.9, "trying", "E F"), (0.2, "terminated", "")],
    "timer F from proceeding": [
        ("start", "trying", "E F"), (20.0, "trying", "E F"), (100, "proceeding", "E F"), (11.9, "proceeding", "E F"),
        (0.2, "terminated", ""),
    ],
    "transport error": [("start", "trying", "E F"), ("transport error", "terminated", "")],
    "1xx, 200-699, timer K": [
        ("start", "trying", "E F"), (100, "proceeding", "E F"), (200, "completed", "K"), (200, "completed", "K"),
        (4.9, "completed", "K"), (0.2, "terminated", ""),
    ],
    "200-699 from trying": [("start", "trying", "E F"), (404, "completed", "K")],
}  # fmt: skip
FIGURE_7: dict[str, list[Step]] = {
    "300-699, ACK, timer I": [
        (180, "proceeding", ""), ("again", "proceeding", ""), (486, "completed", "G H"), ("again", "completed", "G H"),
        ("ACK", "confirmed", "I"), ("ACK", "confirmed", "I"), (4.9, "confirmed", "I"), (0.2, "terminated", ""),
    ],
    "timer H": [(486, "completed", "G H"), (31.9, "completed", "G H"), (0.2, "terminated", "")],
    "2xx, timer L": [
        (200, "accepted", "L 2xx"), ("again", "accepted", "L 2xx"), ("ACK", "accepted", "L"), ("ACK", "accepted", "L"),
        (31.9, "accepted", "L"), (0.2, "terminated", ""),
    ],
    "2xx without ACK": [(200, "accepted", "L 2xx"), (31.9, "accepted", "L 2xx"), (0.2, "terminated", "")],
}  # fmt: skip
FIGURE_8: dict[str, list[Step]] = {
    "1xx, 200-699, timer J": [
        ("again", "trying", ""), (100, "proceeding", ""), ("again", "proceeding", ""), (200, "completed", "J"),
        ("again", "completed", "J"), (31.9, "completed", "J"), (0.2, "terminated", ""),
    ],
    "200-699 from trying": [(404, "completed", "J")],
}  # fmt: skip


@pytest.mark.parametrize("steps", FIGURE_5.values(), ids=FIGURE_5)
def test_figure_5(steps: Sequence[Step]) -> None:
    wire = Wire()
    follow(wire, wire.client("INVITE", "udp"), steps)


@pytest.mark.parametrize("steps", FIGURE_6.values(), ids=FIGURE_6)
def test_figure_6(steps: Sequence[Step]) -> None:
    wire = Wire()
    follow(wire, wire.client("OPTIONS", "udp"), steps)


@pytest.mark.parametrize("steps", FIGURE_7.values(), ids=FIGURE_7)
def test_figure_7(steps: Sequence[Step]) -> None:
    wire = Wire()
    follow(wire, wire.server("INVITE", "udp"), steps)


@pytest.mark.parametrize("steps", FIGURE_8.values(), ids=FIGURE_8)
def test_figure_8(steps: Sequence[Step]) -> None:
    wire = Wire()
    follow(wire, wire.server("OPTIONS", "udp"), steps)


def test_table_4() -> None:
    t1, t4 = 0.5, 5.0
    assert {
        "A": (t1, None), "B": (64 * t1, 64 * t1), "D": (32.0, 0.0), "E": (t1, None), "F": (64 * t1, 64 * t1),
        "G": (t1, None), "H": (64 * t1, 64 * t1), "I": (t4, 0.0), "J": (64 * t1, 0.0), "K": (t4, 0.0),
        "L": (64 * t1, 64 * t1), "M": (64 * t1, 64 * t1),
    } == INTERVALS  # fmt: skip


@pytest.mark.parametrize(
    ("client", "method", "steps"),
    [
        (True, "INVITE", [("start", "calling", "B"), (486, "completed", "D"), (0.0, "terminated", "")]),
        (True, "INVITE", [("start", "calling", "B"), (200, "accepted", "M"), (31.9, "accepted", "M")]),
        (True, "BYE", [("start", "trying", "F"), (200, "completed", "K"), (0.0, "terminated", "")]),
        (False, "INVITE", [(486, "completed", "H"), ("ACK", "confirmed", "I"), (0.0, "terminated", "")]),
        (False, "INVITE", [(200, "accepted", "L 2xx"), (31.9, "accepted", "L 2xx")]),
        (False, "BYE", [(200, "completed", "J"), (0.0, "terminated", "")]),
    ],
)
def test_a_reliable_transport_needs_no_repetition(client: bool, method: str, steps: Sequence[Step]) -> None:
    wire = Wire()
    follow(wire, wire.client(method, "tcp") if client else wire.server(method, "tcp"), steps)
    assert client is False or wire.times(method) == [0.0]


def gaps(times: list[float]) -> list[float]:
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def test_timer_a_doubles() -> None:
    wire = Wire()
    wire.client("INVITE", "udp").start()
    wire.clock.turn(100.0)
    assert gaps(wire.times("INVITE")) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert wire.heard == [408]


def test_timer_e_doubles_up_to_t2_and_is_t2_in_proceeding() -> None:
    wire = Wire()
    wire.client("BYE", "udp").start()
    wire.clock.turn(100.0)
    assert gaps(wire.times("BYE")) == [0.5, 1.0, 2.0, *[4.0] * 7]
    wire = Wire()
    transaction = wire.client("BYE", "udp")
    follow(wire, transaction, [("start", "trying", "E F"), (0.6, "trying", "E F"), (100, "proceeding", "E F")])
    wire.clock.turn(12.0)
    assert wire.times("BYE") == [0.0, 0.5, 1.5, 5.5, 9.5]


def test_timer_g_doubles_up_to_t2() -> None:
    wire = Wire()
    wire.server("INVITE", "udp").refuse(486)
    wire.clock.turn(100.0)
    assert gaps(wire.times("486")) == [0.5, 1.0, 2.0, *[4.0] * 7]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_2xx_is_repeated_on_any_transport_and_its_missing_ack_reported(transport: str) -> None:
    wire, missing = Wire(), []
    transaction = wire.server("INVITE", transport)
    assert isinstance(transaction, InviteServerTransaction)
    transaction.on_no_ack = lambda: missing.append(wire.clock.now)
    follow(wire, transaction, [(200, "accepted", "L 2xx"), (100.0, "terminated", "")])
    assert gaps(wire.times("200")) == [0.5, 1.0, 2.0, *[4.0] * 7]
    assert missing == [32.0]


def test_every_refusal_that_comes_again_is_acknowledged_and_told_once() -> None:
    wire = Wire()
    follow(
        wire,
        wire.client("INVITE", "udp"),
        [("start", "calling", "A B"), (486, "completed", "D"), (486, "completed", "D")],
    )
    assert len(wire.times("ACK")) == 2
    assert wire.heard == [486]


def test_every_2xx_is_told_and_left_to_the_dialog_to_acknowledge() -> None:
    wire = Wire()
    follow(
        wire,
        wire.client("INVITE", "udp"),
        [("start", "calling", "A B"), (200, "accepted", "M"), (200, "accepted", "M")],
    )
    assert (wire.heard, wire.times("ACK")) == ([200, 200], [])


def test_a_487_that_never_comes_after_a_cancel() -> None:
    wire = Wire()
    transaction = wire.client("INVITE", "udp")
    assert isinstance(transaction, InviteClientTransaction)
    follow(wire, transaction, [("start", "calling", "A B"), (180, "proceeding", "")])
    transaction.cancelled()
    follow(wire, transaction, [(180, "proceeding", "CANCEL"), (32.0, "terminated", "")])
    assert wire.heard == [180, 180, 408]


def test_the_layer_forgets_what_terminates() -> None:
    wire = Wire()
    layer = TransactionLayer(wire.send, wire.clock)
    for method in ("INVITE", "OPTIONS"):
        arrived = parsed_request(request(method))
        layer.accept(arrived, PEERS["udp"]).refuse(480)
        assert layer.absorb(arrived)
    layer.start(ClientTransaction, parsed_request(request("BYE")), PEERS["udp"], lambda _: None)
    assert len(layer) == 3
    wire.clock.turn(100.0)
    assert len(layer) == 0


def test_an_answered_request_is_let_go_of_and_its_answer_repeated() -> None:
    wire = Wire()
    transaction = wire.server("BYE", "udp")
    transaction.respond(response_to(transaction.request, 200, tag="t"))
    sent = list(wire.sent)
    transaction.repeat()
    assert wire.sent == [*sent, sent[-1]]
    transaction.refuse(500)
    assert len(wire.sent) == 2 and transaction.tag == "t", "what came too late changes nothing"
    with pytest.raises(RuntimeError, match="answered"):
        _ = transaction.request
