"""The media process: one thread, one 20 ms ticker for all RTP sessions, at the orders of ``ivr.media.engine``."""

from __future__ import annotations

import gc
import select
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ivr.errors import MediaUnavailable, UnavailableError
from ivr.media import wire
from ivr.media.clip import LegStats
from ivr.media.description import Secrets, host_for, hosts_by_version
from ivr.media.process.browser_transport import BrowserTransport
from ivr.media.process.codec import FRAME, FRAME_S, available, coder, powers
from ivr.media.process.dtls_srtp import Identities
from ivr.media.process.dtmf_tone import two_tones
from ivr.media.process.mixing import Mix, sum_up
from ivr.media.process.outbox import Outbox
from ivr.media.process.pacing import Pacer, raise_priority
from ivr.media.process.port_pool import PortPool
from ivr.media.process.rtp_session import RtpSession
from ivr.media.process.sender import Recording
from ivr.media.process.tap import Chunk, Tap
from ivr.media.process.transport import Transport
from ivr.media.process.udp_transport import UdpTransport
from ivr.media.wire import Kind
from ivr.workers.frames import REQUEST, Life, Splitter, refusal

# Sockets are looked at four times a tick: cheaper than waking for every packet, and a key costs 5 ms at most.
_LOOK_S = FRAME_S / 4
# While there is a relay packets are taken as they come, but for those that come right after others.
_BATCH_S = 0.0015
_RELAYED_S = 1.0  # since the last packet that was sent on: the relay may be over
_COLLECT_TICKS = 1500


