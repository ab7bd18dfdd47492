"""The accounts port: who is at a console, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["agent", "supervisor", "designer", "ops"]
ROLES: tuple[Role, ...] = ("agent", "supervisor", "designer", "ops")


@dataclass(frozen=True, slots=True)
class Account:
    """``name`` logs in and stands in audits; ``display`` is what others see and callers hear."""

    name: str
    roles: frozenset[Role] = frozenset()
    display: str = ""

    def may(self, *roles: Role) -> bool:
        """Whether one of ``roles`` is theirs."""
        return not self.roles.isdisjoint(roles)


LOCAL = Account("local", frozenset(ROLES), "Local")
"""Whoever is at this machine, while there are neither accounts nor a token."""
