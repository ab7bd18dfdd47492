"""SIP payloads of REFER and its NOTIFY (RFC 3515, RFC 3892), and of DTMF by INFO; no state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivr.plain_text import plain
from ivr.sip.message import SipRequest
from ivr.sip.party import target_uri

_STATUS = re.compile(r"SIP/2\.0[ \t]+([1-6]\d\d)(?:[ \t]+([^\r\n]*))?")
_CAUSE = re.compile(r"^\s*sip\s*;(?:.*;)?\s*cause\s*=\s*(\d{3})\b", re.IGNORECASE)
_SIGNAL = re.compile(r"^\s*signal\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_KEYS = {**{str(n): str(n) for n in range(10)}, **{c: c for c in "*#ABCD"}, "10": "*", "11": "#"}
# Headers that belong to the dialog: whoever asks for a transfer or a call may not set them.
_RESERVED = frozenset(
    {"via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route", "record-route", "content-type"}
    | {"content-length", "require", "supported", "authorization", "proxy-authorization", "refer-to", "rack", "rseq"}
    | {"session-expires", "min-se", "allow", "event"}
)


@dataclass(frozen=True, slots=True)
class Progress:
    """One NOTIFY's status line, and whether it was the last."""

    status: int
    reason: str
    last: bool


def progress_of(notify: SipRequest) -> Progress | None:
    """Read a NOTIFY; None for one that says nothing about a transfer."""
    found = _STATUS.match(notify.text.lstrip())
    last = notify.headers.first("subscription-state").lower().startswith("terminated")
    if found is None:
        return Progress(480, "The far end reported no outcome", True) if last else None
    status, reason = int(found[1]), plain(found[2] or "").strip()[:120]
    if last and status < 200:
        return Progress(480, "The far end stopped reporting before an outcome", True)
    return Progress(status, reason, last or status >= 200)


def digit_of(info: SipRequest) -> str | None:
    """Return the key in an INFO: application/dtmf-relay (``Signal=5``) or application/dtmf (``5``)."""
    if info.media_type == "application/dtmf-relay":
        found = _SIGNAL.search(info.text)
        return _KEYS.get(found[1].upper()) if found else None
    if info.media_type == "application/dtmf":
        return _KEYS.get(info.text.strip().upper())
    return None


def was_lost(bye: SipRequest) -> bool:
    """Whether a BYE says that something broke (RFC 3326), rather than that somebody hung up."""
    found = _CAUSE.search(bye.headers.first("reason"))
    return found is not None and int(found[1]) >= 400


def add_headers(request: SipRequest, headers: Mapping[str, str]) -> None:
    """Set context headers (User-to-User, X-IVR-*). Raises ValueError for a reserved name or an unsafe value."""
    for name, value in headers.items():
        if name.lower() in _RESERVED or not re.fullmatch(r"[A-Za-z0-9\-]{1,64}", name):
            raise ValueError(f"header {name!r} cannot be set from outside")
        request.headers.set(name, value)


def make_refer(request: SipRequest, target: str, referred_by: str, headers: Mapping[str, str]) -> None:
    """Complete an in-dialog REFER. Raises ValueError for a target or header that cannot be sent."""
    target_uri(target)
    request.headers.set("Refer-To", f"<{target}>")
    request.headers.set("Referred-By", referred_by)
    add_headers(request, headers)
