"""A flood of SIP, as a process of its own: ``python -m tests.wire.sip.flood HOST PORT KIND RATE SECONDS SOURCES``.

It prints how many datagrams it sent: LEAST in any case, however long a busy machine takes. SOURCES: how many addresses
of 127.0.0.0/8 they come from, beginning with 127.0.0.1."""

from __future__ import annotations

import itertools
import socket
import sys
import time
from collections.abc import Callable, Iterator

from tests.unit.sip.messages import OFFER

_HEAD = (
    "{method} sip:ivr@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bKflood{number};rport\r\n"
    "From: <sip:scanner@{host}>;tag=f{number}\r\nTo: <sip:ivr@127.0.0.1>{to}\r\nCall-ID: flood{number}\r\n"
    "CSeq: 1 {method}\r\nContact: <sip:scanner@{host}>\r\nMax-Forwards: 70\r\n"
)
_OFFER = OFFER.replace("\n", "\r\n")
_CLOSING = f"Content-Type: application/sdp\r\nContent-Length: {len(_OFFER)}\r\n\r\n{_OFFER}"
_EMPTY = "Content-Length: 0\r\n\r\n"


def _request(method: str, to: str = "") -> Callable[[int, str], bytes]:
    end = _CLOSING if method == "INVITE" else _EMPTY
    return lambda number, host: (_HEAD.format(method=method, host=host, number=number, to=to) + end).encode()


def _response(number: int, host: str) -> bytes:
    text = _HEAD.format(method="INVITE", host=host, number=number, to=";tag=x")
    return ("SIP/2.0 200 OK\r\n" + text.partition("\r\n")[2] + _EMPTY).encode()


LEAST = 10_000

KINDS: dict[str, Callable[[int, str], bytes]] = {
    **{method.lower(): _request(method) for method in ("OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE", "INVITE", "ACK")},
    **{method.lower(): _request(method) for method in ("BYE", "CANCEL", "NOTIFY", "PUBLISH")},
    "unknown": _request("FROBNICATE" * 20),
    "inside": _request("INFO", ";tag=guessed"),
    "reinvite": _request("INVITE", ";tag=guessed"),
    "repeated": lambda number, host: _request("INVITE")(1, host),
    "response": _response,
    "malformed": lambda number, host: _request("OPTIONS")(number, host).replace(b"Call-ID", b"X-Call-ID"),
    "garbage": lambda number, host: bytes([number & 0xFF]) * 400,
}


def _sockets(count: int) -> Iterator[tuple[socket.socket, str]]:
    for number in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.{number >> 16 & 0xFF}.{number >> 8 & 0xFF}.{1 + (number & 0x7F)}", 0))
        yield sock, "{}:{}".format(*sock.getsockname())


def main(host: str, port: str, kind: str, rate: str, seconds: str, sources: str) -> None:
    made, sockets = KINDS[kind], itertools.cycle(list(_sockets(int(sources))))
    goal, began, sent = (host, int(port)), time.monotonic(), 0
    while (now := time.monotonic()) - began < float(seconds) or sent < LEAST:
        behind = int((now - began) * float(rate)) - sent
        for _ in range(min(behind, 500)):
            sock, own = next(sockets)
            sock.sendto(made(sent, own), goal)
            sent += 1
        if behind <= 0:
            time.sleep(0.0005)
    sys.stdout.write(f"{sent}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
