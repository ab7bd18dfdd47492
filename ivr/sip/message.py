"""SIP message (RFC 3261 section 7): what arrives is parsed, with typed headers; requests and responses are built."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from email import message_from_bytes

from ivr.plain_text import plain
from ivr.sip.headers import Address, BadHeader, BadMessage, CSeq, Headers, Via, listed

MAX_MESSAGE = 65_535
METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "PRACK", "INFO", "NOTIFY", "REFER")
ALLOW = ", ".join(METHODS)
EXTENSIONS = ("100rel", "timer")
SUPPORTED = ", ".join(EXTENSIONS)
PRODUCT = "ivr"

MAX_URI = 2048

_REQUEST_LINE = re.compile(rb"([!%'*+\-.0-9A-Z_`a-z~]+) ([^\s<>\"]+) SIP/(\d{1,9})\.(\d{1,9})", re.IGNORECASE)
_MEANT_AS_REQUEST = re.compile(rb"([!%'*+\-.0-9A-Z_`a-z~]+)\s.*\sSIP/\d+\.\d+\s*", re.IGNORECASE | re.DOTALL)
_HANDLING_OPTIONAL = re.compile(r';\s*handling\s*=\s*"?optional"?\s*(?:;|$)', re.IGNORECASE)
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: (.*))?")
_SOME_VIA = re.compile(r"[^\s/;,]+\s*/\s*[^\s/;,]+\s*/\s*[^\s/;,]+\s+[^\s;,]")  # of others: any transport
_REQUIRED = ("via", "from", "to", "call-id", "cseq")  # Max-Forwards is left out by too many inside a dialog
_SINGLE = (*_REQUIRED[1:], "max-forwards", "content-type")

REASONS = {
    100: "Trying", 180: "Ringing", 200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 405: "Method Not Allowed", 408: "Request Timeout", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
    500: "Server Internal Error", 503: "Service Unavailable", 505: "Version Not Supported", 603: "Decline",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Peer:
    """The far end that a message came from or goes to; for TCP and TLS also the key of its connection."""

    transport: str  # "udp", "tcp" or "tls"
    host: str  # an IP literal, without brackets
    port: int
    name: str = ""  # where we connect by TLS: the domain that was asked for (RFC 5922 section 7.3)

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"


class BadBody(BadMessage):
    """A body that cannot be used; ``status`` is 400, 415 or 488."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = {"Warning": f'399 {PRODUCT} "{reason[:80]}"'}


@dataclass(slots=True, kw_only=True, eq=False)
class SipMessage:
    """A request or a response. Typed headers raise BadHeader; those that every message must have were read
    once by ``parse_message``, so that they don't."""

    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def top_via(self) -> Via:
        return self.headers.typed("via", Via.parse)

    @property
    def from_(self) -> Address:
        return self.headers.typed("from", Address.parse)

    @property
    def to(self) -> Address:
        return self.headers.typed("to", Address.parse)

    @property
    def cseq(self) -> CSeq:
        return self.headers.typed("cseq", CSeq.parse)

    @property
    def contact(self) -> Address:
        """The first Contact."""
        return self.headers.typed("contact", Address.parse)

    @property
    def call_id(self) -> str:
        return self.headers.first("call-id")

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, lower-case."""
        return self.headers.first("content-type").partition(";")[0].strip().lower()

    @property
    def extensions(self) -> frozenset[str]:
        """The option tags that the sender knows: those in Supported and Require."""
        return self.tokens("supported") | self.tokens("require")

    def tokens(self, header: str, also: str = ",") -> frozenset[str]:
        """Return the tokens of ``header``, lower-case, separated by commas and by ``also``."""
        values = (value.replace(also, ",") for value in self.headers.get(header))
        return frozenset(t.strip().lower() for value in values for t in value.split(",") if t.strip())

    @property
    def text(self) -> str:
        """The body; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", errors="replace")

    def carry_sdp(self, text: str) -> None:
        self.headers.set("Content-Type", "application/sdp")
        self.body = text.encode()

    @property
    def body_optional(self) -> bool:
        """Whether a body that we cannot read may be passed over (``handling=optional``, section 20.11)."""
        return _optional(self.headers.first("content-disposition"))

    def sdp(self) -> str | None:
        """Return the SDP in the body, also inside multipart (RFC 5621); None for no body, and for one that may be
        passed over. Raises BadBody(415)."""
        if not self.body.strip():
            return None
        if (self.headers.first("content-encoding") or "identity").lower() != "identity":
            if self.body_optional:
                return None
            raise BadBody(415, "encoded body")
        if self.media_type == "application/sdp":
            return self.text
        if self.media_type.startswith("multipart/"):
            envelope = f"MIME-Version: 1.0\r\nContent-Type: {self.headers.first('content-type')}\r\n\r\n"
            parts = [p for p in message_from_bytes(envelope.encode() + self.body).walk() if not p.is_multipart()]
            for part in parts:
                payload = part.get_payload(decode=True)
                if part.get_content_type() == "application/sdp" and isinstance(payload, bytes):
                    return payload.decode("utf-8", errors="replace")
            if parts and all(_optional(str(part.get("content-disposition", ""))) for part in parts):
                return None
        if self.body_optional:
            return None
        raise BadBody(415, "no application/sdp in the body")


