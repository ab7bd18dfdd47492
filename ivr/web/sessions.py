"""Who is logged in to the console, and how often somebody may guess the token."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

LIFE_S = 12 * 3600.0
MOST_SESSIONS = 500
ATTEMPTS = 5
WITHIN_S = 60.0
MOST_ASKERS = 2000


@dataclass(frozen=True, slots=True)
class Session:
    """``csrf`` goes into every form and every request that changes something. ``until`` is monotonic."""

    id: str
    csrf: str
    until: float


class Sessions:
    """Kept on the server, in memory: a restart logs everybody out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self) -> Session:
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(24), self._clock() + LIFE_S)
        self._sessions[session.id] = session
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def find(self, session_id: str) -> Session | None:
        session = self._sessions.get(session_id)
        if session is not None and session.until <= self._clock():
            del self._sessions[session_id]
            return None
        return session

    def end(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)


class Guesses:
    """At most ATTEMPTS wrong tokens a minute from one address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until ``address`` may try again; 0 = now."""
        recent = self._failures.get(address)
        if recent is None:
            return 0
        now = self._clock()
        while recent and recent[0] <= now - WITHIN_S:
            recent.popleft()
        return 0 if len(recent) < ATTEMPTS else max(1, round(recent[0] + WITHIN_S - now))

    def failed(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=ATTEMPTS)).append(self._clock())
        self._failures.move_to_end(address)
        while len(self._failures) > MOST_ASKERS:
            self._failures.popitem(last=False)
