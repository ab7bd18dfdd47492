"""A telephone's RTP side that seals what it sends, for talking to the media process."""

from __future__ import annotations

import asyncio
import secrets
import socket
from base64 import b64encode
from typing import Any

from ivr.media.description import PCMU, SUITES, Codec, Crypto, MediaDescription, Sdes
from ivr.media.process.rtp import Packet, build
from ivr.media.process.srtp import Srtp
from tests.wire.media.far_end import FarEnd


class SealedFarEnd(FarEnd):
    """``keys``: what the media process is told of it; ``sealing`` off: it sends in the clear."""

    def __init__(self, codec: Codec, suite: str) -> None:
        super().__init__(codec)
        ours, theirs = (secrets.token_bytes(sum(SUITES[suite])) for _ in range(2))
        self.keys = Sdes(Crypto(1, suite, b64encode(theirs).decode()), Crypto(1, suite, b64encode(ours).decode()))
        self.srtp = Srtp(suite, theirs, ours)
        self.sealing = True

    @classmethod
    async def sealed(cls, suite: str = "AES_CM_128_HMAC_SHA1_80", host: str = "127.0.0.1") -> SealedFarEnd:
        loop = asyncio.get_running_loop()
        _, far = await loop.create_datagram_endpoint(
            lambda: cls(PCMU, suite), local_addr=(host, 0), family=socket.AF_INET
        )
        return far

    def offered(self) -> MediaDescription:
        return MediaDescription("127.0.0.1", self.port, (self.codec,), 101, secure=self.keys)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        clear = self.srtp.open(data)
        if clear is not None:
            super().datagram_received(clear, addr)

    def raw(self, data: bytes) -> None:
        super().raw(self.srtp.seal(data) if self.sealing else data)

    def forge(self, data: bytes) -> None:
        super().raw(data)

    def run_ahead(self, packets: int) -> None:
        """So much has been said before, to somebody else."""
        for _ in range(0, packets, 20_000):
            self.sequence += 20_000
            self.srtp.seal(build(Packet(0, False, self.sequence, 0, self.ssrc, b"x")))

    def send(self, payload: bytes, *, payload_type: int | None = None, timestamp: int | None = None) -> None:
        super().send(payload, payload_type=payload_type, timestamp=timestamp)
        self.sequence &= 0xFFFF
