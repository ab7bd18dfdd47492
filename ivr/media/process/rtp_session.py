"""An RTP session (RFC 3550): one leg's ports, its receiver and sender, RTCP, and what it reports to the line."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Sequence
from random import uniform

from ivr.errors import MediaUnavailable
from ivr.events import DigitSource
from ivr.media import wire
from ivr.media.clip import LegStats
from ivr.media.description import MediaDescription, callers_served, expects_audio, negotiate, port_pairs
from ivr.media.process import rtcp
from ivr.media.process.dtmf_event import KeyChange
from ivr.media.process.latch import Address
from ivr.media.process.mixing import Mix, Voice
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet
from ivr.media.process.sender import Sender
from ivr.media.process.tap import Tap
from ivr.media.wire import Kind

_REPORT_S = 5.0  # RFC 3550 section 6.2's minimum
_FLOOD = 16  # datagrams taken at once of a leg that keeps sending
_FLOOD_S = 0.008  # between two of them; telephones leave 10 ms and more
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_MAPPED = "::ffff:"  # IPv4 through an IPv6 socket


class PortPool:
    """Hands out bound socket pairs from ``low``..``high``, going round, so that a freed port rests the longest.

    ``after``: the last one that the process before this had handed out; its legs will want theirs again."""

    def __init__(self, host: str, low: int, high: int, after: int = 0) -> None:
        self._host = host
        self._low, self._pairs = port_pairs(low, high)
        self._next = (max(0, after - self._low) // 2 + bool(after)) % max(1, self._pairs)
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._trouble = ""

    def bind(self, callers: int | None = None, wanted: int = 0) -> tuple[socket.socket, socket.socket]:
        """The next free pair (RTP, RTCP), non-blocking; ``wanted`` and the port after it where they are free. Raises
        MediaUnavailable when every port is taken.

        ``callers``: how many there are, when it is for another one; half of the pairs are kept for those who join."""
        where = f"on {self._host} in {self._low}-{self._low + 2 * self._pairs - 1}"
        remedy = "widen media.ports, or see what else is bound there"
        if callers is not None and callers >= callers_served(self._pairs):
            raise MediaUnavailable(f"no free RTP port pair {where} but those kept for the agents' legs", remedy=remedy)
        self._trouble = ""
        if wanted and (pair := self._pair(wanted)) is not None:
            return pair
        for _ in range(self._pairs):
            port = self._low + 2 * self._next
            self._next = (self._next + 1) % self._pairs
            if (pair := self._pair(port)) is not None:
                return pair
        raise MediaUnavailable(f"no free RTP port pair {where}: {self._trouble}", remedy=remedy)

    def _pair(self, port: int) -> tuple[socket.socket, socket.socket] | None:
        rtp = self._bound(port)
        if rtp is None:
            return None
        try:
            rtcp = self._bound(port + 1)
        except MediaUnavailable:
            rtp.close()
            raise
        if rtcp is None:
            rtp.close()
            return None
        return rtp, rtcp

    def _bound(self, port: int) -> socket.socket | None:
        """None when the port is taken. Raises MediaUnavailable when no port would do."""
        sock: socket.socket | None = None
        try:
            sock = socket.socket(self._family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.bind((self._host, port))
        except OSError as error:
            if sock is not None:
                sock.close()
            self._trouble = error.strerror or str(error)
            if error.errno in _EXHAUSTED:
                remedy = "raise the limit on open files (LimitNOFILE=), or lower sip.max_calls"
                raise MediaUnavailable(f"no socket for another RTP session: {self._trouble}", remedy=remedy) from error
            return None
        return sock


class RtpSession:
    """``now`` is monotonic seconds everywhere. ``tell`` takes what is to be said to the line: kind, number, body."""

    def __init__(
        self,
        number: int,
        sockets: tuple[socket.socket, socket.socket],
        preferences: tuple[str, ...],
        host: str,
        timeout_s: float,
        tell: Callable[[Kind, int, bytes], None],
        *,
        caller: bool,
    ) -> None:
        self.number = number
        self.caller = caller
        self.rtp, self.rtcp = sockets
        self._v6 = self.rtp.family == socket.AF_INET6
        self.port: int = self.rtp.getsockname()[1]
        self.hears: tuple[RtpSession, ...] = ()  # whose voices our far end hears
        self.hearers: set[RtpSession] = set()  # whose far ends hear ours
        self.voice: Voice | None = None  # what ``hears`` comes to
        self._alone: list[RtpSession] = []  # of the hearers, those who hear nobody else
        self.relaying = False  # the last packet of our far end was sent on as it came
        self.tap: Tap | None = None
        self.remote: MediaDescription | None = None
        self.dropped_frames = 0
        self.dropped_tap_frames = 0
        self.failed_packets = 0
        self.sender = Sender(self.rtp, self._done)
        self.receiver = Receiver(preferences, self._key)
        self._preferences = preferences
        self._host = host
        self._timeout_s = timeout_s
        self._timed_out = False
        self._aimed_at = 0.0
        self._heard = False  # anything at all of the far end
        self._tell = tell
        self._read_at = 0.0
        self._round_trip_s: float | None = None
        self._report_at = 0.0
        self._reported_packets = 0
        self._far_report: tuple[int, float] | None = None  # middle of its NTP time, when it came
        self._far_rtcp: Address | None = None

    def aim(self, remote: MediaDescription | None, now: float) -> MediaDescription:
        """(Re)negotiate; our description. Raises NoCommonCodec, and then nothing has changed."""
        local = negotiate(remote, self._preferences, self._host, self.port)
        if remote is not None:
            self.sender.aim(remote, self._preferences)
            self.receiver.aim(remote, now)
            self._timed_out = False
            self._aimed_at = now
            self._far_rtcp = None
            self.remote = remote
            if not self._report_at:
                self._report_at = now + uniform(0.5, 1.0) * _REPORT_S
        return local

    def readable(self, now: float) -> None:
        """RTP has arrived. One datagram a time is the rule; a sender that outruns it is drained, within bounds."""
        hasty, self._read_at = now - self._read_at < _FLOOD_S, now
        for _ in range(_FLOOD if hasty else 1):
            try:
                data, address = self.rtp.recvfrom(2048)
            except OSError:  # nothing more, or an ICMP error of our own sending
                return
            self.receiver.datagram(data, self._plain(address), now)

    def send(self, now: float) -> None:
        """This tick's packet, from whatever there is to send."""
        self.sender.tick(self._reached(self.receiver.latch.source), self.voice, now)

    def watch(self, now: float) -> None:
        """After the tick's urgent work: RTCP, and whether the far end still sends."""
        remote = self.remote
        if remote is None:
            return
        if now >= self._report_at:
            self._report_at = now + uniform(0.75, 1.25) * _REPORT_S
            self._report(now)
        if not self._heard and self.receiver.heard_at > self._aimed_at:
            self._heard = True
            self._tell(Kind.HEARD, self.number, wire.pack(None))
        silent = now - self.receiver.heard_at
        if silent <= self._timeout_s:
            self._timed_out = False
        elif not self._timed_out and expects_audio(remote):
            self._timed_out = True
            self._tell(Kind.TIMEOUT, self.number, wire.pack(silent))

    def rtcp_readable(self, now: float) -> None:
        """An RTCP packet has arrived; of strangers it is ignored."""
        try:
            data, address = self.rtcp.recvfrom(2048)
        except OSError:
            return
        source = self._plain(address)
        if not self.receiver.latch.far_end(source[0]) or not rtcp.plausible(data):
            return
        self.receiver.heard_at = now  # a muted telephone may send nothing else
        for report in rtcp.parse(data):
            self._far_rtcp = source
            if report.ntp:
                self._far_report = (rtcp.middle(report.ntp), now)
            for block in report.blocks:
                if block.ssrc == self.sender.ssrc:
                    trip = rtcp.round_trip_s(block, rtcp.ntp_time(time.time()))
                    self._round_trip_s = trip if trip is not None else self._round_trip_s

    def hear(self, others: Sequence[RtpSession], now: float) -> None:
        """From now on our far end hears the sum of ``others``; one alone is relayed, while nothing else is said."""
        before, self.hears = self.hears, tuple(others)
        if self.hears == before:
            return
        self.sender.release_key()
        for other in before:
            other.hearers.discard(self)
        for other in self.hears:
            other.hearers.add(self)
        if len(self.hears) > 1:
            self.voice = Mix([other.receiver for other in self.hears])
        else:
            self.voice = self.hears[0].receiver if self.hears else None
        self.sender.relay.begin(now, heard=bool(set(before).intersection(self.hears)))
        for session in {*before, *self.hears}:
            session._alone = [hearer for hearer in session.hearers if len(hearer.hears) == 1]
            session.receiver.onward = session._onward if session._alone else None
            session.relaying = False

    def _onward(self, packet: Packet, placed: int | None, now: float) -> None:
        """A packet of our far end goes on to everybody who hears it alone."""
        receiver = self.receiver
        self.relaying = False
        for hearer in self._alone:
            target = hearer._reached(hearer.receiver.latch.source)
            if hearer.sender.send_on(target, receiver, packet, placed, now):
                self.relaying = True

    def close(self, now: float) -> LegStats:
        """Leave every conversation, say RTCP BYE, end every play, free the ports."""
        self.hear((), now)
        for hearer in tuple(self.hearers):
            hearer.hear([other for other in hearer.hears if other is not self], now)
        self.sender.queue.stop()
        if self.sender.packets:
            self._report(now, bye=True)
        stats = self.stats()
        self.rtp.close()
        self.rtcp.close()
        return stats

    def stats(self) -> LegStats:
        """Counts so far."""
        receiver, sender = self.receiver, self.sender
        return LegStats(
            codec=sender.coder.name if sender.coder else "",
            packets_sent=sender.packets,
            packets_received=receiver.reception.total,
            packets_lost=receiver.reception.lost,
            packets_late=receiver.jitter.late,
            jitter_ms=round(receiver.reception.jitter / 8.0, 2),
            concealed_ms=receiver.concealed_ms,
            round_trip_ms=None if self._round_trip_s is None else round(self._round_trip_s * 1000.0, 1),
            send_gap_p99_ms=sender.gaps.percentile(0.99),
            audio_dropped_frames=self.dropped_frames,
            packets_failed=self.failed_packets,
            tap_dropped_frames=self.dropped_tap_frames,
        )

    def _plain(self, address: tuple[str, int]) -> Address:
        """A packet's source as descriptions name it."""
        host, port = address[:2]
        return (host.removeprefix(_MAPPED) if self._v6 else host), port

    def _reached(self, target: Address | None) -> Address | None:
        """The opposite."""
        if target is None or not self._v6 or ":" in target[0]:
            return target
        return _MAPPED + target[0], target[1]

    def _key(self, change: KeyChange, source: DigitSource) -> None:
        if change.began:
            digit = [change.key, source, self.receiver.heard_at, not change.ended]
            self._tell(Kind.DIGIT, self.number, wire.pack(digit))
            self.sender.queue.key()
            for hearer in self.hearers:
                hearer.sender.hold_key(change.key, audible=source == "tone")
        elif change.ended:
            self._tell(Kind.RELEASED, self.number, wire.pack([change.key, self.receiver.heard_at]))
        if change.ended:
            for hearer in self.hearers:
                hearer.sender.release_key()

    def _done(self, token: int, completed: bool, played_s: float) -> None:
        self._tell(Kind.DONE, self.number, wire.pack([token, completed, played_s]))

    def _report(self, now: float, *, bye: bool = False) -> None:
        source = self._far_rtcp
        if source is None:
            latched = self.receiver.latch.source
            if latched is None:
                return
            source = (latched[0], latched[1] + 1)
        reception, sender = self.receiver.reception, self.sender
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if reception.received:
            lsr, dlsr = 0, 0
            if self._far_report is not None:
                lsr = self._far_report[0]
                dlsr = int((now - self._far_report[1]) * 65536.0) & 0xFFFFFFFF
            blocks = (reception.block(lsr, dlsr),)
        sent = sender.packets != self._reported_packets
        self._reported_packets = sender.packets
        ntp = rtcp.ntp_time(time.time()) if sent else 0
        report = rtcp.Report(sender.ssrc, ntp, sender.packets, sender.octets, blocks)
        packet = rtcp.build(report, sender.timestamp, f"leg-{self.number}@{self._host}", bye=bye)
        try:
            self.rtcp.sendto(packet, self._reached(source) or source)
        except (OSError, OverflowError):  # no route, or no port after 65535: reports are a courtesy
            return
