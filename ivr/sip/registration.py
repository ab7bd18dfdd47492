"""SIP registration with a trunk (RFC 3261 section 10): it is refreshed, tried again with jitter, and withdrawn; of the
lines that share an account, by one of them at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

import structlog
from aiosipua import generate_call_id, generate_tag

from ivr.config import Trunk
from ivr.errors import ConfigError, StoreUnavailable
from ivr.ports import Held, RegistrationLeases, RegistrationStatus
from ivr.sip.dialog import is_secure, secured
from ivr.sip.headers import Address, BadHeader, Headers, Uri
from ivr.sip.message import PRODUCT, SUPPORTED, Peer, SipRequest, SipResponse
from ivr.sip.signalling import Signalling, Unresolvable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FIRST_RETRY_S = 2.0
LAST_RETRY_S = 300.0
UNREGISTER_TIMEOUT_S = 2.0
HANDOVER_S = 5.0  # that another line has to take an account, before it is withdrawn
FLOW_RETRY_S = 1.0
KEEP_ALIVE_S = (24.0, 29.0)  # between two (RFC 5626 section 4.4.2): a NAT forgets UDP that rests for half a minute
PING = b"\r\n\r\n"  # RFC 3261 section 7.5 has it ignored
LATER = frozenset({401, 403, 407, 408, 423})  # and 5xx: they say nothing about the contacts that were named


class _Refused(Exception):
    """A failed REGISTER: why, and how long the registrar asks us to stay away."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class _Elsewhere(Exception):
    """Another line registers the account."""


class OwnAccounts:
    """Implements ``ivr.ports.RegistrationLeases`` for a line that shares its accounts with nobody."""

    look_s = inf

    async def hold(
        self, account: str, status: RegistrationStatus, *, contacts: Sequence[str] | None = None, offered: bool = False
    ) -> Held:
        return Held(True, contacts=contacts or ())

    async def release(self, account: str) -> None:
        return


def back_off(failures: int, chance: float) -> float:
    """Return the seconds before the next try after ``failures`` (1, 2, …); ``chance`` in 0..1 spreads many clients."""
    ceiling = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 16))
    return float(ceiling * (0.5 + chance / 2))


def account_of(trunk: Trunk) -> str:
    """The address of record that a trunk registers."""
    return str(replace(_registrar(trunk), params={}, user=trunk.username))


def _registrar(trunk: Trunk) -> Uri:
    text = trunk.register_with
    named = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
    return replace(Uri.parse(named), user="")


