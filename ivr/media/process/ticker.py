"""The media process: one thread, one 20 ms ticker for all RTP sessions, at the orders of ``ivr.media.engine``."""

from __future__ import annotations

import gc
import select
import socket
import time

from ivr.media import wire
from ivr.media.process.codec import FRAME, FRAME_S, Coder, powers
from ivr.media.process.dtmf_tone import two_tones
from ivr.media.process.mixing import Mix, sum_up
from ivr.media.process.orders import Orders
from ivr.media.process.outbox import Outbox
from ivr.media.process.pacing import Pacer, Punctuality, raise_priority
from ivr.media.process.rtp_session import RtpSession
from ivr.media.process.sessions import Sessions
from ivr.media.wire import Kind
from ivr.workers.frames import Splitter

# Sockets are looked at four times a tick: cheaper than waking for every packet, and a key costs 5 ms at most.
_LOOK_S = FRAME_S / 4
# While there is a relay packets are taken as they come, but for those that come right after others.
_BATCH_S = 0.0015
_RELAYED_S = 1.0  # since the last packet that was sent on: the relay may be over
_COLLECT_TICKS = 1500
_REPORT_TICKS = 250  # 5 s


class MediaProcess:
    """Ends when the line closes its end of ``control``."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._outbox = Outbox(control)
        self._splitter = Splitter()
        self._poll = select.epoll()
        self._poll.register(control.fileno(), select.EPOLLIN)
        self._sessions = Sessions(self._poll, self._outbox)
        self._orders = Orders(self._sessions, self._outbox)
        self._relayed_at = -_RELAYED_S
        self._open = True
        self._kept = Punctuality()

    def run(self) -> None:
        """Until the line hangs up on us."""
        ticks = 0
        pacer = Pacer(time.monotonic(), FRAME_S)
        while self._open and not self._outbox.broken:
            if not self._sessions:
                if self._kept.ticks:
                    self._report()
                self._look(FRAME_S if self._outbox.pending else None)
                pacer = Pacer(time.monotonic(), FRAME_S)
                continue
            self._rest(pacer.due)
            self._kept.began(time.monotonic() - pacer.due)
            self._tick(pacer.due)
            ticks += 1
            if ticks % _COLLECT_TICKS == 0:
                gc.collect(0)
            self._look(0)
            skipped = pacer.skipped
            pacer.ticked(time.monotonic())
            self._kept.skipped(pacer.skipped - skipped)
            if self._kept.ticks >= _REPORT_TICKS:
                self._report()
        for session in self._sessions:
            session.close(time.monotonic())

    def _report(self) -> None:
        """How ticks kept their deadlines since the last time."""
        kept, self._kept = self._kept, Punctuality()
        self._outbox.put(Kind.PACE, 0, wire.pack([kept.ticks, kept.late, kept.worst_s]))

    def _rest(self, until: float) -> None:
        """Until a tick is due, taking what arrives; relays don't wait for it, but half of the time is others' still."""
        while (pause := until - time.monotonic()) > 0:
            if until - self._relayed_at <= _RELAYED_S:
                if not select.select((self._poll,), (), (), pause)[0]:  # waits more finely than epoll's milliseconds
                    return
                began = time.monotonic()
                self._look(0)
                now = time.monotonic()
                time.sleep(max(0.0, min(max(_BATCH_S, now - began), until - now)))
            elif pause < _LOOK_S:
                time.sleep(pause)
            else:
                time.sleep(pause % _LOOK_S)
                self._look(0)

    def _tick(self, due: float) -> None:
        sessions = list(self._sessions)
        heard = [session for session in sessions if session.hearers]
        if heard:
            self._receive(heard)
        if self._sessions.mixes:
            self._mix(self._sessions.mixes)
        clock = time.monotonic
        for session in sessions:
            try:
                session.send(clock())
            except Exception as error:  # a fault in one leg ends that leg
                self._sessions.end(session, error)
        self._receive([session for session in sessions if not session.hearers] if heard else sessions)
        now = clock()
        for session in sessions:
            try:
                frames = session.receiver.speech(now)
                if frames:
                    session.dropped_frames += self._outbox.speech(session.number, frames)
                if session.tap is not None:
                    self._sessions.hand_on(session, session.tap.tick(session.receiver, session.sender.coder, due))
                if now >= session.watch_at:
                    session.watch(now)
            except Exception as error:
                self._sessions.end(session, error)
        self._outbox.flush()

    def _receive(self, sessions: list[RtpSession]) -> None:
        """The next frame of every leg; those of one codec are decoded in one go, which saves half the work."""
        waiting: dict[Coder, list[RtpSession]] = {}
        for session in sessions:
            receiver = session.receiver
            try:
                if receiver.tick() and receiver.coder is not None:
                    together = waiting.get(receiver.coder)
                    if together is None:
                        together = waiting[receiver.coder] = []
                    together.append(session)
            except Exception as error:
                self._sessions.end(session, error)
        for coder, together in waiting.items():
            try:
                self._decode(coder, together)
            except Exception:  # one leg's payload spoils it for all: find out whose
                for session in together:
                    try:
                        self._decode(coder, [session])
                    except Exception as error:
                        self._sessions.end(session, error)

    def _decode(self, coder: Coder, together: list[RtpSession]) -> None:
        payloads = b"".join([session.receiver.payload or b"" for session in together])
        frames = coder.decode(payloads).reshape(len(together), FRAME)
        levels = powers(frames)
        tonal = two_tones(frames, levels)
        for session, signal, level, two in zip(together, frames, levels.tolist(), tonal, strict=True):
            try:
                session.receiver.decoded(signal, level, two_tones=two)
            except Exception as error:
                self._sessions.end(session, error)

    def _mix(self, mixes: list[tuple[RtpSession, Mix]]) -> None:
        try:
            sum_up([mix for _, mix in mixes])
        except Exception:  # one leg's voice spoils it for all: find out whose
            for session, mix in mixes:
                try:
                    sum_up([mix])
                except Exception as error:
                    self._sessions.end(session, error)

    def _look(self, timeout: float | None) -> None:
        """Take what has arrived: packets, and what the line wants."""
        now = time.monotonic()
        reader_of = self._sessions.readers.get
        for number, _ in self._poll.poll(timeout):
            reader = reader_of(number)
            if reader is None:
                if number == self._control.fileno():
                    self._obey()
                continue
            session, read = reader
            try:
                read(now)
                if session.relaying:
                    self._relayed_at = now
            except Exception as error:  # a packet that nobody thought of costs itself
                session.failed_packets += 1
                if session.failed_packets == 1:
                    self._sessions.note("media.packet_failed", session.number, error)
        self._outbox.flush()

    def _obey(self) -> None:
        try:
            data = self._control.recv(256 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._open = bool(data)
        for kind, leg, body in self._splitter.feed(data):
            self._orders.obey(kind, leg, body)


def serve(control: socket.socket) -> None:
    """The process's main, until the line closes its end of ``control``."""
    raise_priority()
    process = MediaProcess(control)
    gc.collect()
    gc.freeze()
    gc.disable()  # no cycles are made a tick; the young ones of opening and closing legs are collected now and then
    process.run()
