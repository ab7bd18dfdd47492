"""The RTP sessions of the media process: by their number, with the sockets that are waited for and who is mixed."""

from __future__ import annotations

import select
import time
import traceback
from collections.abc import Iterator

from ivr.errors import UnavailableError
from ivr.media import wire
from ivr.media.clip import LegStats
from ivr.media.process.mixing import Mix
from ivr.media.process.outbox import Outbox
from ivr.media.process.rtp_session import RtpSession
from ivr.media.process.tap import Chunk
from ivr.media.process.transport import Reader
from ivr.media.wire import Kind
from ivr.workers.frames import Life


class Sessions:
    """``joined``: some far ends hear others; ``mixes``: whose hear several. ``readers``: by file number, whose socket
    it is and what reads it.

    What goes wrong with one ends that one, and the line is told."""

    def __init__(self, poll: select.epoll, outbox: Outbox) -> None:
        self.mixes: list[tuple[RtpSession, Mix]] = []
        self.joined = False
        self.readers: dict[int, tuple[RtpSession, Reader]] = {}
        self._poll = poll
        self._outbox = outbox
        self._sessions: dict[int, RtpSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[RtpSession]:
        return iter(self._sessions.values())

    def get(self, number: int) -> RtpSession | None:
        return self._sessions.get(number)

    def known(self, number: int) -> RtpSession:
        """Raises UnavailableError."""
        session = self._sessions.get(number)
        if session is None:
            raise UnavailableError("the leg is gone")
        return session

    def add(self, session: RtpSession) -> None:
        """Raises OSError where its sockets can't be waited for; they are closed then."""
        try:
            for sock, read in session.readers():
                self._poll.register(sock.fileno(), select.EPOLLIN)
                self.readers[sock.fileno()] = session, read
        except BaseException:
            for sock in session.transport.sockets:
                self.readers.pop(sock.fileno(), None)
                sock.close()  # which ends its registration, too
            raise
        self._sessions[session.number] = session

    def drop(self, session: RtpSession, *, elsewhere: bool = False) -> LegStats:
        """It is over; or, ``elsewhere``, goes on in another process, and nobody is told of anything."""
        del self._sessions[session.number]
        for sock in session.transport.sockets:
            if self.readers.pop(sock.fileno(), None) is not None:
                self._poll.unregister(sock.fileno())
        if session.tap is not None:
            self.hand_on(session, session.tap.flush())
        try:
            return session.leave(time.monotonic()) if elsewhere else session.close(time.monotonic())
        finally:
            for sock in session.transport.sockets:
                sock.close()
            self.find_mixes()

    def end(self, session: RtpSession, error: Exception) -> None:
        """A fault in one leg ends that leg."""
        if self._sessions.get(session.number) is session:
            try:
                self.drop(session)
            except Exception as another:
                self.note("media.close_failed", session.number, another)
            self._outbox.put(Kind.BROKEN, session.number, wire.pack(f"{type(error).__name__}: {error}"))

    def find_mixes(self) -> None:
        self.joined = any(session.hears for session in self)
        self.mixes = [(session, session.voice) for session in self if isinstance(session.voice, Mix)]

    def hand_on(self, session: RtpSession, chunks: list[Chunk]) -> None:
        """What was tapped, to the line."""
        for codec, payload, at in chunks:
            session.dropped_tap_frames += self._outbox.tapped(session.number, codec, payload, at)

    def note(self, event: str, leg: int, error: Exception) -> None:
        """A fault of ours, for the log: the line has it."""
        trace = "".join(traceback.format_exception(error))
        said = {"event": event, "number": leg, "error": repr(error), "exception": trace}
        self._outbox.put(Life.LOG, 0, wire.pack(["error", said]))
