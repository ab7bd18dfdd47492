"""The tie line's port: processes that serve one line of callers dial each other for agents whose consoles they have."""

from __future__ import annotations

from typing import Protocol

from ivr.ports.line import Offer


class Ties(Protocol):
    """Where the others are, and tokens that admit a call for one offer. ``line``: this process."""

    @property
    def line(self) -> str: ...
    def near(self, host: str) -> bool:
        """Whether one of the other processes is dialled at the IP address ``host``, as was last seen. Never raises."""

    def dead(self, line: str) -> bool:
        """Whether this other process is, as was last seen. Never raises."""

    async def uri_of(self, offer: Offer) -> str:
        """The SIP URI at which the process of the agent's console is dialled for this offer: once, while the lease
        runs; or to rejoin an agent who talked with the caller there or elsewhere. "": the offer stands no more, or that
        process is gone, or can't be dialled. Raises StoreUnavailable."""

    async def redeem(self, token: str) -> Offer | None:
        """The offer that ``token`` was made for; it is worth nothing afterwards. None: it never was one, was used, or
        the lease is over, or the agent's console is elsewhere. Raises StoreUnavailable."""
