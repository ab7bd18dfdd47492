"""SIP dialogs: the table of legs, and how each answers requests inside its dialog (RFC 3261 section 12.2.2)."""

from __future__ import annotations

from collections import Counter
from functools import partial

from ivr.events import Digit, TransferProgress
from ivr.ports import MediaChanged
from ivr.sip.dialog import CallDialog
from ivr.sip.leg import SipLeg
from ivr.sip.message import EXTENSIONS, SipRequest, SipResponse, origin
from ivr.sip.referral import Referral
from ivr.sip.session_timer import SessionTerms, terms_for
from ivr.sip.transaction import InviteServerTransaction, ServerTransaction
from ivr.sip.transfer import digit_of, progress_of, was_lost


class Dialogs:
    """All legs by Call-ID and our tag. A leg leaves by itself when it is released."""

    def __init__(self) -> None:
        self._legs: dict[tuple[str, str], SipLeg] = {}
        self._calls: Counter[str] = Counter()  # legs by Call-ID

    def add(self, leg: SipLeg) -> None:
        key = (leg.dialog.call_id, leg.dialog.local_tag)
        self._legs[key] = leg
        self._calls[key[0]] += 1
        leg.on_release = partial(self._remove, key)

    def _remove(self, key: tuple[str, str]) -> None:
        if self._legs.pop(key, None) is not None:
            self._calls[key[0]] -= 1
            if not self._calls[key[0]]:
                del self._calls[key[0]]

    def knows(self, call_id: str) -> bool:
        """Whether a leg has this Call-ID."""
        return call_id in self._calls

    @property
    def legs(self) -> list[SipLeg]:
        return list(self._legs.values())

    def leg_of(self, request: SipRequest) -> SipLeg | None:
        return self._legs.get((request.call_id, request.to.tag))

    def deliver_ack(self, ack: SipRequest) -> None:
        """Hand the ACK of a 2xx to its leg, if one waits for it.

        Some callers send another To tag than ours: then Call-ID and CSeq decide."""
        named = self.leg_of(ack)
        if named is None and not self.knows(ack.call_id):
            return
        for leg in [named] if named else [leg for leg in self.legs if leg.dialog.call_id == ack.call_id]:
            if leg.receive_ack(ack):
                return


def handle(leg: SipLeg, transaction: ServerTransaction) -> None:
    """Answer ``transaction``; every path of this function does, or raises BadMessage."""
    request = transaction.request
    if not fits(leg.dialog, transaction):
        return
    if leg.ended is None:
        _answer(leg, transaction)
    elif request.method == "BYE" or (request.method == "NOTIFY" and leg.referring):
        leg.respond(transaction, 200)  # it crossed our BYE
    else:
        transaction.refuse(481)


def fits(dialog: CallDialog, transaction: ServerTransaction) -> bool:
    """Whether it may be served inside ``dialog``; otherwise it is refused."""
    request = transaction.request
    if not dialog.matches(request):
        transaction.refuse(481)
    elif dialog.secure and transaction.peer.transport != "tls":
        transaction.refuse(403, "By TLS only")
    elif not dialog.advance(request):
        transaction.refuse(500, "CSeq out of order")
    elif unknown := request.tokens("require") - set(EXTENSIONS):
        transaction.refuse(420, Unsupported=", ".join(sorted(unknown)))
    else:
        return True
    return False


def _answer(leg: SipLeg, transaction: ServerTransaction) -> None:
    request = transaction.request
    match request.method:
        case "BYE":
            leg.respond(transaction, 200)
            if leg.far == "agent" and was_lost(request):
                leg.end("network", "lost at the far end")
            else:
                leg.end(leg.far, "hung up")
        case "INFO":
            _info(leg, transaction)
        case "INVITE" if not leg.confirmed:
            transaction.refuse(500, Retry_After="1")  # RFC 3261 section 14.2: the first one isn't settled
        case "INVITE" | "UPDATE":
            _modify(leg, transaction)
        case "NOTIFY":
            _notify(leg, transaction)
        case "OPTIONS":
            leg.respond(transaction, 200, Accept="application/sdp")
        case "PRACK" if request.body.strip():
            transaction.refuse(488)  # an offer in a PRACK: nothing of ours calls for one
        case "PRACK" if leg.pracked(request):
            leg.respond(transaction, 200)
        case "PRACK":
            transaction.refuse(481)
        case "REFER":
            _refer(leg, transaction)
        case _:
            transaction.refuse(405)


