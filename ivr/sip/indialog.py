"""SIP requests inside a dialog: BYE, re-INVITE, UPDATE, INFO, PRACK, NOTIFY, OPTIONS, REFER."""

from __future__ import annotations

from collections.abc import Callable

from ivr.events import Digit, TransferProgress
from ivr.ports import MediaChanged
from ivr.sip.leg import SipLeg
from ivr.sip.message import EXTENSIONS, SipResponse
from ivr.sip.session_timer import SessionTerms, terms_for
from ivr.sip.transaction import InviteServerTransaction, ServerTransaction
from ivr.sip.transfer import digit_of, progress_of


def handle(leg: SipLeg, transaction: ServerTransaction) -> None:
    """Answer ``transaction``; every path of this function does, or raises BadMessage."""
    request = transaction.request
    if not leg.dialog.matches(request):
        transaction.refuse(481)
    elif not leg.dialog.advance(request):
        transaction.refuse(500, "CSeq out of order")
    elif unknown := request.tokens("require") - set(EXTENSIONS):
        transaction.refuse(420, Unsupported=", ".join(sorted(unknown)))
    elif leg.ended is not None:
        _after_the_end(leg, transaction)
    elif handler := _HANDLERS.get(request.method):
        handler(leg, transaction)
    else:
        transaction.refuse(405)


def _after_the_end(leg: SipLeg, transaction: ServerTransaction) -> None:
    method = transaction.request.method
    crossing = method == "BYE" or (method == "NOTIFY" and leg.referring)
    leg.respond(transaction, 200) if crossing else transaction.refuse(481)


def _bye(leg: SipLeg, transaction: ServerTransaction) -> None:
    leg.respond(transaction, 200)
    leg.end(leg.far, "hung up")


def _info(leg: SipLeg, transaction: ServerTransaction) -> None:
    request = transaction.request
    key = digit_of(request)
    if key is not None:
        leg.respond(transaction, 200)
        leg.emit(Digit(key, "info", leg.core.timers.time()))
        return
    if not request.body.strip():
        leg.respond(transaction, 200)  # a keep-alive
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


def _options(leg: SipLeg, transaction: ServerTransaction) -> None:
    leg.respond(transaction, 200, Accept="application/sdp")


def _refer(leg: SipLeg, transaction: ServerTransaction) -> None:
    leg.log.info("sip.refer_declined")
    transaction.refuse(603)


def _prack(leg: SipLeg, transaction: ServerTransaction) -> None:
    if transaction.request.body.strip():
        transaction.refuse(488)  # an offer in a PRACK: nothing of ours calls for one
    elif leg.pracked(transaction.request):
        leg.respond(transaction, 200)
    else:
        transaction.refuse(481)


def _reinvite(leg: SipLeg, transaction: ServerTransaction) -> None:
    if not leg.confirmed:
        transaction.refuse(500, Retry_After="1")  # RFC 3261 section 14.2: the first one isn't settled
        return
    _modify(leg, transaction)


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
    changed = None
    body = ""
    if offer is not None:
        body, changed = leg.audio.reanswer(offer)
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


_HANDLERS: dict[str, Callable[[SipLeg, ServerTransaction], None]] = {
    "BYE": _bye,
    "INFO": _info,
    "INVITE": _reinvite,
    "NOTIFY": _notify,
    "OPTIONS": _options,
    "PRACK": _prack,
    "REFER": _refer,
    "UPDATE": _modify,
}
