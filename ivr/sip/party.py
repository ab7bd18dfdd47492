"""Calling and called party of an INVITE: From, To, Request-URI and P-Asserted-Identity (RFC 3325)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from ivr.numbering import NumberingPlan
from ivr.plain_text import plain
from ivr.ports import Party
from ivr.sip.headers import Address, BadHeader, Uri, listed
from ivr.sip.message import SipRequest

_TIE = re.compile(r"desk-([A-Za-z0-9_-]{43})")
_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private"})


def party_of(address: Address | Uri, plan: NumberingPlan) -> Party:
    """Return the party that an address names, in plain text. Withheld numbers become ""."""
    uri, display, params = (
        (address, "", {}) if isinstance(address, Uri) else (address.uri, address.display, address.params)
    )
    display = plain(display).strip()
    # The context of a local number belongs into its user part; some write it after the host or leave out the brackets.
    context = uri.params.get("phone-context") or params.get("phone-context")
    if _TIE.fullmatch(uri.user):
        return Party(number="desk", display="", uri=str(uri))  # the token is for who redeems it, and for no log
    named = plain(plan.number(f"{uri.user};phone-context={context}" if context else uri.user)).strip()
    number = "" if named.lower() in _WITHHELD else named
    if not uri.host:
        return Party(number=number, display=display, uri=f"{uri.scheme}:{number}")
    return Party(number=number, display=display, uri=plain(str(Uri(uri.scheme, uri.user, uri.host, uri.port))))


def tie_token(uri: str) -> str:
    """The token in the URI of a call between the processes of one line (``ivr.ports.tie_line``); "" in any other."""
    try:
        found = _TIE.fullmatch(Uri.parse(uri).user)
    except BadHeader:
        return ""
    return found[1] if found is not None else ""


def caller_of(request: SipRequest, plan: NumberingPlan) -> Party:
    """Return who calls: the network's assertion (RFC 3325) unless the caller asked for privacy, else From.

    Of several assertions one with a telephone number counts, whether it is a sip: or a tel: URI."""
    if request.tokens("privacy", ";") & {"id", "user"}:  # RFC 3323 section 4.2: "user;id;critical"
        return Party(number="", display="", uri="")
    claimed = party_of(request.from_, plan)
    named = [party for party in _asserted(request, plan) if party.number]
    proven = next((party for party in named if party.number.startswith("+")), named[0] if named else None)
    if proven is None:
        return claimed
    display = proven.display or next((p.display for p in named if p.display), claimed.display)
    return Party(number=proven.number, display=display, uri=proven.uri)


def _asserted(request: SipRequest, plan: NumberingPlan) -> Iterator[Party]:
    for line in request.headers.get("p-asserted-identity"):
        for value in listed(line):
            try:
                yield party_of(Address.parse(value), plan)
            except BadHeader:
                continue


def called_of(request: SipRequest, own_users: frozenset[str], plan: NumberingPlan) -> Party:
    """Return whom they called: the Request-URI, or To where the Request-URI is only the contact we registered.

    Raises BadHeader."""
    uri = Uri.parse(request.uri)
    target, to = party_of(uri, plan), party_of(request.to, plan)
    return to if unquote(uri.user) in own_users and to.number else target


def diverted_by(headers: Mapping[str, str]) -> str:
    """Who sent the call on to us: the user of the latest Diversion (RFC 5806), "" where nobody did. ``headers`` by
    lower-case name."""
    try:
        return plain(Address.parse(next(iter(listed(headers.get("diversion", ""))), "")).uri.user)
    except BadHeader:
        return ""


def target_uri(text: str) -> Uri:
    """Read a dialable SIP or SIPS URI and drop embedded headers. Raises ValueError."""
    if not text.lower().startswith(("sip:", "sips:")) or any(c in text for c in " \t\r\n<>\"'"):
        raise ValueError(f"{text!r} is not a sip: URI")
    return Uri.parse(text).bare
