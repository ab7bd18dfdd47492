"""SIP registration with a trunk (RFC 3261 section 10): it is refreshed, tried again with jitter, and withdrawn."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from aiosipua import generate_call_id, generate_tag

from ivr.config import Trunk
from ivr.errors import ConfigError
from ivr.ports import RegistrationStatus
from ivr.sip.dialog import is_secure, secured
from ivr.sip.headers import Address, BadHeader, Headers, Uri
from ivr.sip.message import PRODUCT, SUPPORTED, Peer, SipRequest, SipResponse
from ivr.sip.signalling import Signalling, Unresolvable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FIRST_RETRY_S = 2.0
LAST_RETRY_S = 300.0
UNREGISTER_TIMEOUT_S = 2.0
FLOW_RETRY_S = 1.0
KEEP_ALIVE_S = (24.0, 29.0)  # between two (RFC 5626 section 4.4.2): a NAT forgets UDP that rests for half a minute
PING = b"\r\n\r\n"  # RFC 3261 section 7.5 has it ignored


class _Refused(Exception):
    """A failed REGISTER: why, and how long the registrar asks us to stay away."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def back_off(failures: int, chance: float) -> float:
    """Return the seconds before the next try after ``failures`` (1, 2, …); ``chance`` in 0..1 spreads many clients."""
    ceiling = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 16))
    return float(ceiling * (0.5 + chance / 2))


class Registration:
    """It keeps one trunk's registration alive. ``run`` until cancelled."""

    def __init__(self, core: Signalling, trunk: Trunk) -> None:
        self._core, self._trunk = core, trunk
        text = trunk.register_with
        named = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
        registrar = replace(Uri.parse(named), user="")
        self._registrar = str(registrar)
        self._identity = str(replace(registrar, params={}, user=trunk.username))
        self._call_id = generate_call_id(PRODUCT)
        self._number = 0
        self._expires_s = trunk.expires_s
        self._contacts: frozenset[tuple[str, int | None]] = frozenset()  # where the registrar may find us
        self._peer: Peer | None = None  # whom we registered with
        self._open_to: Peer | None = None  # whose way to us over UDP is kept open
        self._flow_lost = asyncio.Event()
        self.status = RegistrationStatus(trunk.name, "trying")
        self.task: asyncio.Task[None] | None = None  # that runs it

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                granted = await self.register()
            except (_Refused, Unresolvable, ConfigError) as error:
                failures += 1
                wait = max(back_off(failures, random.random()), getattr(error, "retry_after_s", 0.0))
                self.status = RegistrationStatus(self._trunk.name, "failed", str(error))
                log.warning(
                    "sip.registration_failed",
                    trunk=self._trunk.name,
                    error=str(error),
                    failures=failures,
                    retry_in_s=round(wait, 1),
                )
            else:
                failures = 0
                wait = granted * (0.7 + 0.15 * random.random())
            await self._pause(wait)

    def unreachable(self, peer: Peer) -> None:
        """The connection that we registered over is gone, and with it the way by which calls came (RFC 5626 section
        4.4): register anew, soon."""
        if peer == self._peer and peer.reliable and self.status.state == "registered":
            self._flow_lost.set()

    async def _pause(self, wait_s: float) -> None:
        """Keep the way from the registrar to us open meanwhile, where there may be a NAT on it."""
        self._flow_lost.clear()
        while self._open_to is not None and wait_s > KEEP_ALIVE_S[1]:
            pause = random.uniform(*KEEP_ALIVE_S)
            await asyncio.sleep(pause)
            wait_s -= pause
            self._core.network.send(PING, self._open_to)
        try:
            async with asyncio.timeout(wait_s):
                await self._flow_lost.wait()
                await asyncio.sleep(FLOW_RETRY_S * (0.5 + random.random()))  # a proxy that restarts loses everybody's
        except TimeoutError:
            return

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
            after = response.headers.first("retry-after").split(";")[0].strip()
            raise _Refused(f"{status} {response.reason_phrase}", float(after) if after.isdecimal() else 0.0)
        granted = self._granted(response)
        until = datetime.now(UTC) + timedelta(seconds=granted)
        self.status = RegistrationStatus(self._trunk.name, "registered", expires_at=until)
        log.info("sip.registered", trunk=self._trunk.name, expires_s=granted, sip_call_id=self._call_id)
        return granted

    async def end(self) -> None:
        """Stop refreshing it, and withdraw it."""
        if self.task is not None:
            self.task.cancel()
        await self.unregister()

    async def unregister(self) -> None:
        """Send Expires: 0, without waiting long for an answer."""
        if self.status.state != "registered":
            return
        self.status = RegistrationStatus(self._trunk.name, "trying", "unregistering")
        try:
            async with asyncio.timeout(UNREGISTER_TIMEOUT_S):
                response = await self._send(0)
        except (TimeoutError, Unresolvable, ConfigError) as error:
            log.warning("sip.unregister_failed", trunk=self._trunk.name, error=str(error) or "no answer")
            return
        log.info("sip.unregistered", trunk=self._trunk.name, status=response.status_code)

    async def _send(self, expires_s: int) -> SipResponse:
        self._trunk.password.reveal()  # a missing one is the operator's business, not the registrar's 401
        servers = [each.peer for each in await self._core.servers(self._registrar, self._trunk.transport)]
        for peer in servers:
            self._core.policy.learn(self._trunk.name, peer.host)
        ours = (Address.parse(self._core.contact(peer)).uri for peer in servers)
        self._contacts = frozenset(
            (uri.host, uri.port) for uri in ours
        )  # another server may be of the other IP version
        request = self._request(servers[0], expires_s)
        response = await self._core.request(request, servers[0], self._trunk.name, None, servers[1:])
        served = next((peer for peer in servers if peer not in self._core.experience.failed), servers[0])
        self._peer = served
        self._open_to = served if served.transport == "udp" and not self._core.local(served) else None
        self._number = max(self._number, response.cseq.number)
        return response

    def _request(self, peer: Peer, expires_s: int) -> SipRequest:
        self._number += 1
        contact = self._core.contact(peer, self._trunk.username)
        contact = secured(contact) if is_secure(self._registrar) else contact
        headers = {
            "Via": self._core.via(peer),
            "Max-Forwards": "70",
            "From": f"<{self._identity}>;tag={generate_tag()}",
            "To": f"<{self._identity}>",
            "Call-ID": self._call_id,
            "CSeq": f"{self._number} REGISTER",
            "Contact": contact,
            "Expires": str(expires_s),
            "Supported": SUPPORTED,
            "User-Agent": PRODUCT,
        }
        return SipRequest(method="REGISTER", uri=self._registrar, headers=Headers(headers))

    def _granted(self, response: SipResponse) -> int:
        """Return our contact's ``expires``, else the Expires header, else what we asked for (section 10.2.4)."""
        for value in response.headers.get("contact"):
            with contextlib.suppress(BadHeader):  # somebody else's contact
                address = Address.parse(value)
                seconds = address.params.get("expires", "")
                same = (address.uri.host, address.uri.port) in self._contacts
                if same and seconds.isdecimal() and int(seconds) > 0:
                    return int(seconds)
        header = response.headers.first("expires")
        return int(header) if header.isdecimal() and int(header) > 0 else self._expires_s