@dataclass(slots=True, kw_only=True, eq=False)
class SipRequest(SipMessage):
    method: str
    uri: str


@dataclass(slots=True, kw_only=True, eq=False)
class SipResponse(SipMessage):
    """``made_here``: nobody sent it; it stands for an answer that will not come (section 8.1.3.1)."""

    status_code: int
    reason_phrase: str = ""
    made_here: bool = False


class MalformedMessage(ValueError):
    """Bytes that are no usable SIP message. ``reply`` answers ``request``, where its Via says to whom."""

    def __init__(self, reason: str, request: SipMessage | None = None, status: int = 400) -> None:
        super().__init__(reason)
        self.request: SipRequest | None = None
        self.reply: SipResponse | None = None
        if isinstance(request, SipRequest) and request.method != "ACK" and request.headers.first("via"):
            phrase = reason[:60] if status == 400 else ""
            self.request, self.reply = request, refusal(request, status, phrase)


# --- parsing -----------------------------------------------------------------------------------------------


def parse_message(data: bytes) -> SipRequest | SipResponse:
    """Read one whole message (a datagram, or a frame of a stream). Raises MalformedMessage."""
    if len(data) > MAX_MESSAGE:
        raise MalformedMessage("message too large")
    data = data.lstrip(b"\r\n")  # section 7.5
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap:
        head, _, body = data.partition(b"\n\n")
    start, _, fields = head.partition(b"\n")
    start = start.rstrip(b"\r")
    request, status = _REQUEST_LINE.fullmatch(start), _STATUS_LINE.fullmatch(start)
    meant = request or _MEANT_AS_REQUEST.fullmatch(start)
    if meant is None and status is None:
        raise MalformedMessage("no SIP start line")
    try:
        headers = Headers.parse(fields.decode("utf-8", "replace"))
    except BadHeader as error:
        raise MalformedMessage(str(error)) from error
    message: SipRequest | SipResponse
    if status is not None:
        reason = plain((status[2] or b"").decode("utf-8", "replace"))
        message = SipResponse(status_code=int(status[1]), reason_phrase=reason, headers=headers, body=body)
    else:
        assert meant is not None
        uri = request[2].decode("utf-8", "replace") if request is not None else ""
        message = SipRequest(method=meant[1].decode(), uri=uri, headers=headers, body=body)
        if request is None:
            raise MalformedMessage("Bad request line", message)
        if (int(request[3]), int(request[4])) != (2, 0):
            raise MalformedMessage("not SIP/2.0", message, 505)
        if len(uri) > MAX_URI:
            raise MalformedMessage("URI too long", message, 414)
    try:
        _check(message)
        _cut(message)
    except BadHeader as error:
        raise MalformedMessage(str(error), message) from error
    return message


def _check(message: SipRequest | SipResponse) -> None:
    """Raise BadHeader unless everything that must be there is there, once, and can be read."""
    headers = message.headers
    if missing := [name for name in _REQUIRED if not headers.first(name)]:
        raise BadHeader("missing " + ", ".join(missing))
    for name in _SINGLE:
        if len(headers.get(name)) > 1:
            raise BadHeader(f"more than one {name}")
    if isinstance(message, SipRequest):
        if message.cseq.method != message.method:
            raise BadHeader("CSeq names another method")
        _check_hops(headers.first("max-forwards"))
    _ = message.cseq, message.top_via, message.from_, message.to
    if not all(_SOME_VIA.match(via) for via in headers.get("via")[1:]):
        raise BadHeader("bad Via")


def _check_hops(value: str) -> None:
    """Raise BadHeader for a Max-Forwards that is no number up to 255 (section 20.22). 0 is a proxy's business: whoever
    a request was meant for serves it (section 16.3)."""
    if value and not (value.isascii() and value.isdigit() and len(value) <= 32 and int(value) <= 255):
        raise BadHeader("bad Max-Forwards")


