"""Calling and called party of an INVITE: From, To, Request-URI and P-Asserted-Identity (RFC 3325)."""

from __future__ import annotations

from urllib.parse import unquote

from ivr.plain_text import plain
from ivr.ports import Party
from ivr.sip.headers import Address, BadHeader, Uri, listed
from ivr.sip.message import SipRequest

_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private"})


def party_of(address: Address | Uri) -> Party:
    """Return the party that an address names, in plain text. Withheld numbers become ""."""
    uri, display = (address.uri, address.display) if isinstance(address, Address) else (address, "")
    user = plain(unquote(uri.user.partition(";")[0].partition(":")[0])).strip()
    display = plain(display).strip()
    number = "" if user.lower() in _WITHHELD else user
    if not uri.host:
        return Party(number=number, display=display, uri=f"{uri.scheme}:{number}")
    return Party(number=number, display=display, uri=plain(str(Uri(uri.scheme, uri.user, uri.host, uri.port))))


def caller_of(request: SipRequest) -> Party:
    """Return who calls: the network's assertion (RFC 3325) unless the caller asked for privacy, else From."""
    if request.tokens("privacy") & {"id", "user"}:
        return Party(number="", display="", uri="")
    claimed = party_of(request.from_)
    for value in listed(request.headers.first("p-asserted-identity"))[:1]:
        try:
            proven = party_of(Address.parse(value))
        except BadHeader:
            break
        if proven.number:
            return Party(number=proven.number, display=proven.display or claimed.display, uri=proven.uri)
    return claimed


def called_of(request: SipRequest, own_users: frozenset[str]) -> Party:
    """Return whom they called: the Request-URI, or To where the Request-URI is only the contact we registered.

    Raises BadHeader."""
    target, to = party_of(Uri.parse(request.uri)), party_of(request.to)
    return to if target.number in own_users and to.number else target


def target_uri(text: str) -> Uri:
    """Read a dialable SIP URI and drop embedded headers. Raises ValueError."""
    if not text.lower().startswith("sip:") or any(c in text for c in " \t\r\n<>\"'"):
        raise ValueError(f"{text!r} is not a sip: URI")
    return Uri.parse(text).bare
