"""Outbound SIP call (RFC 3263 section 4): its servers are located, and dialled in turn until one serves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from aiosipua import generate_call_id, generate_tag

from ivr.errors import DialFailed
from ivr.media.description import MediaDescription, SrtpPolicy
from ivr.ports import Party
from ivr.sip.dialog import CallDialog
from ivr.sip.dialogs import Dialogs
from ivr.sip.failover import Hunt
from ivr.sip.headers import Uri
from ivr.sip.message import PRODUCT, Peer, SipRequest
from ivr.sip.outbound import Dial, EarlyDialog, OutboundLeg, Unserved
from ivr.sip.party import party_of, target_uri
from ivr.sip.signalling import Insecure, Signalling, Unresolvable
from ivr.sip.transaction import InviteClientTransaction

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class OutboundCall:
    """One call to ``target``; ``run`` once. ``on_ringing`` hears of the first ringing."""

    core: Signalling
    dialogs: Dialogs
    target: str
    local: MediaDescription
    caller: Party
    headers: Mapping[str, str]
    on_ringing: Callable[[], None] | None = None
    srtp: SrtpPolicy | None = None  # None: the trunk's
    _rang: bool = False
    _dial: Dial | None = None

    @property
    def ringing(self) -> InviteClientTransaction | None:
        """The INVITE that nobody has answered yet, once anybody rang."""
        return self._dial.ringing if self._dial is not None else None

    @property
    def early(self) -> CallDialog | None:
        """Of who rings, once they said which it is."""
        return self._dial.early if self._dial is not None else None

    def early_dialog(self, request: SipRequest) -> EarlyDialog | None:
        """The one of this call that ``request`` is inside of, while nobody has answered."""
        return self._dial.early_dialog(request) if self._dial is not None else None

    async def run(self, ring_timeout_s: float) -> OutboundLeg:
        """Call until answered. Raises DialFailed; cancelling this cancels the call."""
        try:
            async with asyncio.timeout(ring_timeout_s):
                return await self._run()
        except TimeoutError as error:
            raise DialFailed(408, "No answer in time") from error

    async def _run(self) -> OutboundLeg:
        try:
            uri = target_uri(self.target)
        except ValueError as error:
            raise DialFailed(400, str(error)) from error
        try:
            servers, trunk = await self._servers(uri)
        except Unresolvable as error:
            raise DialFailed(480 if isinstance(error, Insecure) else 503, str(error)) from error
        call_id, tag = generate_call_id(PRODUCT), generate_tag()
        called = party_of(uri, self.core.numbering).number
        log.info("sip.dial", called=called, trunk=trunk, sip_call_id=call_id)
        hunt = Hunt(self.core.experience, servers)
        srtp = self.srtp or self.core.srtp_of(trunk)
        while True:
            server = hunt.next()
            dial = self._dial = Dial(
                self.core, self.dialogs, self.target, self.local, self.caller, self.headers,
                hunt, server, call_id, tag, trunk, srtp, self._ringing,
            )  # fmt: skip
            try:
                return await dial.run()
            except Unserved as error:
                log.info("sip.failover", method="INVITE", status=error.status, server=server.host, sip_call_id=call_id)

    async def _servers(self, uri: Uri) -> tuple[list[Peer], str]:
        """Where to dial, and which trunk that is. Raises Unresolvable."""
        servers = await self.core.servers(self.target)
        trunk = self.core.policy.trunk_toward(uri.host, servers[0].host)
        if trunk is None:
            return [server.peer for server in servers], ""
        if trunk.transport and "transport" not in uri.params and servers[0].transport != trunk.transport:
            servers = await self.core.servers(self.target, trunk.transport)
        return [server.peer for server in servers], trunk.name

    def _ringing(self) -> None:
        if not self._rang:
            self._rang = True
            if self.on_ringing is not None:
                self.on_ringing()
