"""Registrations of a line's trunks: begun, changed by a reload, offered to other lines by a drain, ended."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from ivr.config import Trunk
from ivr.ports import RegistrationLeases, RegistrationStatus
from ivr.sip.message import Peer
from ivr.sip.registration import Registration, account_of
from ivr.sip.signalling import Signalling


class Registrations:
    """``leases``: who registers an account, of the lines that share it."""

    def __init__(self, core: Signalling, leases: RegistrationLeases) -> None:
        self._core = core
        self._leases = leases
        self._all: list[Registration] = []
        self._offered = False

    @property
    def statuses(self) -> Sequence[RegistrationStatus]:
        """In the order of the configuration."""
        return [each.status for each in self._all]

    def begin(self, trunks: Sequence[Trunk]) -> None:
        for trunk in trunks:
            if trunk.register_with:
                self._begin(trunk)

    def apply(self, before: Sequence[Trunk], trunks: Sequence[Trunk]) -> None:
        """What is changed is withdrawn and made anew, the others are kept."""
        former = {trunk.name: trunk for trunk in before}
        wanted = {trunk.name: trunk for trunk in trunks}
        over = {each.trunk: each for each in self._all if wanted.get(each.trunk) != former[each.trunk]}
        self._all = [each for each in self._all if each.trunk not in over]
        for trunk in trunks:
            if trunk.register_with and trunk != former.get(trunk.name):
                self._begin(trunk, over.pop(_before(trunk, over), None))
        self._all.sort(key=lambda each: list(wanted).index(each.trunk))
        for name, registration in over.items():
            self._core.spawn(registration.end(), f"sip-unregister-{name}")

    def _begin(self, trunk: Trunk, instead_of: Registration | None = None) -> None:
        registration = Registration(self._core, trunk, self._leases)
        registration.offered = self._offered
        self._all.append(registration)

        async def keep() -> None:
            if instead_of is not None:  # both name the same contact: withdrawn later, it would take the new one along
                await instead_of.end()
            await registration.run()

        registration.task = self._core.spawn(keep(), f"sip-register-{trunk.name}")

    def offer(self, offered: bool) -> None:
        """Whether other lines may have them: they are kept until one does."""
        self._offered = offered
        for each in self._all:
            each.offered = offered

    def unreachable(self, peer: Peer) -> None:
        for each in self._all:
            each.unreachable(peer)

    def ended(self) -> list[Coroutine[Any, Any, None]]:
        """The line stops: what is to be done, all at once."""
        return [each.end(withdraw=False) for each in self._all]


def _before(trunk: Trunk, over: Mapping[str, Registration]) -> str:
    """The trunk that had this one's account, whatever it was called, or else its name; "" where none had either."""
    account = account_of(trunk)
    had = (name for name, each in over.items() if each.account == account)
    return next(had, trunk.name if trunk.name in over else "")