def _info(leg: SipLeg, transaction: ServerTransaction) -> None:
    request = transaction.request
    key = digit_of(request)
    if key is not None:
        leg.respond(transaction, 200)
        leg.emit(Digit(key, "info", leg.core.timers.time()))
        return
    if not request.body.strip() or request.body_optional:
        leg.respond(transaction, 200)  # a keep-alive, or what may be passed over
    elif request.media_type.startswith("application/dtmf"):
        transaction.refuse(400, "No key in the body")
    else:
        transaction.refuse(415)


def _notify(leg: SipLeg, transaction: ServerTransaction) -> None:
    request = transaction.request
    event = request.headers.first("event").partition(";")[0].strip().lower()
    if event != "refer":
        transaction.refuse(489, Allow_Events="refer")
        return
    if not leg.referring:
        transaction.refuse(481)
        return
    leg.respond(transaction, 200)
    progress = progress_of(request)
    if progress is None:
        return
    if progress.last:
        leg.referring = 0
    leg.log.info("sip.transfer_progress", status=progress.status, reason=progress.reason)
    leg.emit(TransferProgress(progress.status, progress.reason))


def _refer(leg: SipLeg, transaction: ServerTransaction) -> None:
    """Accept a transfer to where this leg may go, and tell of it (RFC 3515 section 2.4.2). Raises BadMessage."""
    if leg.allowed is None or not leg.confirmed:
        leg.log.info("sip.refer_declined")
        transaction.refuse(603)
        return
    request = transaction.request
    referral = Referral.of(request)
    if not leg.allowed(referral.target):
        leg.log.warning("sip.refer_forbidden", target=referral.target)
        transaction.refuse(403, "Not an allowed destination")
    elif leg.subscription is not None and not leg.subscription.over:
        transaction.refuse(491)
    else:
        silent = {"Refer_Sub": "false"} if referral.silent else {}
        leg.respond(transaction, 202, **silent)
        leg.referred(request, referral)


def _modify(leg: SipLeg, transaction: ServerTransaction) -> None:
    """Answer hold, resume, a new address, or a mere refresh (RFC 3261 section 14.2, RFC 3311). Raises BadMessage."""
    request = transaction.request
    invite = isinstance(transaction, InviteServerTransaction)
    offer = request.sdp()
    if (invite and leg.offering) or (offer is not None and (leg.offering or not leg.confirmed)):
        transaction.refuse(491)
        return
    terms = terms_for(request, leg.core.config.session_expires_s)
    leg.dialog.retarget(request)
    body, changed = "", None
    if offer is not None:
        body, changed = leg.audio.reanswer(offer, origin(transaction.request, transaction.peer))
    elif invite:
        body = leg.audio.offer_again()
    response = leg.dialog.response(request, 200, contact=leg.core.contact(transaction.peer))
    add_session(response, transaction, terms)
    if body:
        response.carry_sdp(body)
    if isinstance(transaction, InviteServerTransaction):
        leg.await_ack(transaction, answer_expected=offer is None)
    transaction.respond(response)
    if leg.confirmed:
        leg.session.start(terms, "uas")
    if changed is not None:
        leg.log.info("sip.media_changed", direction=changed.direction.value)
        leg.emit(MediaChanged(changed))


def add_session(response: SipResponse, transaction: ServerTransaction, terms: SessionTerms) -> None:
    """Put Session-Expires into a 2xx (RFC 4028 section 9)."""
    response.headers.set("Session-Expires", terms.header)
    if "timer" in transaction.request.extensions:
        response.headers.set("Require", "timer")
