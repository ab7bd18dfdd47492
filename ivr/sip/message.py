"""SIP messages on the wire: aiosipua's parser held to RFC 3261, and the responses and requests we build."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email import message_from_bytes
from urllib.parse import unquote

from aiosipua import SipMessage, SipRequest, SipResponse, SipUri, parse_via, stringify_via
from aiosipua.message import missing_required_headers

from ivr.ports import Party
from ivr.sip.uri import address_of, inner_of, uri_of

MAX_MESSAGE = 65_535
METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "PRACK", "INFO", "NOTIFY")
ALLOW = ", ".join(METHODS)
EXTENSIONS = ("100rel", "timer")
SUPPORTED = ", ".join(EXTENSIONS)
PRODUCT = "ivr"

# Compact forms that aiosipua leaves alone (RFC 3515, 3892, 4028, 6665).
_COMPACT = {"r": "Refer-To", "b": "Referred-By", "x": "Session-Expires", "o": "Event", "u": "Allow-Events"}
_REQUEST_LINE = re.compile(rb"([!%'*+\-.0-9A-Z_`a-z~]{1,32}) ([^\s<>\"]{1,2048}) SIP/(\d)\.(\d)")
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: .*)?")
CONTENT_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_URI = re.compile(r"(?:sips?:[^\s]*[^\s@]|(?!sips?:)[A-Za-z][A-Za-z0-9+.\-]*:[^\s]+)$", re.IGNORECASE)
_CSEQ = re.compile(r"(\d{1,10})\s+([^\s]+)")
_SINGLE = ("from", "to", "call-id", "cseq")
_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private"})

REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    405: "Method Not Allowed",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    505: "Version Not Supported",
    603: "Decline",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a message came from or goes to; for TCP also the key of its connection."""

    transport: str  # "udp" or "tcp"
    host: str  # an IP literal, without brackets
    port: int

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"


class MalformedMessage(ValueError):
    """Bytes that are no usable SIP message. ``reply`` answers them where enough headers could be read."""

    def __init__(self, reason: str, reply: SipResponse | None = None) -> None:
        super().__init__(reason)
        self.reply = reply


