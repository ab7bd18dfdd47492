"""A telephone's transport: RTP and RTCP on a UDP port each (RFC 3550 section 11), in the clear or by SRTP, whose keys
come with the SDP (SDES, RFC 4568) or are agreed on here (DTLS-SRTP without ICE, RFC 5763)."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

from ivr.media.description import Dtls, Keying, Sdes
from ivr.media.process.dtls_srtp import Association, Identities, Identity
from ivr.media.process.latch import Address, Latch, SourceLatch
from ivr.media.process.rtcp import plausible
from ivr.media.process.srtp import Protection, Srtp
from ivr.media.process.transport import Change, Reader, Taker, UdpPort

_CONNECT_S = 15.0


@dataclass(slots=True)
class _Handshake:
    """One association, on its port; ``address``: where the far end's last datagram of it came from."""

    dtls: Association
    port: UdpPort
    address: Address | None = None


class UdpTransport:
    """For whoever the latch takes for the far end: by addresses in the clear, else by who has the keys."""

    def __init__(self, rtp: socket.socket, rtcp: socket.socket, identities: Identities) -> None:
        self._latch = SourceLatch()
        self.latch: Latch = self._latch
        self._rtp, self._rtcp = UdpPort(rtp), UdpPort(rtcp)
        self.port = self._rtp.number
        self.protection: Protection | None = None
        self._control: Protection | None = None  # of what comes on RTCP's port
        self._identities = identities
        self._identity: Identity | None = None  # kept: our SDP has told its fingerprint
        self._theirs: Keying | None = None
        self._ours: Keying | None = None
        self._handshakes: list[_Handshake] = []  # RTP's first
        self._mux = False
        self._refused = 0  # by protections that are no more
        self._told = ""
        self._given_up_at = 0.0
        self._take_rtp: Taker | None = None
        self._take_rtcp: Taker | None = None
        self._changed: Change | None = None

    @property
    def established(self) -> bool:
        """In the clear, or there are keys."""
        return self.protection is None or self.protection.up

    @property
    def refused(self) -> int:
        """Packets that no key opened."""
        protections = {id(each): each for each in (self.protection, self._control) if each is not None}
        return self._refused + sum(each.refused for each in protections.values())

    @property
    def agreed(self) -> tuple[Sdes, ...]:
        """Of RTP's association, and of RTCP's where that has one."""
        keys = [handshake.dtls.keys for handshake in self._handshakes]
        return tuple(each for each in keys if each is not None) if all(keys) else ()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """RTP's and RTCP's."""
        return self._rtp.socket, self._rtcp.socket

    def readers(self, rtp: Taker, rtcp: Taker, changed: Change) -> list[tuple[socket.socket, Reader]]:
        """One for each port."""
        self._take_rtp, self._take_rtcp, self._changed = rtp, rtcp, changed

        def read_rtp(now: float) -> None:
            for data, address in self._rtp.arrivals(now):
                if self.protection is None:
                    rtp(data, address, now)
                else:
                    self.sealed(data, address, now)

        def read_rtcp(now: float) -> None:
            for data, address in self._rtcp.arrivals(now):
                if self._control is None:
                    rtcp(data, address, now)
                else:
                    self.sealed(data, address, now, control=True)

        return [(self._rtp.socket, read_rtp), (self._rtcp.socket, read_rtcp)]

    def sealed(self, data: bytes, address: Address, now: float, *, control: bool = False) -> None:
        """One datagram of anybody's, while there is a protection; ``control``: it came to RTCP's port. What it is, its
        first bytes tell (RFC 7983, RFC 5761)."""
        first = data[0] if data else 255
        if 20 <= first <= 63 and self._handshakes:
            self._shake(self._handshakes[-1 if control else 0], data, address, now)
        elif not 128 <= first <= 191:
            return  # a keep-alive, or noise
        elif control or (self._mux and plausible(data)):
            packet = self._control.open_rtcp(data) if self._control is not None else None
            if packet is not None and self._take_rtcp is not None:
                self._take_rtcp(packet, address, now)
        else:
            packet = self.protection.open(data) if self.protection is not None else None
            if packet is not None and self._take_rtp is not None:
                self._take_rtp(packet, address, now)

    def send(self, packet: bytes, target: Address, /) -> None:
        """RTP. Raises OSError."""
        protection = self.protection
        self._rtp.send(packet if protection is None else protection.seal(packet), target)

    def send_rtcp(self, packet: bytes, target: Address, /) -> None:
        """RTCP; beside RTP where the far end takes it there. Raises OSError."""
        control = self._control
        data = packet if control is None else control.seal_rtcp(packet)
        beside = self._latch.source if self._mux else None
        if beside is not None:
            self._rtp.send(data, beside)
        else:
            self._rtcp.send(data, target)

    def aim(self, theirs: Keying | None, now: float) -> Keying | None:
        """The far end's keys, or its certificate. The same as before change nothing: packet counters and an association
        go on. Raises ValueError for keys that are none, and nothing has changed then."""
        if theirs == self._theirs:
            return self._ours
        match theirs:
            case Sdes():
                self._key(theirs)
                self._ours = theirs
            case Dtls():
                self._ours = self._associate(theirs, now)
            case _:
                self._protect(None, None)
                self._ours = None
        self._theirs = theirs
        self._latch.authentic = self.protection is not None
        self._latch.ready = self.established
        return self._ours

    def watch(self, now: float) -> None:
        """Begin a handshake, or repeat what got lost of it; give up on a far end that never answers."""
        if not any(handshake.dtls.state == "new" for handshake in self._handshakes):
            return
        for handshake in self._handshakes:
            handshake.dtls.watch(now)
            if now >= self._given_up_at and handshake.dtls.state == "new":
                handshake.dtls.abandon("the far end did not finish the DTLS handshake")
        self._follow(now)

    @property
    def address(self) -> Address | None:
        """As the latch knows it."""
        return self._latch.latched

    def meet(self, address: Address) -> None:
        self._latch.latched = address

    def close(self, *, elsewhere: bool = False) -> None:
        """Tell the far end of an association, and free both ports."""
        for handshake in self._handshakes if not elsewhere else ():
            handshake.dtls.close()
            self._flush(handshake)
        for sock in self.sockets:
            sock.close()
        # Whom it told hold it: what OpenSSL has of it must not wait for a collection of such circles.
        self._protect(None, None)
        self._take_rtp = self._take_rtcp = self._changed = None

    def _protect(self, protection: Protection | None, control: Protection | None, mux: bool = False) -> None:
        self._refused = self.refused
        self.protection, self._control = protection, control
        self._handshakes = []
        self._mux = mux

    def _key(self, keys: Sdes) -> None:
        if isinstance(self.protection, Srtp):
            self.protection.rekey(keys)
        else:
            srtp = Srtp.of(keys)
            self._protect(srtp, srtp)

    # --- DTLS -------------------------------------------------------------------------------------------------

    def _associate(self, theirs: Dtls, now: float) -> Dtls:
        """Passive, unless the far end can only be that: who begins is found behind its NAT. An association that stands
        with the same certificate goes on (RFC 8842 section 5)."""
        active = theirs.setup == "passive"
        if theirs.agreed and not self._handshakes:
            self._resume(theirs)
            return Dtls(self._identities.current().fingerprint, "active" if active else "passive", theirs.mux)
        former = self._handshakes[0].dtls if self._handshakes else None
        stands = former is not None and former.their_fingerprint == theirs.fingerprint and self._mux == theirs.mux
        if former is None or not stands or not (former.up or (former.state == "new" and former.active == active)):
            self._identity = self._identity or self._identities.current()
            for handshake in self._handshakes:
                handshake.dtls.close()
                self._flush(handshake)
            ports = [self._rtp] if theirs.mux else [self._rtp, self._rtcp]
            made = [
                _Handshake(
                    Association(self._identity, theirs.fingerprint, active=active, algorithm=theirs.algorithm), port
                )
                for port in ports
            ]
            self._protect(made[0].dtls, made[-1].dtls, theirs.mux)
            self._handshakes = made
            self._told = ""
            self._given_up_at = now + _CONNECT_S
        dtls = self._handshakes[0].dtls
        return Dtls(dtls.fingerprint, "active" if dtls.active else "passive", theirs.mux)

    def _resume(self, theirs: Dtls) -> None:
        """Go on with keys that are agreed on already; the far end knows of no other process."""
        before = self._theirs
        if not (isinstance(before, Dtls) and before.agreed == theirs.agreed):
            srtp = [Srtp.of(keys, by="DTLS ") for keys in theirs.agreed]
            self._protect(srtp[0], srtp[-1], theirs.mux)

    def _shake(self, handshake: _Handshake, data: bytes, address: Address, now: float) -> None:
        """Part of a handshake, which proves nothing until it is over: of strangers' hosts it is forgotten."""
        if not handshake.dtls.up:
            if not self._latch.may_be(address[0]):
                return
            handshake.address = address
        handshake.dtls.receive(data, now)
        self._follow(now)

    def _follow(self, now: float) -> None:
        """What became of RTP's association by now."""
        for handshake in self._handshakes:
            self._flush(handshake)
        dtls = self._handshakes[0].dtls
        self._latch.ready = dtls.up
        if dtls.state != "new" and dtls.state != self._told:
            self._told = dtls.state
            if self._changed is not None:
                self._changed(dtls.state, dtls.why, now)

    def _flush(self, handshake: _Handshake) -> None:
        target = handshake.address or self._signalled(handshake.port)
        for datagram in handshake.dtls.out:
            if target is not None:
                with suppress(OSError, OverflowError):
                    handshake.port.send(datagram, target)
        handshake.dtls.out.clear()

    def _signalled(self, port: UdpPort) -> Address | None:
        signalled = self._latch.signalled
        if signalled is None or port is self._rtp:
            return signalled
        return signalled[0], signalled[1] + 1
