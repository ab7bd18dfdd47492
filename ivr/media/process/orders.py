"""The orders of the line, ``ivr.media.wire.Kind``, as the media process carries them out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ivr.errors import MediaUnavailable, UnavailableError
from ivr.media import wire
from ivr.media.description import Secrets, host_for, hosts_by_version
from ivr.media.process.browser_transport import BrowserTransport
from ivr.media.process.codec import available
from ivr.media.process.dtls_srtp import Identities
from ivr.media.process.outbox import Outbox
from ivr.media.process.play_queue import Recording
from ivr.media.process.port_pool import PortPool
from ivr.media.process.rtp_session import RtpSession
from ivr.media.process.sessions import Sessions
from ivr.media.process.tap import Tap
from ivr.media.process.transport import Transport
from ivr.media.process.udp_transport import UdpTransport
from ivr.media.wire import Kind
from ivr.workers.frames import REQUEST, Life, refusal


class Orders:
    """``obey`` with each frame that comes from the line."""

    def __init__(self, sessions: Sessions, outbox: Outbox) -> None:
        self._sessions = sessions
        self._outbox = outbox
        self._clips: dict[int, Recording] = {}
        self._ports: PortPool | None = None
        self._codecs: tuple[str, ...] = ()
        self._bind: dict[int, str] = {}  # by IP version
        self._hosts: dict[int, str] = {}  # what descriptions say
        self._timeout_s = self._browser_timeout_s = 30.0
        self._browser_host = ""
        self._identities = Identities()
        known = sessions.known
        self._handlers: dict[int, Callable[[int, bytes], object]] = {
            Life.SETUP: self._setup,
            Life.PING: lambda _, body: self._outbox.put(Life.PONG, 0, body),
            Kind.OPEN: self._request(self._open),
            Kind.UPDATE: self._request(self._update),
            Kind.STATS: self._request(lambda leg, _: asdict(known(leg).stats())),
            Kind.CLOSE: self._request(lambda leg, _: asdict(sessions.drop(known(leg)))),
            Kind.LEAVE: self._request(self._leave),
            Kind.PORTS: lambda _, body: self._share(*wire.unpack(body)),
            Kind.CLIP: self._clip,
            Kind.FORGET: lambda number, _: self._clips.pop(number, None),  # legs that play it keep it until it ends
            Kind.PLAY: self._told(self._play),
            Kind.STOP: self._told(lambda session, token: session.sender.queue.stop(token)),
            Kind.LISTEN: self._told(self._listen),
            Kind.HEAR: self._told(self._hear),
            Kind.TAP: self._told(self._tap),
            Kind.PRESS: self._told(self._press),
        }

    def obey(self, kind: int, leg: int, body: bytes) -> None:
        """Whatever goes wrong, the other legs go on."""
        try:
            self._handlers[kind](leg, body)
        except Exception as error:
            self._sessions.note("media.order_failed", leg, error)
            session = self._sessions.get(leg)
            if session is not None:
                self._sessions.end(session, error)

    def _setup(self, _: int, body: bytes) -> None:
        values = wire.unpack(body)
        self._share(values["low"], values["high"], values["after"])
        self._codecs = tuple(name for name in values["codecs"] if available(name))
        self._bind = hosts_by_version(values["bind"])
        self._hosts = hosts_by_version(values["hosts"])
        self._timeout_s = values["timeout_s"]
        self._browser_host, self._browser_timeout_s = values["browser_bind"], values["browser_timeout_s"]
        self._outbox.put(Life.READY, 0, wire.pack({"codecs": self._codecs}))

    def _share(self, low: int, high: int, after: int) -> None:
        """Legs that are open keep the ports that they have."""
        self._ports = PortPool(low, high, after)

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

    def _open(self, leg: int, order: tuple[Any, bool, int, Any]) -> object:
        assert self._ports is not None
        values, caller, port, resumed = order
        resumption = wire.parse_resumption(resumed)
        remote = wire.description(values)
        callers = sum(session.caller for session in self._sessions) if caller else None
        transport: Transport
        if remote is not None and isinstance(remote.secure, Secrets):
            transport = BrowserTransport(self._ports.single(self._browser_host, port), self._identities, resumption)
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
            if resumption.address is not None:
                transport.meet(resumption.address)
        except BaseException:
            for sock in transport.sockets:
                sock.close()
            raise
        self._sessions.add(session)
        return wire.described(local)

    def _update(self, leg: int, remote: Any) -> object:
        return wire.described(self._sessions.known(leg).aim(wire.description(remote), time.monotonic()))

    def _leave(self, leg: int, _: Any) -> object:
        session = self._sessions.known(leg)
        resumption = session.resumption()
        return [asdict(self._sessions.drop(session, elsewhere=True)), wire.resumption(resumption)]

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
        others = [other for number in numbers if (other := self._sessions.get(number)) is not None]
        session.hear([other for other in others if other is not session], time.monotonic())
        self._sessions.find_mixes()

    def _tap(self, session: RtpSession, on: bool) -> None:
        if session.tap is not None and not on:
            self._sessions.hand_on(session, session.tap.flush())
        session.tap = (session.tap or Tap(session.number)) if on else None

    def _listen(self, session: RtpSession, on: bool) -> None:
        session.receiver.listening = on

    def _press(self, session: RtpSession, keys: str) -> None:
        for key in keys:
            session.sender.press(key)