class MediaProcess:
    """Owns every session, clip and socket. Ends when the line closes its end of ``control``."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._outbox = Outbox(control)
        self._splitter = Splitter()
        self._sessions: dict[int, RtpSession] = {}
        self._readers: dict[int, tuple[RtpSession, Callable[[float], None]]] = {}  # by file number
        self._mixes: list[tuple[RtpSession, Mix]] = []
        self._relayed_at = -_RELAYED_S
        self._clips: dict[int, Recording] = {}
        self._poll = select.epoll()
        self._poll.register(control.fileno(), select.EPOLLIN)
        self._open = True
        self._ports: PortPool | None = None
        self._codecs: tuple[str, ...] = ()
        self._bind: dict[int, str] = {}  # by IP version
        self._hosts: dict[int, str] = {}  # what descriptions say
        self._timeout_s = self._browser_timeout_s = 30.0
        self._browser_host = ""
        self._identities = Identities()
        self._handlers: dict[int, Callable[[int, bytes], object]] = {
            Life.SETUP: self._setup,
            Life.PING: lambda _, body: self._outbox.put(Life.PONG, 0, body),
            Kind.OPEN: self._request(self._open_leg),
            Kind.UPDATE: self._request(self._update),
            Kind.STATS: self._request(lambda leg, _: asdict(self._known(leg).stats())),
            Kind.CLOSE: self._request(lambda leg, _: asdict(self._drop(self._known(leg)))),
            Kind.CLIP: self._clip,
            Kind.FORGET: lambda number, _: self._clips.pop(number, None),  # legs that play it keep it until it ends
            Kind.PLAY: self._told(self._play),
            Kind.STOP: self._told(lambda session, token: session.sender.queue.stop(token)),
            Kind.LISTEN: self._told(self._listen),
            Kind.HEAR: self._told(self._hear),
            Kind.TAP: self._told(self._tap),
            Kind.PRESS: self._told(self._press),
        }

    def run(self) -> None:
        """Until the line hangs up on us."""
        ticks = 0
        pacer = Pacer(time.monotonic(), FRAME_S)
        while self._open and not self._outbox.broken:
            if not self._sessions:
                self._look(FRAME_S if self._outbox.pending else None)
                pacer = Pacer(time.monotonic(), FRAME_S)
                continue
            self._rest(pacer.due)
            self._tick(pacer.due)
            ticks += 1
            if ticks % _COLLECT_TICKS == 0:
                gc.collect(0)
            self._look(0)
            pacer.ticked(time.monotonic())
        for session in self._sessions.values():
            session.close(time.monotonic())

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
        sessions = list(self._sessions.values())
        self._receive([session for session in sessions if session.hearers])
        if self._mixes:
            self._mix(self._mixes)
        clock = time.monotonic
        for session in sessions:
            try:
                session.send(clock())
            except Exception as error:  # a fault in one leg ends that leg
                self._break(session, error)
        self._receive([session for session in sessions if not session.hearers])
        now = clock()
        for session in sessions:
            try:
                frames = session.receiver.speech(now)
                if frames:
                    session.dropped_frames += self._outbox.speech(session.number, frames)
                if session.tap is not None:
                    self._hand_on(session, session.tap.tick(session.receiver, session.sender.coder, due))
                session.watch(now)
            except Exception as error:
                self._break(session, error)
        self._outbox.flush()

    def _receive(self, sessions: list[RtpSession]) -> None:
        """The next frame of every leg; those of one codec are decoded in one go, which saves half the work."""
        waiting: dict[str, list[RtpSession]] = {}
        for session in sessions:
            receiver = session.receiver
            try:
                if receiver.tick() and receiver.coder is not None:
                    waiting.setdefault(receiver.coder.name, []).append(session)
            except Exception as error:
                self._break(session, error)
        for name, together in waiting.items():
            try:
                self._decode(name, together)
            except Exception:  # one leg's payload spoils it for all: find out whose
                for session in together:
                    try:
                        self._decode(name, [session])
                    except Exception as error:
                        self._break(session, error)

    def _decode(self, name: str, together: list[RtpSession]) -> None:
        payloads = b"".join([session.receiver.payload or b"" for session in together])
        frames = coder(name).decode(payloads).reshape(len(together), FRAME)
        levels = powers(frames)
        tonal = two_tones(frames, levels)
        for session, signal, level, two in zip(together, frames, levels.tolist(), tonal, strict=True):
            try:
                session.receiver.decoded(signal, level, two_tones=two)
            except Exception as error:
                self._break(session, error)

    def _mix(self, mixes: list[tuple[RtpSession, Mix]]) -> None:
        try:
            sum_up([mix for _, mix in mixes])
        except Exception:  # one leg's voice spoils it for all: find out whose
            for session, mix in mixes:
                try:
                    sum_up([mix])
                except Exception as error:
                    self._break(session, error)

    def _hand_on(self, session: RtpSession, chunks: list[Chunk]) -> None:
        for codec, payload, at in chunks:
            session.dropped_tap_frames += self._outbox.tapped(session.number, codec, payload, at)

    def _look(self, timeout: float | None) -> None:
        """Take what has arrived: packets, and what the line wants."""
        now = time.monotonic()
        for number, _ in self._poll.poll(timeout):
            reader = self._readers.get(number)
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
                    self._note("media.packet_failed", session.number, error)
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
            try:
                self._handlers[kind](leg, body)
            except Exception as error:  # whatever it was about: the other legs go on
                self._note("media.order_failed", leg, error)
                if leg in self._sessions:
                    self._break(self._sessions[leg], error)

    def _note(self, event: str, leg: int, error: Exception) -> None:
        """A fault of ours, for the log: the line has it."""
        trace = "".join(traceback.format_exception(error))
        said = {"event": event, "number": leg, "error": repr(error), "exception": trace}
        self._outbox.put(Life.LOG, 0, wire.pack(["error", said]))

    def _break(self, session: RtpSession, error: Exception) -> None:
        if self._sessions.get(session.number) is session:
            try:
                self._drop(session)
            except Exception as another:
                self._note("media.close_failed", session.number, another)
            self._outbox.put(Kind.BROKEN, session.number, wire.pack(f"{type(error).__name__}: {error}"))

    def _drop(self, session: RtpSession) -> LegStats:
        del self._sessions[session.number]
        self._forget(session)
        if session.tap is not None:
            self._hand_on(session, session.tap.flush())
        try:
            return session.close(time.monotonic())
        finally:
            for sock in session.transport.sockets:
                sock.close()
            self._find_mixes()

    def _forget(self, session: RtpSession) -> None:
        """Listen to its sockets no more."""
        for sock in session.transport.sockets:
            if self._readers.pop(sock.fileno(), None) is not None:
                self._poll.unregister(sock.fileno())

    # --- what the line says ----------------------------------------------------------------------------------

    def _setup(self, _: int, body: bytes) -> None:
        values = wire.unpack(body)
        self._ports = PortPool(values["low"], values["high"], values["after"])
        self._codecs = tuple(name for name in values["codecs"] if available(name))
        self._bind = hosts_by_version(values["bind"])
        self._hosts = hosts_by_version(values["hosts"])
        self._timeout_s = values["timeout_s"]
        self._browser_host, self._browser_timeout_s = values["browser_bind"], values["browser_timeout_s"]
        self._outbox.put(Life.READY, 0, wire.pack({"codecs": self._codecs}))

    def _request(self, answer: Callable[[int, Any], object]) -> Callable[[int, bytes], None]:
        """A handler that replies with what ``answer`` returns, and refuses with what it raises."""

        def handle(leg: int, body: bytes) -> None:
            number, value = body[: REQUEST.size], wire.unpack(body[REQUEST.size :])
            try:
                reply = wire.pack(answer(leg, value))
            except UnavailableError as error:
                self._outbox.put(Life.REFUSED, 0, number + refusal(error))
                return
            except Exception as error:
                # Nobody may wait for a reply that never comes; what is open is broken by whoever called this.
                failure = MediaUnavailable(f"{type(error).__name__}: {error}", remedy="see the log of this time")
                self._outbox.put(Life.REFUSED, 0, number + refusal(failure))
                raise
            self._outbox.put(Life.REPLY, leg, number + reply)

        return handle

    def _open_leg(self, leg: int, order: tuple[Any, bool, int, Any]) -> object:
        assert self._ports is not None
        values, caller, port, resumed = order
        resumption = wire.parse_resumption(resumed)
        remote = wire.description(values)
        callers = sum(session.caller for session in self._sessions.values()) if caller else None
        transport: Transport
        if remote is not None and isinstance(remote.secure, Secrets):
            transport = BrowserTransport(self._ports.single(self._browser_host, port), self._identities)
            timeout_s = self._browser_timeout_s
        else:
            both = remote is None and len(self._bind) > 1  # an offer: who answers it decides
            host = "::" if both else host_for(remote, self._bind)
            transport = UdpTransport(*self._ports.bind(host, callers, port, both=both), self._identities, resumption)
            timeout_s = self._timeout_s
        try:
            session = RtpSession(
                *(leg, transport, self._codecs, self._hosts, timeout_s, self._outbox.put),
                caller=caller,
                processes=resumption.processes,
            )
            local = session.aim(remote, time.monotonic())
            for sock, read in session.readers():
                self._poll.register(sock.fileno(), select.EPOLLIN)
                self._readers[sock.fileno()] = session, read
        except BaseException:
            for sock in transport.sockets:
                self._readers.pop(sock.fileno(), None)
                sock.close()  # which ends its registration, too
            raise
        self._sessions[leg] = session
        return wire.described(local)

    def _update(self, leg: int, remote: Any) -> object:
        return wire.described(self._known(leg).aim(wire.description(remote), time.monotonic()))

    def _known(self, leg: int) -> RtpSession:
        session = self._sessions.get(leg)
        if session is None:
            raise UnavailableError("the leg is gone")
        return session

    def _clip(self, number: int, body: bytes) -> None:
        self._clips[number] = Recording(body)

    def _told(self, act: Callable[[RtpSession, Any], None]) -> Callable[[int, bytes], None]:
        """A handler for what is said of a leg; about one that is gone already it is no error."""

        def handle(leg: int, body: bytes) -> None:
            session = self._sessions.get(leg)
            if session is not None:
                act(session, wire.unpack(body))

        return handle

    def _play(self, session: RtpSession, order: tuple[int, bool, int, list[int]]) -> None:
        token, stop_on_key, gap_ms, clips = order
        recordings = [self._clips[number] for number in clips]
        session.sender.queue.add(token, recordings, stop_on_key=stop_on_key, gap_ms=gap_ms)

    def _hear(self, session: RtpSession, numbers: list[int]) -> None:
        """Legs that are gone, or not there again after a restart, are nobody to hear."""
        others = [self._sessions[number] for number in numbers if number in self._sessions]
        session.hear([other for other in others if other is not session], time.monotonic())
        self._find_mixes()

    def _find_mixes(self) -> None:
        sessions = self._sessions.values()
        self._mixes = [(session, session.voice) for session in sessions if isinstance(session.voice, Mix)]

    def _tap(self, session: RtpSession, on: bool) -> None:
        if session.tap is not None and not on:
            self._hand_on(session, session.tap.flush())
        session.tap = (session.tap or Tap(session.number)) if on else None

    def _listen(self, session: RtpSession, on: bool) -> None:
        session.receiver.listening = on

    def _press(self, session: RtpSession, keys: str) -> None:
        for key in keys:
            session.sender.press(key)


def serve(control: socket.socket) -> None:
    """The process's main, until the line closes its end of ``control``."""
    raise_priority()
    process = MediaProcess(control)
    gc.collect()
    gc.freeze()
    gc.disable()  # no cycles are made a tick; the young ones of opening and closing legs are collected now and then
    process.run()