def _optional(disposition: str) -> bool:
    return _HANDLING_OPTIONAL.search(disposition) is not None


def _cut(message: SipMessage) -> None:
    """Trim the body to its declared length (RFC 3261 section 18.3). Raises BadHeader."""
    lengths = set(message.headers.get("content-length"))
    message.headers.set("content-length")
    if not lengths:
        return
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit() and len(length) <= 6):
        raise BadHeader("bad Content-Length")
    if int(length) > len(message.body):
        raise BadHeader("body shorter than Content-Length")
    message.body = message.body[: int(length)]


# --- building ----------------------------------------------------------------------------------------------


def encode(message: SipRequest | SipResponse) -> bytes:
    """Return the wire form."""
    if isinstance(message, SipRequest):
        lines = [f"{message.method} {message.uri} SIP/2.0"]
    else:
        lines = [f"SIP/2.0 {message.status_code} {message.reason_phrase}"]
    for name, values in message.headers.items():
        lines += [f"{name}: {value}" for value in values]
    lines += [f"Content-Length: {len(message.body)}", "", ""]
    return "\r\n".join(lines).encode() + message.body


def stateless_tag(request: SipRequest) -> str:
    """Return a To tag that is the same for every retransmission (RFC 3261 section 8.2.7)."""
    seed = "|".join(request.headers.first(name) for name in ("call-id", "from", "cseq"))
    return hashlib.sha256(seed.encode()).hexdigest()[:16]


def response_to(request: SipRequest, status: int, reason: str = "", *, tag: str = "") -> SipResponse:
    """Make a response (RFC 3261 section 8.2.6.2). ``tag`` completes To where the request had none."""
    response = SipResponse(status_code=status, reason_phrase=reason or REASONS.get(status, "Response"))
    headers = response.headers
    headers.set("Via", *request.headers.get("via"))
    for name in ("From", "To", "Call-ID", "CSeq"):
        headers.set(name, *filter(None, request.headers.get(name)[:1]))
    try:
        if tag and not request.to.tag:
            headers.set("To", f"{request.headers.first('to')};tag={tag}")
    except BadHeader:
        pass  # a 400 gives back what it cannot read, and not what isn't there
    if status == 100:
        headers.set("Timestamp", *request.headers.get("timestamp")[:1])
    if status == 405:
        headers.set("Allow", ALLOW)
    if status == 415:
        headers.set("Accept", "application/sdp, application/dtmf-relay, application/dtmf")
    headers.set("Server", PRODUCT)
    return response


def refusal(request: SipRequest, status: int, reason: str = "", *, tag: str = "", **headers: str) -> SipResponse:
    """Make a response that needs no state, without a body: ``tag`` is "" for the stateless one, ``headers`` are named
    with _ for -."""
    response = response_to(request, status, reason, tag=tag or stateless_tag(request))
    for name, value in headers.items():
        response.headers.set(name.replace("_", "-"), value)
    return response


def stamp_source(request: SipRequest, source: Peer) -> Peer:
    """Note the source in the top Via (received, rport: RFC 3581); return where responses go (section 18.2.2)."""
    via, port, wanted = request.top_via, request.top_via.sent_by_port, {}
    host = source.host.partition("%")[0]  # the zone of a link-local address is ours alone
    if "rport" in via.params:
        wanted, port = {"rport": str(source.port), "received": host}, source.port
    elif via.host.lower() != host.lower():
        wanted = {"received": host}
    if any(via.params.get(name) != value for name, value in wanted.items()):  # it may be stamped already
        request.headers.put_via(via.with_params(**wanted))
    return source if source.reliable else Peer(source.transport, source.host, port)


def sent_by(request: SipRequest, source: Peer) -> Peer:
    """Return where a new connection reaches the sender, once the one it used is gone (RFC 3261 section 18.2.2)."""
    via = request.top_via
    return Peer(source.transport, source.host, via.sent_by_port, via.host.lower() if source.transport == "tls" else "")


def origin(request: SipRequest, source: Peer) -> str:
    """Return the host that ``request`` came from in the first place: ``source``'s, or behind proxies what the first of
    them saw (``received``, section 18.2.1) of whoever wrote the undermost Via."""
    vias = [value for line in request.headers.get("via") for value in listed(line)]
    if len(vias) < 2:
        return source.host
    try:
        first = Via.parse(vias[-1])
    except BadHeader:
        return source.host
    host = first.params.get("received", "").strip("[]") or first.host
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return source.host