class Registration:
    """It keeps one trunk's registration alive while the account is this line's. ``run`` until cancelled; ``offered``:
    another line may have it."""

    def __init__(self, core: Signalling, trunk: Trunk, leases: RegistrationLeases) -> None:
        self._core, self._trunk, self._leases = core, trunk, leases
        self._registrar = str(_registrar(trunk))
        self._identity = account_of(trunk)
        self._call_id = generate_call_id(PRODUCT)
        self._number = 0
        self._expires_s = trunk.expires_s
        self._contacts: frozenset[str] = frozenset()  # where the registrar may find us
        self._former: Sequence[str] = ()  # where it may still look for whoever had the account before
        self._peer: Peer | None = None  # whom we registered with
        self._open_to: Peer | None = None  # whose way to us over UDP is kept open
        self._ping_at = inf
        self._failures = 0
        self._due = 0.0  # when the next REGISTER is, by the loop's clock
        self._woken = asyncio.Event()
        self._flow_lost = False
        self._mine = False
        self._taken = asyncio.Event()
        self._heirs = False
        self.offered = False
        self._status = RegistrationStatus(trunk.name, "trying")
        self._theirs: RegistrationStatus | None = None
        self.task: asyncio.Task[None] | None = None  # that runs it

    @property
    def trunk(self) -> str:
        return self._trunk.name

    @property
    def account(self) -> str:
        """Its address of record."""
        return self._identity

    @property
    def shared(self) -> bool:
        """Whether its contact is a proxy's, by which any line is reached."""
        return bool(self._trunk.contact)

    @property
    def status(self) -> RegistrationStatus:
        """Ours, or that of the line that has the account."""
        return self._theirs or self._status

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            if await self._hold() and now() >= self._due:
                wait_s = await self._refreshed()
                self._due = now() + wait_s
            await self._rest()

    async def _refreshed(self) -> float:
        """Register; the seconds until that is due again."""
        try:
            granted = await self.register()
        except _Elsewhere:
            return 0.0
        except (_Refused, Unresolvable, ConfigError) as error:
            self._failures += 1
            wait = max(back_off(self._failures, random.random()), getattr(error, "retry_after_s", 0.0))
            self._status = RegistrationStatus(self._trunk.name, "failed", str(error))
            log.warning(
                "sip.registration_failed",
                trunk=self._trunk.name,
                error=str(error),
                failures=self._failures,
                retry_in_s=round(wait, 1),
            )
            return wait
        self._failures = 0
        return granted * (0.7 + 0.15 * random.random())

    # --- whose it is ---

    async def _hold(self, contacts: Sequence[str] | None = None) -> bool:
        """Whether the account is this line's; it is, while the database cannot say, if it was before. Who failed lets
        others try, and waits for its own next try."""
        failed = self._failures > 0 and asyncio.get_running_loop().time() < self._due
        try:
            held = await self._leases.hold(
                self._identity, self._status, contacts=contacts, offered=self.offered or failed
            )
        except StoreUnavailable:
            return self._mine
        self._heirs = held.heirs
        if held.mine:
            self._theirs = None
            if not self._mine:
                self._mine, self._former = True, held.contacts
                self._taken.clear()
                if self._failures == 0:
                    self._due = 0.0
            return True
        self._theirs = held.status or RegistrationStatus(self._trunk.name, "trying")
        if self._mine:
            await self._lost()
        return False

    async def _lost(self) -> None:
        """Another line has taken the account, and told the registrar to forget our contact."""
        self._mine, self._open_to = False, None
        log.info("sip.registration_handed_over", trunk=self._trunk.name)
        was, self._status = self._status.state, RegistrationStatus(self._trunk.name, "trying")
        self._taken.set()
        if was == "registered" and not self.shared and not self.offered:
            await self._withdrawn()  # taken for dead, we may have been about to refresh it

    async def end(self, *, withdraw: bool = True) -> None:
        """Stop refreshing it. What names only us is withdrawn, unless another line takes it first; ``withdraw``: what
        names the proxy is, too."""
        if self._mine and not withdraw and not self.shared:
            self.offered = True
            await self._hold()  # whether anybody would take it now
        if self._mine and self._heirs and self.offered:
            self._woken.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANDOVER_S):
                    await self._taken.wait()
        if self.task is not None:
            self.task.cancel()
        if not self._mine:
            return
        if withdraw or not self.shared:
            await self.unregister()
        self._mine = False
        with contextlib.suppress(StoreUnavailable):
            await self._leases.release(self._identity)

    # --- between two ---

    def unreachable(self, peer: Peer) -> None:
        """The connection that we registered over is gone, and with it the way by which calls came (RFC 5626 section
        4.4): register anew, soon."""
        if peer == self._peer and peer.reliable and self._status.state == "registered" and not self.shared:
            self._flow_lost = True
            self._woken.set()

    async def _rest(self) -> None:
        """Until something is to be done. The way from the registrar to us is kept open meanwhile, where there may be a
        NAT on it."""
        now = asyncio.get_running_loop().time
        while True:
            due = self._due if self._mine else inf
            pinged = self._open_to is not None and due - now() > KEEP_ALIVE_S[1]
            if not pinged:
                self._ping_at = inf
            elif self._ping_at == inf:
                self._ping_at = now() + random.uniform(*KEEP_ALIVE_S)
            looked_at = now() + self._leases.look_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(due, self._ping_at, looked_at) - now())):
                    await self._woken.wait()
            self._woken.clear()
            if self._flow_lost:
                self._flow_lost = False
                await asyncio.sleep(FLOW_RETRY_S * (0.5 + random.random()))  # a proxy that restarts loses everybody's
                self._due = now()
            if now() < self._ping_at or self._open_to is None:
                return
            self._core.network.send(PING, self._open_to)
            self._ping_at = inf

    # --- REGISTER ---

    async def register(self) -> int:
        """Send one REGISTER and answer its challenges; return the seconds granted."""
        response = await self._send(self._expires_s)
        if response.status_code == 423:  # Interval Too Brief
            least = response.headers.first("min-expires")
            if least.isdecimal() and int(least) > self._expires_s:
                self._expires_s = int(least)
                response = await self._send(self._expires_s)
        status = response.status_code
        if not 200 <= status < 300:
            self._open_to = None
            if status < 500 and status not in LATER:
                self._former = ()  # it may be the second contact that it does not take: that one expires by itself
            after = response.headers.first("retry-after").split(";")[0].strip()
            raise _Refused(f"{status} {response.reason_phrase}", float(after) if after.isdecimal() else 0.0)
        self._former = ()
        granted = self._granted(response)
        until = datetime.now(UTC) + timedelta(seconds=granted)
        own = _places(self._contacts)
        also = sorted({uri.host for uri, _ in _bindings(response) if (uri.host, uri.port) not in own})
        told = f"also at {', '.join(also)}" if also else ""
        if told and told != self._status.detail:
            log.warning("sip.registered_elsewhere", trunk=self._trunk.name, contacts=also)
        self._status = RegistrationStatus(self._trunk.name, "registered", told, until)
        log.info("sip.registered", trunk=self._trunk.name, expires_s=granted, sip_call_id=self._call_id)
        if not await self._hold([*self._contacts]):
            raise _Elsewhere
        return granted

    async def unregister(self) -> None:
        """Send Expires: 0, without waiting long for an answer."""
        if self._status.state != "registered":
            return
        self._status = RegistrationStatus(self._trunk.name, "trying", "unregistering")
        await self._withdrawn()

    async def _withdrawn(self) -> None:
        try:
            async with asyncio.timeout(UNREGISTER_TIMEOUT_S):
                response = await self._send(0)
        except (TimeoutError, Unresolvable, ConfigError) as error:
            log.warning("sip.unregister_failed", trunk=self._trunk.name, error=str(error) or "no answer")
            return
        log.info("sip.unregistered", trunk=self._trunk.name, status=response.status_code)

    async def _send(self, expires_s: int) -> SipResponse:
        """Raises _Elsewhere where another line has the account."""
        self._trunk.password.reveal()  # a missing one is the operator's business, not the registrar's 401
        servers = [each.peer for each in await self._core.servers(self._registrar, self._trunk.transport)]
        for peer in servers:
            self._core.policy.learn(self._trunk.name, peer.host)
        ours = [self._contact(peer) for peer in servers]  # another server may be of the other IP version
        self._contacts = frozenset(ours)
        if expires_s:
            self._former = [uri for uri in self._former if uri not in self._contacts]
            if not await self._hold([*dict.fromkeys([*ours, *self._former])]):
                raise _Elsewhere
        request = self._request(servers[0], expires_s)
        response = await self._core.request(request, servers[0], self._trunk.name, None, servers[1:])
        served = next((peer for peer in servers if peer not in self._core.experience.failed), servers[0])
        self._peer = served
        nat = served.transport == "udp" and not self._core.local(served) and not self.shared
        self._open_to = served if nat and expires_s else None
        self._number = max(self._number, response.cseq.number)
        return response

    def _contact(self, peer: Peer) -> str:
        """The URI at which the registrar finds this line, or the proxy before it."""
        if self._trunk.contact:
            shared = Uri.parse(self._trunk.contact)
            contact = f"<{replace(shared, user=shared.user or self._trunk.username)}>"
        else:
            contact = self._core.contact(peer, self._trunk.username)
        return str(Address.parse(secured(contact) if is_secure(self._registrar) else contact).uri)

    def _request(self, peer: Peer, expires_s: int) -> SipRequest:
        self._number += 1
        headers = {
            "Via": self._core.via(peer),
            "Max-Forwards": "70",
            "From": f"<{self._identity}>;tag={generate_tag()}",
            "To": f"<{self._identity}>",
            "Call-ID": self._call_id,
            "CSeq": f"{self._number} REGISTER",
            "Contact": f"<{self._contact(peer)}>",
            "Expires": str(expires_s),
            "Supported": SUPPORTED,
            "User-Agent": PRODUCT,
        }
        request = SipRequest(method="REGISTER", uri=self._registrar, headers=Headers(headers))
        for former in self._former if expires_s else ():
            request.headers.add("Contact", f"<{former}>;expires=0")
        return request

    def _granted(self, response: SipResponse) -> int:
        """Return our contact's ``expires``, else the Expires header, else what we asked for (section 10.2.4)."""
        own = _places(self._contacts)
        for uri, seconds in _bindings(response):
            if (uri.host, uri.port) in own and seconds > 0:
                return seconds
        header = response.headers.first("expires")
        return int(header) if header.isdecimal() and int(header) > 0 else self._expires_s


def _places(contacts: Collection[str]) -> frozenset[tuple[str, int | None]]:
    return frozenset((uri.host, uri.port) for uri in map(Uri.parse, contacts))


def _bindings(response: SipResponse) -> Iterator[tuple[Uri, int]]:
    """The contacts that the registrar knows, and for how many seconds; 0 where it does not say."""
    for value in response.headers.get("contact"):
        with contextlib.suppress(BadHeader):  # somebody else's contact
            address = Address.parse(value)
            seconds = address.params.get("expires", "")
            yield address.uri, int(seconds) if seconds.isdecimal() else 0
