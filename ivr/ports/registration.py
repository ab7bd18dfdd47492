"""Registrations of lines that share their accounts: each account is registered by one of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ivr.ports.telephony import RegistrationStatus


@dataclass(frozen=True, slots=True)
class Held:
    """Who registers an account. ``mine``: this line does, from now on. ``status``: as its node told last; None where
    nobody did. ``contacts``: the URIs that the registrar may have been given for it. ``heirs``: another line lives that
    would take it."""

    mine: bool
    status: RegistrationStatus | None = None
    contacts: Sequence[str] = ()
    heirs: bool = False


class RegistrationLeases(Protocol):
    """``look_s``: how often a line asks whether an account is its own, at least."""

    look_s: float

    async def hold(
        self, account: str, status: RegistrationStatus, *, contacts: Sequence[str] | None = None, offered: bool = False
    ) -> Held:
        """Ask for ``account``, an address of record. ``status`` and ``contacts`` are told to the others where it is
        this line's. ``offered``: whoever else asks may have it, and this line does not take it. Raises
        StoreUnavailable: then nobody knows."""

    async def release(self, account: str) -> None:
        """It is nobody's, if it was this line's. Raises StoreUnavailable."""
