"""A DTLS-SRTP association that another media process made: its SRTP goes on here, its DTLS can't."""

from __future__ import annotations

from ivr.media.description import Sdes
from ivr.media.process.dtls_srtp import State
from ivr.media.process.srtp import Srtp


class ResumedAssociation:
    """Like ``dtls_srtp.Association``, once that is up: with the keys that were ``agreed`` on. That the far end closes
    it is no longer heard of, but for its silence; nor can it be told that we do."""

    active = False
    why = ""

    def __init__(
        self, agreed: Sdes, fingerprint: str, their_fingerprint: str, stream: tuple[int, int] | None = None
    ) -> None:
        """``stream``: of the far end, as its ``Resumption`` says."""
        self.state: State = "up"
        self.out: list[bytes] = []
        self.keys: Sdes | None = agreed
        self.fingerprint, self.their_fingerprint = fingerprint, their_fingerprint
        self._srtp = Srtp.of(agreed, "DTLS ", stream)
        self.suite = self._srtp.suite
        self.seal, self.seal_rtcp = self._srtp.seal, self._srtp.seal_rtcp
        self.open, self.open_rtcp = self._srtp.open, self._srtp.open_rtcp
        self.rollovers = self._srtp.rollovers

    @property
    def up(self) -> bool:
        return self.state == "up"

    @property
    def refused(self) -> int:
        """Packets that were not opened."""
        return self._srtp.refused

    def receive(self, datagram: bytes, now: float) -> None:
        """It would take the keys of the handshake to read it."""

    def watch(self, now: float) -> None:
        """There is nothing to repeat."""

    def abandon(self, why: str) -> None:
        """It is up."""

    def close(self) -> None:
        self.state = "closed"