class BadBody(Exception):
    """A body that cannot be used; ``status`` answers it (400, 415 or 488)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def parse_message(data: bytes) -> SipRequest | SipResponse:
    """One whole message (a datagram, or a frame of a stream). Raises MalformedMessage."""
    if len(data) > MAX_MESSAGE:
        raise MalformedMessage("message too large")
    start = data.partition(b"\n")[0].rstrip(b"\r")
    request_line = _REQUEST_LINE.fullmatch(start)
    if request_line is None and _STATUS_LINE.fullmatch(start) is None:
        raise MalformedMessage("no SIP start line")
    # Content-Length is settled here: the parser would only guess, and log a warning for each bad packet.
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap:
        head, gap, body = data.partition(b"\n\n")
    head = re.sub(rb"\n[ \t]+", b" ", head.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    lengths = set(CONTENT_LENGTH.findall(head))
    try:
        message = SipMessage.parse(CONTENT_LENGTH.sub(b"Declared-Length:", head) + b"\r\n\r\n" + body)
        message.headers.remove("declared-length")
        for short, name in _COMPACT.items():
            for value in message.headers.get(short):
                message.headers.append(name, value)
            message.headers.remove(short)
        fault = _fault(message) or _cut(message, lengths)
    except Exception as error:  # a foreign parser on hostile bytes: whatever it raises, the message is bad
        raise MalformedMessage(f"unreadable: {type(error).__name__}") from error
    if fault:
        raise MalformedMessage(fault, _refusal(message, 400))
    if request_line is not None and (request_line[3], request_line[4]) != (b"2", b"0"):
        raise MalformedMessage("not SIP/2.0", _refusal(message, 505))
    return message


def _cut(message: SipRequest | SipResponse, lengths: set[bytes]) -> str:
    """Trim the body to its declared length (RFC 3261 section 18.3)."""
    if not lengths:
        return ""
    if len(lengths) > 1 or not all(value.isdigit() and len(value) <= 6 for value in lengths):
        return "bad Content-Length"
    length = int(lengths.pop())
    if length > len(message.body):
        return "body shorter than Content-Length"
    message.body = message.body[:length]
    return ""


def _fault(message: SipRequest | SipResponse) -> str:
    headers = message.headers
    if isinstance(message, SipRequest):
        if missing := missing_required_headers(message):
            return "missing " + ", ".join(missing)
    elif not (headers.get("via") and headers.get("cseq") and headers.get("call-id")):
        return "missing headers"
    for name in _SINGLE:
        if len(headers.get(name)) > 1:
            return f"more than one {name}"
    cseq = _CSEQ.fullmatch(headers.get_first("cseq") or "")
    if cseq is None or int(cseq[1]) >= 2**31:
        return "bad CSeq"
    if isinstance(message, SipRequest) and cseq[2] != message.method:
        return "CSeq names another method"
    if not headers.get_first("call-id"):
        return "empty Call-ID"
    via = parse_via(headers.get("via")[0])
    if not 0 < (via.port or 5060) < 65536:
        return "bad port in Via"
    if not via.host or via.transport not in ("UDP", "TCP", "TLS", "WS", "WSS", "SCTP"):
        return "bad Via"
    for name in ("from", "to"):
        if not _URI.match(inner_of(headers.get_first(name) or "")):
            return f"bad {name}"
    return ""


def _refusal(message: SipRequest | SipResponse, status: int) -> SipResponse | None:
    """The answer to a request whose Via and dialog headers can be copied; None for anything less."""
    if not isinstance(message, SipRequest) or message.method == "ACK" or missing_required_headers(message):
        return None
    return response_to(message, status, tag=stateless_tag(message))


# --- accessors ---------------------------------------------------------------------------------------------


def branch_of(message: SipMessage) -> str:
    return parse_via(message.headers.get("via")[0]).branch or ""


def cseq_of(message: SipMessage) -> tuple[int, str]:
    number, method = (message.headers.get_first("cseq") or "0 -").split(None, 1)
    return int(number), method


def tag_of(message: SipMessage, header: str) -> str:
    return address_of(message.headers.get_first(header) or "").tag or ""


def call_id_of(message: SipMessage) -> str:
    return message.headers.get_first("call-id") or ""


def tokens(message: SipMessage, header: str) -> frozenset[str]:
    """The comma-separated tokens of ``header``, lower-case."""
    values = message.headers.get(header)
    return frozenset(t.strip().lower() for value in values for t in value.split(",") if t.strip())


def lowered(message: SipMessage) -> dict[str, str]:
    """Headers by lower-case name; several values joined by ", "."""
    return {name.lower(): ", ".join(values) for name, values in message.headers.items()}


def party_of(value: str) -> Party:
    """A From, To or P-Asserted-Identity value, or a bare URI. Withheld numbers become ""."""
    address, inner = address_of(value), inner_of(value)
    display = (address.display_name or "").strip()
    if inner.lower().startswith("tel:"):
        number = inner[4:].partition(";")[0]
        return Party(number=number, display=display, uri=f"tel:{number}")
    number = number_of(address.uri)
    user = f"{address.uri.user}@" if address.uri.user else ""
    port = f":{address.uri.port}" if address.uri.port else ""
    return Party(number=number, display=display, uri=f"{address.uri.scheme}:{user}{address.uri.host}{port}")


def number_of(uri: SipUri) -> str:
    user = unquote((uri.user or "").partition(";")[0].partition(":")[0])
    return "" if user.lower() in _WITHHELD else user


def caller_of(request: SipRequest) -> Party:
    """Who calls: the network's assertion (RFC 3325) unless the caller asked for privacy, else From."""
    asserted = request.headers.get_first("p-asserted-identity")
    privacy = tokens(request, "privacy")
    claimed = party_of(request.headers.get_first("from") or "")
    if privacy & {"id", "user"}:
        return Party(number="", display="", uri="")
    if asserted:
        proven = party_of(asserted.partition(",")[0] if '"' not in asserted else asserted)
        if proven.number:
            return Party(number=proven.number, display=proven.display or claimed.display, uri=proven.uri)
    return claimed


def called_of(request: SipRequest, own_users: frozenset[str]) -> Party:
    """Whom they called: the Request-URI, or To where the Request-URI is only the contact we registered."""
    target = party_of(request.uri)
    to = party_of(request.headers.get_first("to") or "")
    return to if target.number in own_users and to.number else target


