"""Headers of a hand-over's INVITE or REFER: User-to-User (RFC 7433) and X-IVR-*.

Values are printable ASCII whatever goes in, so no header can be injected; personal data stays behind the link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from ivr.ports import HandoffContext

LONGEST_VALUE = 256
ISDN_OCTETS = 128
IA5_TEXT = 0x04  # protocol discriminator "IA5 characters", ITU-T Q.931 table 4-26
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_UUI = re.compile(r'\s*(?:"([0-9A-Fa-f]*)"|([0-9A-Fa-f]+))\s*((?:;[^;]+)*)')


def handoff_headers(context: HandoffContext, url: str) -> Mapping[str, str]:
    """``url`` is the screen pop's; without it there is no X-IVR-Context, and no token in User-to-User."""
    token = url.rpartition("/")[2]
    headers = {
        "User-to-User": user_to_user(context.call_id, context.reason, context.priority, token),
        "X-IVR-Call-ID": header_value(context.call_id),
        "X-IVR-Reason": header_value(context.reason),
        "X-IVR-Priority": str(int(context.priority)),
    }
    return {**headers, "X-IVR-Context": header_value(url)} if url else headers


def header_value(text: object) -> str:
    """``text`` as one header value: everything beyond printable ASCII, and "%", percent-encoded as UTF-8; cut to
    LONGEST_VALUE characters. ``urllib.parse.unquote`` takes it back."""
    encoded = quote(str(text).strip(), safe=_SAFE)
    if len(encoded) <= LONGEST_VALUE:
        return encoded
    return re.sub(r"%[0-9A-F]?$", "", encoded[:LONGEST_VALUE])


def plain_value(value: str) -> str:
    """The text that ``header_value`` made ``value`` of."""
    return unquote(value)


def user_to_user(call_id: str, reason: str, priority: int, context: str) -> str:
    """A User-to-User value (RFC 7433 section 4.1) of the ISDN package (RFC 7434), which is what gateways and contact
    centres read: hexadecimal octets, the first one the protocol discriminator, then JSON in ASCII.

    ``context`` is the token of the link. ISDN carries 128 octets, so the reason is cut, or left out, where space ends;
    the token stays."""
    fields: dict[str, object] = {"ctx": context, "id": call_id, "prio": priority, "reason": reason}
    while len(data := _json(fields)) > ISDN_OCTETS - 1:
        shortened = str(fields.get("reason", ""))[:-1]
        if shortened:
            fields["reason"] = shortened
        elif len(fields) > 1:
            fields.popitem()
        else:
            raise ValueError(f"a context of {len(context)} characters does not fit into User-to-User")
    octets = bytes([IA5_TEXT]) + data
    return f"{octets.hex()};encoding=hex;purpose=isdn-uui;content=isdn-uui"


def read_user_to_user(value: str) -> Mapping[str, object]:
    """What ``user_to_user`` put in. Raises ValueError for a value that is none of ours."""
    match = _UUI.fullmatch(value)
    if match is None:
        raise ValueError("not a User-to-User value in hexadecimal")
    parameters = dict(part.strip().lower().partition("=")[::2] for part in match[3].split(";") if part.strip())
    if parameters.get("encoding", "hex") != "hex" or parameters.get("purpose", "isdn-uui") != "isdn-uui":
        raise ValueError("a User-to-User value of another package or encoding")
    octets = bytes.fromhex(match[1] or match[2] or "")
    if not octets or octets[0] != IA5_TEXT:
        raise ValueError("a User-to-User value with another protocol discriminator")
    fields = json.loads(octets[1:].decode("ascii"))
    if not isinstance(fields, dict):
        raise ValueError("a User-to-User value that is no JSON object")
    return fields


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True).encode("ascii")
