"""Telephony ports: the SIP user agent and its dialogs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ivr.events import Digit, LegEnded, TransferProgress
from ivr.media.description import MediaDescription, SrtpPolicy
from ivr.record import Party

CALL_ID_HEADER = "X-IVR-Call-ID"  # of an INVITE to an agent's telephone: whom it rings for


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """A re-INVITE or UPDATE changed the far end's audio (hold, resume, new address). Already answered by the leg."""

    remote: MediaDescription


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """The far end's REFER (RFC 3515), accepted: the call is to go to ``target``, a URI. ``replaces``: the dialog there
    that ours takes the place of (RFC 3891), "" for a blind transfer."""

    target: str
    replaces: str = ""


LegEvent = Digit | MediaChanged | TransferProgress | TransferAsked | LegEnded


class Leg(Protocol):
    """One SIP dialog. Events come once, in order, ending with LegEnded; after that every call raises CallEnded."""

    @property
    def id(self) -> str: ...  # ours, unique in this process, e.g. "leg-7f3a"
    @property
    def sip_call_id(self) -> str: ...
    @property
    def caller(self) -> Party: ...
    @property
    def called(self) -> Party: ...
    @property
    def headers(self) -> Mapping[str, str]: ...  # of the INVITE, names lower-case
    @property
    def trunk(self) -> str: ...  # name of the [[sip.trunks]] entry that admitted or carries it
    @property
    def transport(self) -> str: ...  # of its signalling: "udp", "tcp" or "tls"
    @property
    def remote(self) -> MediaDescription | None: ...  # the far end's SDP; None while an offer-less INVITE waits

    async def ring(self) -> None:
        """Send 180 (reliably, RFC 3262, where the far end requires it)."""

    async def answer(self, local: MediaDescription) -> MediaDescription:
        """Send 200 with ``local`` and wait for the ACK; the far end's description (from the offer, or the ACK)."""

    async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None: ...

    async def reinvite(self, local: MediaDescription) -> MediaDescription:
        """Offer ``local`` in place of what was agreed (RFC 3261 section 14.1; a glare is waited out); the far end's
        description then. Raises ModificationRefused: the session is as it was; CallEnded: there is none any more."""

    async def hangup(self, reason: str = "", *, lost: bool = False) -> None:
        """BYE (or CANCEL/reject before the answer). Idempotent; returns when the far end confirmed or timed out.
        ``lost``: it is no proper end, and the far end is told so (RFC 3326)."""

    async def refer(self, target: str, headers: Mapping[str, str]) -> None:
        """Blind transfer (RFC 3515): returns when accepted (202), progress comes as TransferProgress events.

        Raises TransferFailed when the REFER itself is refused."""

    def allow_transfers(self, allowed: Callable[[str], bool]) -> None:
        """From now on a REFER of the far end to a URI that is ``allowed`` is accepted and told as TransferAsked; to
        others it gets 403. Before this every REFER is declined (603)."""

    async def notify(self, status: int, reason: str = "") -> None:
        """How the transfer that was asked for comes on (NOTIFY, RFC 3515 section 2.4.5): ``status`` of the call to its
        target, the last from 200 on. Never raises: who is gone need not know."""

    async def answers(self) -> bool:
        """Whether the far end still knows of the dialog, asked by an OPTIONS inside it (RFC 3261 section 11)."""

    def kept(self) -> Mapping[str, Any] | None:
        """What another process restores the dialog from (``SipEndpoint.restore``), as JSON; None: it ends with this
        process."""

    def leave(self) -> None:
        """Another process has the dialog: it is over here, without a word to the far end."""

    def events(self) -> AsyncIterator[LegEvent]: ...


@dataclass(frozen=True, slots=True)
class RegistrationStatus:
    """State of one registration: "registered", "trying", "failed"; ``expires_at`` is wall time; ``by``: the node that
    keeps it, "" this one."""

    trunk: str
    state: str
    detail: str = ""
    expires_at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class SignallingLoad:
    """What SIP is busy with. ``full``: no room for new calls' transactions; ``dropped``: messages over their source's
    budget since the start; ``connections_refused``: TCP connections turned away or closed to make room, likewise;
    ``certificate_ends``: when our certificate for TLS does, None without TLS."""

    transactions: int = 0
    full: bool = False
    dropped: int = 0
    connections: int = 0
    connections_refused: int = 0
    certificate_ends: datetime | None = None


class SipEndpoint(Protocol):
    """The service's SIP user agent: UDP and TCP listeners, trunks, registrations."""

    async def dial(
        self,
        target: str,
        local: MediaDescription,
        *,
        caller: Party,
        headers: Mapping[str, str],
        ring_timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
        srtp: SrtpPolicy | None = None,
        of_call: str = "",
    ) -> Leg:
        """INVITE ``target`` (a SIP URI); the answered leg. Raises DialFailed. Cancelling it sends CANCEL.
        ``srtp``: instead of what its trunk has; ``of_call``: the call that it rings for."""

    def restore(self, kept: Mapping[str, Any]) -> Leg:
        """The leg that another process had, answered; ``Leg.reinvite`` says where it is now. Raises ValueError for what
        cannot be gone on with."""

    def ringing(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        """The telephones that ring for this call (``of_call``), as JSON, for another process to ``cancel``."""

    def cancel(self, kept: Mapping[str, Any]) -> None:
        """A telephone that another process had ring stops; who had just answered is hung up. Raises ValueError for what
        none of ours kept."""

    def registrations(self) -> Sequence[RegistrationStatus]: ...
    def load(self) -> SignallingLoad: ...
    def refuse_new_calls(self, status: int, retry_after_s: int) -> None:
        """Drain: new INVITEs get ``status`` with Retry-After, until ``take_new_calls``."""

    def take_new_calls(self) -> None: ...
