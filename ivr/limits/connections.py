"""TCP connections that a server keeps: how many in all and from one source, and which one makes room for the next.

Who has proven nothing must never keep out who has: those connections have a share of their own, and the oldest of the
source that has most of them goes when another comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

IDLE_S = 32.0  # a proven connection that was quiet for so long may make room


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """``most`` in all, of them at most ``unproven``; from one source ``unproven_a_source``, and ``a_source`` of the
    proven (0: as many as there are)."""

    most: int
    unproven: int
    unproven_a_source: int
    a_source: int = 0


@dataclass(slots=True)
class _Connection:
    source: str
    close: Callable[[], object]
    order: int
    active_at: float
    proven: bool
    busy: bool = False


class ConnectionTable:
    """All connections of one server. ``close`` of one that must go is called by ``enter`` of another."""

    def __init__(self, limits: ConnectionLimits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._all: dict[Hashable, _Connection] = {}
        self._entered = 0
        self.turned_away = 0

    def enter(
        self, key: Hashable, source: str, close: Callable[[], object], *, proven: bool = False, ours: bool = False
    ) -> bool:
        """Take a connection in, closing another where there must be room; False when it must be turned away. ``ours``:
        we opened it, and need it."""
        while not ours and (rivals := self._rivals(source, proven)) is not None:
            victim = self._victim(rivals)
            self.turned_away += 1
            if victim is None:
                return False
            self._all.pop(victim).close()
        self._entered += 1
        self._all[key] = _Connection(source, close, self._entered, self._now(), proven or ours)
        return True

    def leave(self, key: Hashable) -> None:
        self._all.pop(key, None)

    def prove(self, key: Hashable) -> None:
        """Note that whoever is at the other end may be here."""
        if key in self._all:
            self._all[key].proven = True

    def active(self, key: Hashable, *, busy: bool = False) -> None:
        """Note that a whole message came; ``busy`` until the next note: it is being served."""
        if key in self._all:
            self._all[key].active_at, self._all[key].busy = self._now(), busy

    def proven(self, key: Hashable) -> bool:
        return key in self._all and self._all[key].proven

    def __len__(self) -> int:
        return len(self._all)

    def _rivals(self, source: str, proven: bool) -> list[tuple[Hashable, _Connection]] | None:
        """Return the connections of which one must make room for another of ``source``; None while there is room."""
        limits, everybody = self._limits, list(self._all.items())
        strangers = [(k, c) for k, c in everybody if not c.proven]
        own = [(k, c) for k, c in everybody if c.source == source and c.proven == proven]
        if not proven and len(own) >= limits.unproven_a_source:
            return own
        if proven and limits.a_source and len(own) >= limits.a_source:
            return own
        if not proven and len(strangers) >= limits.unproven:
            return _of_the_greediest(strangers)
        if len(everybody) >= limits.most:
            return _of_the_greediest(strangers) or _of_the_greediest(everybody)
        return None

    def _victim(self, rivals: Iterable[tuple[Hashable, _Connection]]) -> Hashable | None:
        """Return the oldest stranger, else whoever was quiet longest, if that was long."""
        idle_since = self._now() - IDLE_S
        may_go = [(k, c) for k, c in rivals if not c.proven or (not c.busy and c.active_at <= idle_since)]
        if not may_go:
            return None
        return min(may_go, key=lambda e: (e[1].proven, e[1].active_at if e[1].proven else e[1].order))[0]


def _of_the_greediest(connections: list[tuple[Hashable, _Connection]]) -> list[tuple[Hashable, _Connection]]:
    if not connections:
        return []
    source = Counter(c.source for _, c in connections).most_common(1)[0][0]
    return [(k, c) for k, c in connections if c.source == source]
