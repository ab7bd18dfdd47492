"""pyVoIP's SIP client without REGISTER: one socket, and the messages that pyVoIP writes wrongly or not at all.

pyVoIP writes the messages. Two of its mistakes that break calls to correct peers are corrected in their text: the ACK's
To tag (``own_ack=True`` leaves pyVoIP's) and the Via of its BYE. CANCEL, which it lacks, is built from its INVITE.
Runs in the softphone's own process only.
"""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

import pyVoIP.VoIP  # noqa: F401 - first: pyVoIP's modules import each other in a circle
from pyVoIP.SIP import Counter, SIPClient, SIPMessage
from pyVoIP.VoIP import VoIPPhone

from ivr.softphone.pyvoip_rtp import Reporter
from ivr.softphone.sdes import SdesKeys
from ivr.softphone.tls_socket import PhoneTls, TlsSocket
from ivr.softphone.traced_socket import TracedSocket

_COMPACT = {  # RFC 3261 section 7.3.3
    "c": "Content-Type", "f": "From", "i": "Call-ID", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "t": "To", "v": "Via",
}  # fmt: skip
_NAMES = {name.lower(): name for name in (*_COMPACT.values(), "CSeq", "Allow")} | _COMPACT


def tidied(raw: bytes) -> bytes:
    """Rewrite headers as pyVoIP insists on them: "Name: value", full names in the usual case, none empty.

    RFC 3261 section 7.3 allows much more, and pyVoIP drops the whole message over it."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")
    kept = [first]
    for line in lines:
        name, _, value = (part.strip() for part in line.decode("utf8", "replace").partition(":"))
        if value:
            kept.append(f"{_NAMES.get(name.lower(), name)}: {value}".encode())
    return b"\r\n".join(kept) + (blank or b"\r\n\r\n") + body.partition(b"\r\n\r\n")[0]


def header_fields(raw: bytes) -> dict[str, str]:
    """Return all headers, names lower-case, repeats joined; pyVoIP's own parser cuts values at ": "."""
    fields: dict[str, str] = {}
    for line in raw.split(b"\r\n\r\n")[0].decode("utf8", "replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    return fields


def _simplified(message: SIPMessage) -> SIPMessage:
    contact = re.search(r"<([^>]*)>", str(message.headers.get("Contact", "")))
    if contact:
        message.headers["Contact"] = f"<{contact[1]}>"  # pyVoIP chokes on display names and parameters
    if len(message.body.get("c", ())) > 1:
        message.body["c"] = message.body["c"][-1:]  # pyVoIP opens a session for each
    return message


class DirectClient(SIPClient):
    """pyVoIP's SIP client on an already bound socket, with ``tls`` one of TLS. ``on_message`` gets what arrives, in the
    receiving thread, and passes back to ``parse_message`` what pyVoIP can deal with."""

    def __init__(
        self,
        phone: VoIPPhone,
        host: str,
        port: int,
        own_ack: bool,
        report: Reporter,
        on_message: Callable[[SIPMessage], None],
        tls: PhoneTls | None = None,
        *,
        srtp: bool = False,
    ) -> None:
        self._report, self._on_message = report, on_message
        self.socket: TracedSocket | TlsSocket
        if tls is None:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((host, port))
            self.socket = TracedSocket(sock, self._traced("in"), self._traced("out"), wait_s=0.05)
        else:
            self.socket = TlsSocket(host, port, tls, self._traced("in"), self._traced("out"))
        bound = self.socket.getsockname()[1]
        super().__init__(host, 5060, "anonymous", "", phone, myIP=host, myPort=bound, callCallback=phone.callback)
        self.own_ack = own_ack
        self.keys = SdesKeys() if srtp else None
        # pyVoIP derives Call-IDs from a counter: start anywhere, or two runs on one port make the same ones.
        self.callID = Counter(random.getrandbits(48))

    def start(self) -> None:
        self.NSD = True
        self.s = self.out = cast(socket.socket, self.socket)
        threading.Thread(target=self.recv_loop, name="SIP receiver", daemon=True).start()

    def recv(self) -> None:
        """Take one datagram. pyVoIP swallows what it fails on; here it is reported, and the phone goes on."""
        raw = self.s.recv(8192)
        if not raw.strip(b"\0\r\n"):
            return  # keep-alives
        try:
            self._on_message(_simplified(SIPMessage(tidied(self.legible(raw)))))
        except Exception as error:  # anything at all: pyVoIP's parser indexes and casts without looking
            self._report("trouble", reason=f"pyVoIP failed on a message: {error!r}")

    def legible(self, raw: bytes, *, ours: bool = False) -> bytes:
        """``raw`` as far as pyVoIP understands it; ``ours``: nothing is learned from it."""
        if self.keys is None:
            return raw
        return raw.replace(b"RTP/SAVP", b"RTP/AVP") if ours else self.keys.read(raw)

    def gen_invite(self, *given: Any) -> str:
        text: str = super().gen_invite(*given)
        return text if self.keys is None else self.keys.offered(text)

    def gen_answer(self, *given: Any) -> str:
        text: str = super().gen_answer(*given)
        return text if self.keys is None else self.keys.answered(text)

    def _traced(self, direction: str) -> Callable[[bytes, float], None]:
        return lambda data, at: self._report("sip", t=at, direction=direction, text=data.decode("utf8", "replace"))

    def gen_ack(self, request: SIPMessage) -> str:
        text: str = super().gen_ack(request)
        tag = request.headers["To"]["tag"]
        return text if self.own_ack or not tag else re.sub(r"(\r\nTo: [^\r]*;tag=)[^\r]*", rf"\g<1>{tag}", text)

    def gen_bye(self, request: SIPMessage) -> str:
        text: str = re.sub(r"Via: [^\r]*\r\n", "", super().gen_bye(request))
        via = f"Via: SIP/2.0/UDP {self.myIP}:{self.myPort};rport;branch={self.gen_branch()}\r\n"
        return text.replace("\r\n", f"\r\n{via}", 1)

    def gen_refusal(self, request: SIPMessage, status: int, reason: str) -> str:
        """Write pyVoIP's 486 with another status, and the To tag of a 180 before it (RFC 3261 section 8.2.6.2)."""
        text: str = self.gen_busy(request).replace("486 Busy Here", f"{status} {reason}", 1)
        tag = self.tagLibrary.get(request.headers["Call-ID"])
        return re.sub(r"(\r\nTo: [^\r]*;tag=)[^\r]*", rf"\g<1>{tag}", text) if tag else text

    def gen_cancel(self, invite: SIPMessage) -> str:
        """Write CANCEL, which pyVoIP lacks, out of the INVITE's own lines (RFC 3261 section 9.1)."""
        head = invite.raw.split(b"\r\n\r\n")[0].decode("utf8").split("\r\n")
        kept = [line for line in head[1:] if line.startswith(("Via:", "From:", "To:", "Call-ID:", "Max-Forwards:"))]
        cseq = f"CSeq: {invite.headers['CSeq']['check']} CANCEL"
        return "\r\n".join([head[0].replace("INVITE", "CANCEL", 1), *kept, cseq, "Content-Length: 0", "", ""])

    def transmit(self, text: str) -> None:
        self.out.sendto(text.encode("utf8"), (self.server, self.port))
