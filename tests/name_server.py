"""A DNS server over UDP on loopback, which answers from a zone that the test writes, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from dnslib import QTYPE, RCODE, RR, DNSRecord


class NameServer(asyncio.DatagramProtocol):
    """``records``: zone-file lines by name and type; a name with records of other types has none of this one (NODATA),
    any other is unknown (NXDOMAIN). While ``mute``, nothing is answered; nor are questions for a type in
    ``swallowed``."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.mute = False
        self.failing = False
        self.swallowed: set[str] = set()
        self.address = ""
        self._transport: asyncio.DatagramTransport | None = None

    def zone(self, *lines: str) -> None:
        """Answer from these lines ("pbx.example.com 60 IN A 127.0.0.1") from now on."""
        self.records = list(lines)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        question = DNSRecord.parse(data)
        name, kind = str(question.q.qname).rstrip(".").lower(), str(QTYPE[question.q.qtype])
        self.asked.append((name, kind))
        if self.mute or kind in self.swallowed or self._transport is None:
            return
        reply = question.reply()
        known = [record for line in self.records for record in RR.fromZone(line)]
        here = [record for record in known if str(record.rname).rstrip(".").lower() == name]
        if self.failing:
            reply.header.rcode = RCODE.SERVFAIL
        elif not here:
            reply.header.rcode = RCODE.NXDOMAIN
        for record in here:
            if QTYPE[record.rtype] == kind:
                reply.add_answer(record)
        self._transport.sendto(reply.pack(), addr)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def name_server(*lines: str) -> AsyncIterator[NameServer]:
    """One that answers from ``lines``; its ``address`` is for ``sip.dns_servers``."""
    loop = asyncio.get_running_loop()
    _, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    server.zone(*lines)
    try:
        yield server
    finally:
        server.close()