def sdp_body(message: SipMessage) -> str | None:
    """The SDP in the body, also inside multipart (RFC 5621); None for no body. Raises BadBody(415)."""
    if not message.body.strip():
        return None
    encoding = (message.headers.get_first("content-encoding") or "identity").lower()
    kind = (message.headers.get_first("content-type") or "").strip()
    plain = kind.partition(";")[0].strip().lower()
    if encoding != "identity":
        raise BadBody(415, "encoded body")
    if plain == "application/sdp":
        return message.text
    if plain.startswith("multipart/"):
        envelope = b"MIME-Version: 1.0\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + message.body
        for part in message_from_bytes(envelope).walk():
            if part.get_content_type() == "application/sdp":
                payload = part.get_payload(decode=True)
                if isinstance(payload, bytes):
                    return payload.decode("utf-8", errors="replace")
    raise BadBody(415, "no application/sdp in the body")


# --- building ----------------------------------------------------------------------------------------------


def encode(message: SipRequest | SipResponse) -> bytes:
    """Wire form. Header names keep the case they were given: names are case-insensitive, but not every peer knows."""
    if isinstance(message, SipRequest):
        lines = [f"{message.method} {message.uri} SIP/2.0"]
    else:
        lines = [f"SIP/2.0 {message.status_code} {message.reason_phrase}"]
    for name, values in message.headers.items():
        if name.lower() != "content-length":
            lines += [f"{name}: {value}" for value in values]
    lines += [f"Content-Length: {len(message.body)}", "", ""]
    return "\r\n".join(lines).encode() + message.body


def host_port(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return bracketed if port is None else f"{bracketed}:{port}"


def stateless_tag(request: SipRequest) -> str:
    """A To tag that is the same for every retransmission (RFC 3261 section 8.2.7)."""
    seed = "|".join((branch_of(request), call_id_of(request), request.headers.get_first("from") or ""))
    return hashlib.sha256(seed.encode()).hexdigest()[:16]


def response_to(request: SipRequest, status: int, reason: str = "", *, tag: str = "") -> SipResponse:
    """RFC 3261 section 8.2.6.2. ``tag`` completes To where the request had none."""
    response = SipResponse(status_code=status, reason_phrase=reason or REASONS.get(status, "Response"))
    for value in request.headers.get("via"):
        response.headers.append("Via", value)
    for name in ("From", "To", "Call-ID", "CSeq"):
        response.headers.set_single(name, request.headers.get_first(name) or "")
    if tag and not tag_of(request, "to"):
        response.headers.set_single("To", f"{request.headers.get_first('to')};tag={tag}")
    if status == 100 and (stamp := request.headers.get_first("timestamp")):
        response.headers.set_single("Timestamp", stamp)
    if status == 405:
        response.headers.set_single("Allow", ALLOW)
    if status == 415:
        response.headers.set_single("Accept", "application/sdp, application/dtmf-relay, application/dtmf")
    response.headers.set_single("Server", PRODUCT)
    return response


def stamp_source(request: SipRequest, source: Peer) -> Peer:
    """Note the source in the top Via (received, rport: RFC 3581); where responses go (section 18.2.2)."""
    values = request.headers.get("via")
    via = parse_via(values[0])
    port = via.port or 5060
    if "rport" in via.params:
        via.rport, via.received, port = str(source.port), source.host, source.port
    elif via.host.strip("[]").lower() != source.host.lower():
        via.received = source.host
    values[0] = stringify_via(via)
    return source if source.reliable else Peer(source.transport, source.host, port)


def sent_by(request: SipRequest, source: Peer) -> Peer:
    """Where a new connection reaches the sender, once the one it used is gone (RFC 3261 section 18.2.2)."""
    return Peer(source.transport, source.host, parse_via(request.headers.get("via")[0]).port or 5060)


def target_uri(text: str) -> SipUri:
    """A dialable SIP URI without embedded headers. Raises ValueError."""
    if not text.lower().startswith("sip:") or any(c in text for c in " \t\r\n<>\"'"):
        raise ValueError(f"{text!r} is not a sip: URI")
    uri = uri_of(text)
    uri.headers = {}
    if not uri.host:
        raise ValueError(f"{text!r} names no host")
    return uri
