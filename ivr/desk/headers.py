"""Headers of a hand-over's INVITE or REFER: User-to-User (RFC 7433) and X-IVR-*.

Values are printable ASCII whatever goes in, so no header can be injected; personal data stays behind the link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from ivr.ports import CALL_ID_HEADER, HandoffContext

LONGEST_VALUE = 256
ISDN_OCTETS = 128
IA5_TEXT = 0x04  # protocol discriminator "IA5 characters", ITU-T Q.931 table 4-26
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def handoff_headers(context: HandoffContext, url: str) -> Mapping[str, str]:
    """``url`` is the screen pop's; without it there is no X-IVR-Context, and no token in User-to-User.
    X-IVR-Also: the reasons beside the most important one, where there are any."""
    token = url.rpartition("/")[2]
    headers = {
        "User-to-User": user_to_user(context.call_id, context.reason, context.priority, token),
        CALL_ID_HEADER: header_value(context.call_id),
        "X-IVR-Reason": header_value(context.reason),
        "X-IVR-Priority": str(int(context.priority)),
    }
    if context.also:
        headers["X-IVR-Also"] = header_value("; ".join(other.reason for other in context.also))
    return {**headers, "X-IVR-Context": header_value(url)} if url else headers


def header_value(text: object) -> str:
    """``text`` as one header value: everything beyond printable ASCII, and "%", percent-encoded as UTF-8; cut to
    LONGEST_VALUE characters. ``urllib.parse.unquote`` takes it back."""
    encoded = quote(str(text).strip(), safe=_SAFE)
    if len(encoded) <= LONGEST_VALUE:
        return encoded
    return re.sub(r"%[0-9A-F]?$", "", encoded[:LONGEST_VALUE])


def user_to_user(call_id: str, reason: str, priority: int, context: str) -> str:
    """A User-to-User value (RFC 7433 section 4.1) of the ISDN package (RFC 7434), which is what gateways and contact
    centres read: hexadecimal octets, the first one the protocol discriminator, then JSON in ASCII.

    ``context`` is the token of the link. ISDN carries 128 octets, so the reason is cut, or left out, where space ends;
    the token stays."""
    fields: dict[str, object] = {"ctx": context, "id": call_id, "prio": priority, "reason": reason}
    while len(data := json.dumps(fields, separators=(",", ":")).encode("ascii")) > ISDN_OCTETS - 1:
        shortened = str(fields.get("reason", ""))[:-1]
        if shortened:
            fields["reason"] = shortened
        elif len(fields) > 1:
            fields.popitem()
        else:
            raise ValueError(f"a context of {len(context)} characters does not fit into User-to-User")
    octets = bytes([IA5_TEXT]) + data
    return f"{octets.hex()};encoding=hex;purpose=isdn-uui;content=isdn-uui"
