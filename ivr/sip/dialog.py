"""Dialogs (RFC 3261 section 12): tags, CSeq, route set, remote target; the requests and responses inside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiosipua import SipRequest, SipResponse, stringify_uri

from ivr.sip.message import ALLOW, SUPPORTED, call_id_of, cseq_of, response_to, tag_of
from ivr.sip.uri import address_of, inner_of, uri_of


@dataclass(slots=True)
class CallDialog:
    """One dialog. ``local`` and ``remote`` are whole From/To values, tags included."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    target: str
    routes: list[str] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int = 0

    @classmethod
    def of_request(cls, invite: SipRequest, tag: str) -> CallDialog:
        """The callee's side (section 12.1.1). Raises ValueError without a usable Contact."""
        return cls(
            call_id=call_id_of(invite),
            local_tag=tag,
            remote_tag=tag_of(invite, "from"),
            local=f"{invite.headers.get_first('to')};tag={tag}",
            remote=invite.headers.get_first("from") or "",
            target=_contact(invite),
            routes=list(invite.headers.get("record-route")),
            remote_cseq=cseq_of(invite)[0],
        )

    @classmethod
    def of_response(cls, invite: SipRequest, response: SipResponse) -> CallDialog:
        """The caller's side (section 12.1.2). Raises ValueError without a usable Contact."""
        return cls(
            call_id=call_id_of(invite),
            local_tag=tag_of(invite, "from"),
            remote_tag=tag_of(response, "to"),
            local=invite.headers.get_first("from") or "",
            remote=response.headers.get_first("to") or "",
            target=_contact(response),
            routes=list(reversed(response.headers.get("record-route"))),
            local_cseq=cseq_of(invite)[0],
        )

    @property
    def next_hop(self) -> str:
        """The URI to send to: the first route, else the far end's contact."""
        return inner_of(self.routes[0]) if self.routes else self.target

    def matches(self, request: SipRequest) -> bool:
        """Call-ID and tags (section 12.2.2); anything else is 481."""
        return (
            call_id_of(request) == self.call_id
            and tag_of(request, "from") == self.remote_tag
            and tag_of(request, "to") == self.local_tag
        )

    def advance(self, request: SipRequest) -> bool:
        """Note the far end's CSeq; False for one out of order (answered with 500)."""
        number, _ = cseq_of(request)
        if number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def retarget(self, message: SipRequest | SipResponse) -> None:
        """A target refresh moves the far end's contact (section 12.2)."""
        if message.headers.get("contact"):
            self.target = _contact(message)

    def request(self, method: str, via: str, contact: str, *, number: int | None = None) -> SipRequest:
        """A request inside the dialog (section 12.2.1.1); ``number`` reuses a CSeq, for ACK."""
        routes, uri = self.routes, self.target
        if routes and "lr" not in uri_of(inner_of(routes[0])).params:
            uri, routes = inner_of(routes[0]), [*routes[1:], f"<{self.target}>"]  # a strict router of RFC 2543
        if number is None:
            self.local_cseq += 1
            number = self.local_cseq
        request = SipRequest(method=method, uri=uri)
        request.headers.append("Via", via)
        for route in routes:
            request.headers.append("Route", route)
        request.headers.set_single("From", self.local)
        request.headers.set_single("To", self.remote)
        request.headers.set_single("Call-ID", self.call_id)
        request.headers.set_single("CSeq", f"{number} {method}")
        request.headers.set_single("Max-Forwards", "70")
        if method not in ("ACK", "BYE", "PRACK"):
            request.headers.set_single("Contact", contact)
            request.headers.set_single("Allow", ALLOW)
            request.headers.set_single("Supported", SUPPORTED)
        return request

    def response(self, request: SipRequest, status: int, reason: str = "", *, contact: str = "") -> SipResponse:
        """An answer inside the dialog; with ``contact`` one that forms or refreshes it."""
        response = response_to(request, status, reason, tag=self.local_tag)
        if contact:
            response.headers.set_single("Contact", contact)
            response.headers.set_single("Allow", ALLOW)
            response.headers.set_single("Supported", SUPPORTED)
            if request.method == "INVITE":
                for value in request.headers.get("record-route"):
                    response.headers.append("Record-Route", value)
        return response


def _contact(message: SipRequest | SipResponse) -> str:
    values = message.headers.get("contact")
    if not values:
        raise ValueError("no Contact")
    uri = address_of(values[0]).uri
    if uri.scheme != "sip" or not uri.host or values[0].strip() == "*":
        raise ValueError("Contact is not a sip: URI")
    uri.headers = {}
    return stringify_uri(uri)
