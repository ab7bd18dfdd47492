"""A browser's transport: one UDP port for STUN, DTLS, SRTP and SRTCP (RFC 7983, RFC 5761), told by the first byte.

The far end is whoever has the keys: its address is where a signed check or an authentic packet came from last."""

from __future__ import annotations

import socket
from contextlib import suppress

from ivr.media.description import BrowserAgreement, Keying, Resumption, Secrets
from ivr.media.process.dtls_srtp import Association, Identities
from ivr.media.process.ice import IceLite
from ivr.media.process.latch import Address, KeyLatch, Latch
from ivr.media.process.resumed_association import ResumedAssociation
from ivr.media.process.srtp import Protection
from ivr.media.process.transport import Change, Reader, Taker, UdpPort, forgotten

_FAR_END: Address = ("browser", 0)  # stands for it, in what knows only addresses
_CONNECT_S = 15.0


class BrowserTransport:
    """``address`` is the browser's, None until a check of its own has come."""

    def __init__(self, sock: socket.socket, identities: Identities, resumed: Resumption | None = None) -> None:
        """``resumed``: what the page has agreed on with another process."""
        self._latch = KeyLatch()
        self.latch: Latch = self._latch
        self._udp = UdpPort(sock)
        self.port = self._udp.number
        self.address: Address | None = None
        self._identities = identities
        self._rtp: Taker | None = None
        self._rtcp: Taker | None = None
        self._changed: Change | None = None
        agreed = resumed.dtls if resumed is not None else None
        self.agreement = agreed if isinstance(agreed, BrowserAgreement) else None
        self._stream = resumed.stream if resumed is not None else None
        self._theirs: Secrets | None = None
        self._ice: IceLite | None = None
        self._dtls: Association | ResumedAssociation | None = None
        self._told = ""
        self._given_up_at = 0.0

    @property
    def protection(self) -> Protection | None:
        """The association's."""
        return self._dtls

    @property
    def refused(self) -> int:
        """Of this page."""
        return 0 if self._dtls is None else self._dtls.refused

    @property
    def established(self) -> bool:
        """Keys are agreed on, and nobody has closed."""
        return self._dtls is not None and self._dtls.state == "up"

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The one."""
        return (self._udp.socket,)

    def aim(self, theirs: Keying | None, now: float) -> Secrets:
        """Meet the browser of this offer. Another one than before is an ICE restart where the certificate is the same
        (RFC 8842 section 5), else another page: keys are agreed on anew, and the former page is heard no more."""
        assert isinstance(theirs, Secrets)
        dtls, agreed = self._dtls, self.agreement
        if dtls is None and agreed is not None and agreed.their_fingerprint == theirs.fingerprint:
            self._ice = IceLite(theirs.ufrag, agreed.ufrag, agreed.password)
            dtls = self._dtls = ResumedAssociation(agreed.keys, agreed.fingerprint, theirs.fingerprint, self._stream)
            self._latch.source = _FAR_END
            self._theirs, self._told = theirs, "up"
        elif dtls is None or theirs != self._theirs:
            self._ice = IceLite(theirs.ufrag)
            if dtls is None or dtls.their_fingerprint != theirs.fingerprint or dtls.state != "up":
                dtls = self._dtls = Association(self._identities.current(), theirs.fingerprint)
                self.address = self._latch.source = None
                self._given_up_at = now + _CONNECT_S
            self._theirs = theirs
            self._told = ""
        assert self._ice is not None
        self._note_agreement(dtls)
        return Secrets(self._ice.ufrag, self._ice.password, dtls.fingerprint)

    def readers(self, rtp: Taker, rtcp: Taker, changed: Change) -> list[tuple[socket.socket, Reader]]:
        """One, for everything."""
        self._rtp, self._rtcp, self._changed = rtp, rtcp, changed
        self._udp.take = self.datagram
        return [(self._udp.socket, self._udp.read)]

    def datagram(self, data: bytes, address: Address, now: float) -> None:
        """One datagram of anybody's."""
        dtls, first = self._dtls, data[0] if data else 255
        if dtls is None:
            return
        if 128 <= first <= 191:
            if len(data) < 8:
                return
            control = 192 <= data[1] <= 223
            packet = dtls.open_rtcp(data) if control else dtls.open(data)
            if packet is None or dtls.state != "up":
                return
            self.address = address
            take = self._rtcp if control else self._rtp
            if take is not None:
                take(packet, _FAR_END, now)
        elif first < 4:
            self._checked(dtls, data, address, now)
        elif 20 <= first <= 63 and address == self.address:
            dtls.receive(data, now)
            self._follow(dtls, now)

    def send(self, packet: bytes, target: Address, /) -> None:
        """RTP to wherever the browser is. Raises OSError."""
        if self._dtls is not None and self.address is not None:
            self._udp.send(self._dtls.seal(packet), self.address)

    def send_rtcp(self, packet: bytes, target: Address, /) -> None:
        """RTCP, likewise."""
        if self._dtls is not None and self.address is not None:
            self._udp.send(self._dtls.seal_rtcp(packet), self.address)

    def watch(self, now: float) -> None:
        """Repeat what got lost of a handshake; give up on a browser that never comes."""
        dtls = self._dtls
        if dtls is None or dtls.state != "new":
            return
        dtls.watch(now)
        if now >= self._given_up_at:
            dtls.abandon(
                "the browser did not finish the DTLS handshake"
                if self.address
                else "no UDP came from the browser: is media.ports open to it, and media.browser_addresses right?"
            )
        self._follow(dtls, now)

    def meet(self, address: Address) -> None:
        self.address = address

    def close(self, *, elsewhere: bool = False) -> None:
        """Tell the browser, and free the port."""
        if self._dtls is not None and not elsewhere:
            self._dtls.close()
            self._flush(self._dtls)
        self._latch.source = None
        self._udp.socket.close()
        # Whom it told hold it: what OpenSSL has of it must not wait for a collection of such circles.
        self._dtls = self._ice = self._rtp = self._rtcp = self._changed = None
        self._udp.take = forgotten

    def _checked(self, dtls: Association | ResumedAssociation, data: bytes, address: Address, now: float) -> None:
        check = self._ice.check(data, address) if self._ice is not None else None
        if check is None:
            return
        if check.nominates or self.address is None:
            self.address = address
        with suppress(OSError):
            self._udp.send(check.answer, address)
        self._follow(dtls, now)

    def _follow(self, dtls: Association | ResumedAssociation, now: float) -> None:
        """What became of the association by now."""
        self._flush(dtls)
        state = dtls.state
        self._latch.source = _FAR_END if state == "up" else None
        self._note_agreement(dtls)
        if state != "new" and state != self._told:
            self._told = state
            if self._changed is not None:
                self._changed(state, dtls.why, now)

    def _note_agreement(self, dtls: Association | ResumedAssociation) -> None:
        ice, keys, known = self._ice, dtls.keys, self.agreement
        if dtls.state != "up" or ice is None or keys is None:
            self.agreement = None
        elif known is None or (known.ufrag, known.keys) != (ice.ufrag, keys):
            self.agreement = BrowserAgreement(dtls.their_fingerprint, ice.ufrag, ice.password, dtls.fingerprint, keys)

    def _flush(self, dtls: Association | ResumedAssociation) -> None:
        for datagram in dtls.out:
            if self.address is not None:
                with suppress(OSError):
                    self._udp.send(datagram, self.address)
        dtls.out.clear()
