"""The media process: one thread, one 20 ms ticker for all RTP sessions, at the orders of ``ivr.media.engine``."""

from __future__ import annotations

import gc
import select
import socket
import time
from collections import defaultdict
from typing import TypeAlias

from ivr.media import wire
from ivr.media.process.codec import FRAME, FRAME_S, Coder, Samples, powers
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

Waiting: TypeAlias = defaultdict[Coder | None, list[RtpSession]]  # for their frames to be decoded
Decoded: TypeAlias = tuple[RtpSession, Samples, float, bool]  # a frame, its power, whether it may be a key's


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
        waiting: Waiting = defaultdict(list)
        heard = [session for session in sessions if session.hearers]
        if heard:
            self._take_heard(heard, waiting)
            if self._sessions.mixes:
                self._mix(self._sessions.mixes)
            waiting.clear()
        clock = time.monotonic
        missed = heard  # of whom there is nothing to decode now
        # A leg's parts are far from each other in memory: what is to be done with them is done while they are near.
        for session in sessions:
            try:
                session.send(clock())
                if not session.hearers:
                    receiver = session.receiver
                    if receiver.tick():
                        waiting[receiver.coder].append(session)
                    else:
                        missed.append(session)
            except Exception as error:  # a fault in one leg ends that leg
                self._sessions.end(session, error)
        now = clock()
        for coder, together in waiting.items():
            for session, signal, level, two in self._decoded(coder, together):
                try:
                    session.receiver.decoded(signal, level, two_tones=two)
                    self._hear(session, now, due)
                except Exception as error:
                    self._sessions.end(session, error)
        for session in missed:
            try:
                self._hear(session, now, due)
            except Exception as error:
                self._sessions.end(session, error)
        self._outbox.flush()

    def _take_heard(self, sessions: list[RtpSession], waiting: Waiting) -> None:
        """Those whom others hear come first: what came of them is passed on in the same tick."""
        for session in sessions:
            try:
                if session.receiver.tick():
                    waiting[session.receiver.coder].append(session)
            except Exception as error:
                self._sessions.end(session, error)
        for coder, together in waiting.items():
            for session, signal, level, two in self._decoded(coder, together):
                try:
                    session.receiver.decoded(signal, level, two_tones=two)
                except Exception as error:
                    self._sessions.end(session, error)

    def _hear(self, session: RtpSession, now: float, due: float) -> None:
        """What came of a leg's far end in this tick, to whom it is for."""
        receiver = session.receiver
        frames = receiver.speech(now)
        if frames:
            session.dropped_frames += self._outbox.speech(session.number, frames)
        if session.tap is not None:
            self._sessions.hand_on(session, session.tap.tick(receiver, session.sender.coder, due))
        if now >= session.watch_at:
            session.watch(now)

    def _decoded(self, coder: Coder | None, together: list[RtpSession]) -> list[Decoded]:
        """All frames of one codec in one go, which saves half the work."""
        assert coder is not None
        try:
            return _decode(coder, together)
        except Exception:  # one leg's payload spoils it for all: find out whose
            found: list[Decoded] = []
            for session in together:
                try:
                    found += _decode(coder, [session])
                except Exception as error:
                    self._sessions.end(session, error)
            return found

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
        reader_of, relayed = self._sessions.readers.get, self._sessions.joined
        for number, _ in self._poll.poll(timeout):
            reader = reader_of(number)
            if reader is None:
                if number == self._control.fileno():
                    self._obey()
                continue
            session, read = reader
            try:
                read(now)
                if relayed and session.relaying:
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


def _decode(coder: Coder, together: list[RtpSession]) -> list[Decoded]:
    payloads = b"".join([session.receiver.payload or b"" for session in together])
    frames = coder.decode(payloads).reshape(len(together), FRAME)
    levels = powers(frames)
    return list(zip(together, frames, levels.tolist(), two_tones(frames, levels), strict=True))


def serve(control: socket.socket) -> None:
    """The process's main, until the line closes its end of ``control``."""
    raise_priority()
    process = MediaProcess(control)
    gc.collect()
    gc.freeze()
    gc.disable()  # no cycles are made a tick; the young ones of opening and closing legs are collected now and then
    process.run()
