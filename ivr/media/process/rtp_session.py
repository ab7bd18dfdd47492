"""An RTP session (RFC 3550): one leg's ports, its receiver and sender, RTCP, and what it reports to the line."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import uniform

from ivr.events import DigitSource
from ivr.media import wire
from ivr.media.clip import LegStats
from ivr.media.description import MediaDescription, Resumption, expects_audio, host_for, negotiate
from ivr.media.process import rtcp
from ivr.media.process.dtmf_event import KeyChange
from ivr.media.process.echo import AUDIBLE, EchoGuard
from ivr.media.process.latch import Address
from ivr.media.process.mixing import Mix, Voice
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet
from ivr.media.process.sender import Sender
from ivr.media.process.tap import Tap
from ivr.media.process.transport import Reader, Transport
from ivr.media.wire import Kind

_REPORT_S = 5.0  # RFC 3550 section 6.2's minimum
_KEYED_S = 60.0  # a far end's numbers begin anew every 11 minutes at most


class RtpSession:
    """``now`` is monotonic seconds everywhere. ``tell`` takes what is to be said to the line: kind, number, body."""

    # More than the 30 attributes whose table CPython shares between instances: without slots ticks take 15 % longer.
    __slots__ = (
        "_aimed_at",
        "_alone",
        "_counted",
        "_due_at",
        "_echo",
        "_far_report",
        "_far_rtcp",
        "_heard",
        "_hosts",
        "_keyed",
        "_keyed_at",
        "_preferences",
        "_report_at",
        "_reported_packets",
        "_round_trip_s",
        "_suites",
        "_tell",
        "_timed_out",
        "_timeout_s",
        "caller",
        "dropped_frames",
        "dropped_tap_frames",
        "failed_packets",
        "hearers",
        "hears",
        "number",
        "receiver",
        "relaying",
        "remote",
        "sender",
        "tap",
        "transport",
        "voice",
        "watch_at",
    )

    def __init__(
        self,
        number: int,
        transport: Transport,
        preferences: tuple[str, ...],
        hosts: Mapping[int, str],
        timeout_s: float,
        tell: Callable[[Kind, int, bytes], None],
        *,
        caller: bool,
        processes: int = 0,
    ) -> None:
        """``processes``: how many had the far end before this one, under the same keys."""
        self.number = number
        self.caller = caller
        self.transport = transport
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
        self.sender = Sender(transport, self._done, processes)
        self._echo = EchoGuard()
        self.receiver = Receiver(preferences, self._key, transport.latch, self._echo)
        self._preferences = preferences
        self._hosts = hosts
        self._timeout_s = timeout_s
        self.watch_at = 0.0  # there is nothing to ``watch`` before
        self._timed_out = False
        self._aimed_at = 0.0
        self._heard = False  # anything at all of the far end
        self._tell = tell
        self._round_trip_s: float | None = None
        self._report_at = 0.0
        self._due_at = 0.0  # no report and no timeout before
        self._reported_packets = 0
        self._far_report: tuple[int, float] | None = None  # middle of its NTP time, when it came
        self._far_rtcp: Address | None = None
        self._counted = 0  # packets, when it was noted what protected them
        self._keyed = Resumption(dtls=transport.agreement)
        self._keyed_at = -_KEYED_S
        self._suites: set[str] = set()  # that did; "" for none

    def aim(self, remote: MediaDescription | None, now: float) -> MediaDescription:
        """(Re)negotiate; our description. Raises NoCommonCodec, and then nothing has changed."""
        self.watch_at = 0.0
        local = negotiate(remote, self._preferences, host_for(remote, self._hosts), self.transport.port)
        if remote is not None:
            self._note_suite()
            local = replace(local, secure=self.transport.aim(remote.secure, now))
            self.sender.aim(remote, self._preferences)
            self.receiver.aim(remote, now)
            self._timed_out = False
            self._aimed_at = now
            self._far_rtcp = None
            self.remote = remote
            if not self._report_at:
                self._report_at = now + uniform(0.5, 1.0) * _REPORT_S
        return local

    def readers(self) -> list[tuple[socket.socket, Reader]]:
        """Its sockets, and what is to be called when one of them has something."""
        return self.transport.readers(self.receiver.datagram, self._rtcp, self._connected)

    def send(self, now: float) -> None:
        """This tick's packet, from whatever there is to send."""
        self.sender.tick(self.receiver.latch.source, self.voice, now)
        power, echo = self.sender.power, self._echo
        if power > AUDIBLE or echo.audible:
            echo.played(power)

    def watch(self, now: float) -> None:
        """After the tick's urgent work: RTCP, and whether the far end still sends."""
        transport = self.transport
        transport.watch(now)
        if transport.agreement is not self._keyed.dtls:
            self._tell_keyed(Resumption(dtls=transport.agreement))
        remote = self.remote
        if now < self._due_at or remote is None or not transport.established:
            return
        if now >= self._report_at:
            self._report_at = now + uniform(0.75, 1.25) * _REPORT_S
            self._follow_stream(now)
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
        if self._heard:
            self._due_at = min(self._report_at, self.receiver.heard_at + self._timeout_s)
            if transport.protection is None:
                self.watch_at = self._due_at

    def resumption(self) -> Resumption:
        """What another process that has the same ports would go on with now."""
        transport = self.transport
        return Resumption(0, transport.agreement, self._stream(), transport.address)

    def _stream(self) -> tuple[int, int] | None:
        """What no packet says of the far end's stream, and another process would have to know."""
        protection, reception = self.transport.protection, self.receiver.reception
        if protection is None or not reception.received:
            return None
        return reception.ssrc, protection.rollovers(
            reception.ssrc, reception.first & 0xFFFF, reception.highest & 0xFFFF
        )

    def _follow_stream(self, now: float) -> None:
        stream, told = self._stream(), self._keyed.stream
        if stream is None:
            return
        anew = told is not None and stream[1] < told[1]  # by another key: what is told is of no use any more
        if stream != told and (anew or now - self._keyed_at >= _KEYED_S):
            self._keyed_at = now
            self._tell_keyed(replace(self._keyed, stream=stream))

    def _tell_keyed(self, resumption: Resumption) -> None:
        self._keyed = resumption
        self._tell(Kind.KEYED, self.number, wire.pack(wire.resumption(resumption)))

    def _rtcp(self, data: bytes, source: Address, now: float) -> None:
        """An RTCP packet has arrived; of strangers it is ignored."""
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
            if hearer.sender.send_on(hearer.receiver.latch.source, receiver, packet, placed, now):
                self.relaying = True

    def close(self, now: float) -> LegStats:
        """Leave every conversation, say RTCP BYE, end every play, free the ports."""
        self._part(now)
        self.sender.queue.stop()
        if self.sender.packets:
            self._report(now, bye=True)
        stats = self.stats()
        self.transport.close()
        return stats

    def leave(self, now: float) -> LegStats:
        """Another process goes on at the same ports: neither far end nor line are told that anything ends."""
        self._part(now)
        stats = self.stats()
        self.transport.close(elsewhere=True)
        return stats

    def _part(self, now: float) -> None:
        self.hear((), now)
        for hearer in tuple(self.hearers):
            hearer.hear([other for other in hearer.hears if other is not self], now)

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
            packets_refused=self.transport.refused,
            srtp=self._srtp(),
        )

    def _note_suite(self) -> str:
        """What protects packets now, and has protected those since the last time."""
        protection, count = self.transport.protection, self.sender.packets + self.receiver.reception.total
        suite = "" if protection is None else protection.suite
        if count != self._counted:
            self._counted = count
            self._suites.add(suite)
        return suite

    def _srtp(self) -> str:
        suite = self._note_suite()
        if "" in self._suites:
            return "in part" if len(self._suites) > 1 else ""
        return suite or max(self._suites, default="")

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

    def _connected(self, state: str, why: str, now: float) -> None:
        self.receiver.heard_at = now  # silence counts from here
        self._timed_out = False
        self.watch_at = 0.0
        self._tell(Kind.CONNECTED, self.number, wire.pack([state, why]))

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
        packet = rtcp.build(report, sender.timestamp, f"leg-{self.number}@{next(iter(self._hosts.values()))}", bye=bye)
        try:
            self.transport.send_rtcp(packet, source)
        except (OSError, OverflowError):  # no route, or no port after 65535: reports are a courtesy
            return
