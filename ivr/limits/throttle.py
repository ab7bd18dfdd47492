"""Throttles by source: token buckets, growing waits after failed log-ins, and log lines that are counted.

Every table is bounded: forged sources push each other out and cost no memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from ivr.plain_text import plain

V = TypeVar("V")

SOURCES_KEPT = 4096

WINDOW_S = 60.0
LINES_A_WINDOW = 200  # over all sources: spoofed addresses must not fill the disk

FREE_GUESSES = 10
FREE_GUESSES_PROVEN = 100  # where the right secret came from too: a proxy, an office behind one address
FIRST_WAIT_S = 1.0
LAST_WAIT_S = 60.0
FORGOTTEN_AFTER_S = 600.0


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 one, whose owner has all of it."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False)) if not address.is_loopback else host


def wait_after(beyond: int) -> float:
    """Seconds, after so many guesses beyond those that are free."""
    return min(LAST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(beyond, 16)) if beyond >= 0 else 0.0


class _Recent(OrderedDict[str, V], Generic[V]):
    """The latest SOURCES_KEPT entries."""

    def put(self, key: str, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > SOURCES_KEPT:
            self.popitem(last=False)


class Budgets:
    """A token bucket a source: ``burst`` at once, ``rate`` a second for ever."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self.burst = burst
        self._rate, self._now = rate, now
        self._left: _Recent[tuple[float, float]] = _Recent()  # tokens, and when they were counted

    def take(self, source: str) -> bool:
        """Whether ``source`` had one left."""
        now = self._now()
        tokens, at = self._left.get(source, (self.burst, now))
        tokens = min(self.burst, tokens + (now - at) * self._rate)
        enough = tokens >= 1.0
        self._left.put(source, (tokens - 1.0 if enough else tokens, now))
        return enough

    def __len__(self) -> int:
        return len(self._left)


class CountedLog:
    """A log event of one line a source and minute; the next line says how many were kept back. What strangers wrote
    is told in plain text."""

    def __init__(
        self, logger: structlog.stdlib.BoundLogger, event: str, now: Callable[[], float], level: str = "warning"
    ) -> None:
        self._logger, self._event, self._level, self._now = logger, event, level, now
        self._sources: _Recent[tuple[float, int]] = _Recent()
        self._window = (now(), 0)

    def note(self, source: str, **attributes: object) -> bool:
        """Log what happened; return whether a line was written."""
        now = self._now()
        since, kept_back = self._sources.get(source, (float("-inf"), 0))
        start, lines = self._window
        if now - start >= WINDOW_S:
            start, lines = now, 0
        written = now - since >= WINDOW_S and lines < LINES_A_WINDOW
        if written:
            self._sources.put(source, (now, 0))
            lines += 1
            write = getattr(self._logger, self._level)
            told = {name: plain(value) if isinstance(value, str) else value for name, value in attributes.items()}
            write(self._event, source=source, suppressed=kept_back, **told)
        else:
            self._sources.put(source, (since if now - since < WINDOW_S else now - WINDOW_S, kept_back + 1))
        self._window = (start, lines)
        return written


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    until: float = 0.0
    proven: bool = False
    tried: set[int] = field(default_factory=set)


class Guesses:
    """Wrong secrets by who showed them (a source, or a source and an account). A few are free; then each makes the wait
    before the next longer, up to LAST_WAIT_S. The same wrong secret again is a stale setting and no guess."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: _Recent[_Failures] = _Recent()
        self.refused = 0  # wrong secrets, since the start

    def wait_s(self, who: str) -> float:
        """Seconds until a secret of ``who`` is looked at again; 0.0 = now."""
        known = self._known(who)
        return max(0.0, known.until - self._now()) if known is not None else 0.0

    def failed(self, who: str, secret: str) -> bool:
        """Note that ``who`` showed a wrong ``secret``; whether that was a guess."""
        now = self._now()
        self.refused += 1
        known = self._known(who) or _Failures()
        self._failures.put(who, known)
        if hash(secret) in known.tried:
            return False
        if len(known.tried) < FREE_GUESSES_PROVEN:
            known.tried.add(hash(secret))
        known.count, known.last = known.count + 1, now
        beyond = known.count - (FREE_GUESSES_PROVEN if known.proven else FREE_GUESSES)
        if beyond >= 0:
            known.until = now + wait_after(beyond)
        return True

    def passed(self, who: str) -> None:
        """Note that ``who`` showed the right secret. It wipes out no failure: others may share the address."""
        known = self._known(who)
        if known is None:
            self._failures.put(who, known := _Failures(last=self._now()))
        known.proven = True

    def _known(self, who: str) -> _Failures | None:
        known = self._failures.get(who)
        if known is not None and known.count and self._now() - known.last > FORGOTTEN_AFTER_S:
            known.count, known.until, known.tried = 0, 0.0, set()
        return known
