"""Failover (RFC 3263 section 4.3): a request's servers in the order in which they are tried, and what is remembered of
those that failed, and of peers that take long requests over UDP only (RFC 3261 section 18.1.1)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from ivr.sip.message import Peer, SipResponse

SERVER_S = 4.0  # that a server has for its first answer while others are left: Timer B or F, shortened
FAILED_S = 30.0  # a server that failed is tried last for so long
NO_TCP_S = 600.0  # a peer without TCP gets long requests over UDP at once for so long
_MOST = 1024


class _Lately:
    """What happened within ``window_s``; the latest _MOST."""

    def __init__(self, window_s: float, now: Callable[[], float]) -> None:
        self._window_s, self._now = window_s, now
        self._at: OrderedDict[Peer, float] = OrderedDict()

    def add(self, peer: Peer) -> None:
        self._at[peer] = self._now()
        self._at.move_to_end(peer)
        if len(self._at) > _MOST:
            self._at.popitem(last=False)

    def discard(self, peer: Peer) -> None:
        self._at.pop(peer, None)

    def __contains__(self, peer: Peer) -> bool:
        return self._now() - self._at.get(peer, float("-inf")) < self._window_s


class Experience:
    """What was lately learnt of servers."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.failed = _Lately(FAILED_S, now)
        self.without_tcp = _Lately(NO_TCP_S, now)


class Hunt:
    """One request's way through ``servers``. ``next`` gives where to send it, until somebody serves it."""

    def __init__(self, experience: Experience, servers: Iterable[Peer]) -> None:
        self._experience = experience
        self._left = deque(dict.fromkeys(servers))
        self._tried: Peer | None = None

    def next(self) -> Peer:
        """Raises IndexError when nobody is left."""
        self._tried = self._left.popleft()
        return self._tried

    def patience_s(self, peer: Peer) -> float | None:
        """How long ``peer`` has for its first answer; None: as long as the RFC says."""
        return SERVER_S if self._left or peer != self._tried else None

    def over(self, peer: Peer, response: SipResponse) -> bool:
        """Note what ``peer`` answered, or that it didn't; whether nobody else need be asked."""
        if not failed(response):
            self._experience.failed.discard(self._tried or peer)
            return True
        if self._tried is not None and peer != self._tried and response.made_here:  # TCP, because the request is long
            self._experience.without_tcp.add(self._tried)
            self._left.appendleft(self._tried)
        else:
            self._experience.failed.add(self._tried or peer)
        return not self._left


def failed(response: SipResponse) -> bool:
    """Whether another server may do better: this one is unavailable, unreachable, or did not answer in time."""
    return response.status_code == 503 or response.made_here


def over_tcp(peer: Peer) -> Peer:
    return replace(peer, transport="tcp")
