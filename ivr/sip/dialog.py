"""SIP dialog (RFC 3261 section 12): its tags, CSeq, route set and remote target, its requests and responses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ivr.sip.headers import Address, BadHeader, Uri
from ivr.sip.message import ALLOW, SUPPORTED, SipMessage, SipRequest, SipResponse, response_to


@dataclass(slots=True)
class CallDialog:
    """One dialog. ``local`` and ``remote`` are whole From/To values, tags included. ``secure``: it began with a sips:
    URI, and goes by TLS alone, every hop of it (RFC 5630)."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    target: str
    routes: list[str] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int = -1  # the far end has sent nothing yet
    secure: bool = False

    @classmethod
    def of_request(cls, invite: SipRequest, tag: str) -> CallDialog:
        """Make the callee's side (section 12.1.1). Raises BadHeader without a usable Contact or Record-Route."""
        routes, secure = _routes(invite), must_be_secure(invite)
        return cls(
            call_id=invite.call_id,
            local_tag=tag,
            remote_tag=invite.from_.tag,
            local=f"{invite.headers.first('to')};tag={tag}",
            remote=invite.headers.first("from"),
            target=_target(invite, secure=secure),
            routes=routes,
            remote_cseq=invite.cseq.number,
            secure=secure,
        )

    @classmethod
    def of_response(cls, invite: SipRequest, response: SipResponse) -> CallDialog:
        """Make the caller's side (section 12.1.2). Raises BadHeader without a usable Contact or Record-Route."""
        secure = is_secure(invite.uri)
        return cls(
            call_id=invite.call_id,
            local_tag=invite.from_.tag,
            remote_tag=response.to.tag,
            local=invite.headers.first("from"),
            remote=response.headers.first("to"),
            target=_target(response, secure=secure),
            routes=_routes(response)[::-1],
            local_cseq=invite.cseq.number,
            secure=secure,
        )

    @property
    def next_hop(self) -> str:
        """The URI to send to: the first route, else the far end's contact."""
        uri = Address.parse(self.routes[0]).uri if self.routes else Uri.parse(self.target)
        return str(replace(uri, scheme="sips") if self.secure else uri)

    def matches(self, request: SipRequest) -> bool:
        """Whether Call-ID and tags are the dialog's (section 12.2.2); anything else is answered with 481."""
        tags = (request.from_.tag, request.to.tag)
        return request.call_id == self.call_id and tags == (self.remote_tag, self.local_tag)

    def advance(self, request: SipRequest) -> bool:
        """Note the far end's CSeq; False for one out of order (answered with 500)."""
        if request.cseq.number <= self.remote_cseq:
            return False
        self.remote_cseq = request.cseq.number
        return True

    def retarget(self, message: SipMessage) -> None:
        """Follow the far end's new contact, if any (target refresh, section 12.2). Raises BadHeader."""
        if message.headers.get("contact"):
            self.target = _target(message, secure=self.secure)

    def request(self, method: str, via: str, contact: str, *, number: int | None = None) -> SipRequest:
        """Make a request inside the dialog (section 12.2.1.1); ``number`` reuses a CSeq, for ACK."""
        routes, uri = self.routes, self.target
        if routes and "lr" not in Address.parse(routes[0]).uri.params:
            uri, routes = self.next_hop, [*routes[1:], f"<{self.target}>"]  # a strict router of RFC 2543
        if number is None:
            self.local_cseq += 1
            number = self.local_cseq
        request = SipRequest(method=method, uri=uri)
        headers = request.headers
        headers.set("Via", via)
        headers.set("Route", *routes)
        headers.set("From", self.local)
        headers.set("To", self.remote)
        headers.set("Call-ID", self.call_id)
        headers.set("CSeq", f"{number} {method}")
        headers.set("Max-Forwards", "70")
        if method not in ("ACK", "BYE", "PRACK"):
            present(request, self._own(contact))
        return request

    def response(self, request: SipRequest, status: int, reason: str = "", *, contact: str = "") -> SipResponse:
        """Make an answer inside the dialog; with ``contact`` it forms or refreshes the dialog."""
        response = response_to(request, status, reason, tag=self.local_tag)
        if contact:
            present(response, self._own(contact))
            if request.method == "INVITE":
                response.headers.set("Record-Route", *request.headers.get("record-route"))
        return response

    def _own(self, contact: str) -> str:
        return secured(contact) if self.secure else contact


def is_secure(uri: str) -> bool:
    return uri[:5].lower() == "sips:"


def must_be_secure(request: SipRequest) -> bool:
    """Whether the dialog that ``request`` begins goes by TLS alone: for its Request-URI, its topmost Record-Route, or
    without any its Contact (RFC 3261 section 12.1.1). Raises BadHeader."""
    routes = request.headers.get("record-route")
    if is_secure(request.uri) or not (routes or request.headers.get("contact")):
        return is_secure(request.uri)
    return (Address.parse(routes[0]) if routes else request.contact).uri.scheme == "sips"


def secured(contact: str) -> str:
    """Our Contact as a sips: URI, in which no transport is named (RFC 5630 section 3.1.4)."""
    uri = Address.parse(contact).uri
    params = {name: value for name, value in uri.params.items() if name != "transport"}
    return f"<{replace(uri, scheme='sips', params=params)}>"


def present(message: SipMessage, contact: str) -> None:
    message.headers.set("Contact", contact)
    message.headers.set("Allow", ALLOW)
    message.headers.set("Supported", SUPPORTED)


def _routes(message: SipMessage) -> list[str]:
    routes = list(message.headers.get("record-route"))
    for route in routes:
        Address.parse(route)
    return routes


def _target(message: SipMessage, *, secure: bool) -> str:
    """Of a phone that was called as sips: and says sip: with transport=tls, as most do, TLS is what it means."""
    uri = message.contact.uri
    if secure and uri.scheme != "sips" and uri.params.get("transport", "").lower() != "tls":
        raise BadHeader("Contact is not a sips: URI")
    if uri.scheme not in ("sip", "sips"):
        raise BadHeader("Contact is not a sip: URI")
    return str(uri.bare)
