"""SIP URIs and name-addr values (RFC 3261 section 19.1, 20.10), where aiosipua's parsers fall short: parameters in the
user part (``sip:1503;npdi@host``), and brackets inside a quoted display name."""

from __future__ import annotations

import re

from aiosipua import Address as NameAddr
from aiosipua import SipUri, parse_params, parse_uri

_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*')


def uri_of(text: str) -> SipUri:
    """``text`` without angle brackets. Raises ValueError for a tel: URI and other schemes."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme.lower() not in ("sip", "sips"):
        raise ValueError("not a SIP URI")
    user, at, where = rest.partition("@")
    uri = parse_uri(f"{scheme.lower()}:{where if at else rest}")
    uri.user = user if at else None
    return uri


def address_of(value: str) -> NameAddr:
    """A From, To, Contact, Route … value. ``uri`` is empty (no host) for schemes other than SIP."""
    display: str | None = None
    rest = value.strip()
    if quoted := _QUOTED.match(rest):
        display = re.sub(r"\\(.)", r"\1", quoted[1]) or None
        rest = rest[quoted.end() :]
    before, bracket, inside = rest.partition("<")
    if bracket:
        inner, _, after = inside.partition(">")
        display = display or before.strip() or None
    else:
        inner, _, after = rest.partition(";")  # without brackets every parameter is the header's (section 20)
        after = f";{after}"
    try:
        uri = uri_of(inner)
    except ValueError:
        uri = SipUri()
    return NameAddr(display_name=display, uri=uri, params=parse_params(after))


def inner_of(value: str) -> str:
    """The URI's text inside a name-addr."""
    rest = value.strip()
    if quoted := _QUOTED.match(rest):
        rest = rest[quoted.end() :]
    _, bracket, inside = rest.partition("<")
    return (inside.partition(">")[0] if bracket else rest.partition(";")[0]).strip()
