"""pyVoIP's phone and call without a registrar: direct calls out and in, one at a time.

pyVoIP writes the requests and responses. What it cannot do is added here: ringing and refusals reported instead of
printed, CANCEL both ways, INVITE retransmission (RFC 3261 section 17.1.1.2), 486 while busy, re-INVITE without
binding ports twice.
Runs in the softphone's own process only.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import pyVoIP.VoIP  # noqa: F401 - first: pyVoIP's modules import each other in a circle
from pyVoIP.RTP import PayloadType, TransmitType
from pyVoIP.SIP import SIPMessage, SIPMessageType
from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone

from ivr.softphone.pyvoip_client import DirectClient, header_fields
from ivr.softphone.pyvoip_rtp import PacedAudio, Reporter
from ivr.softphone.tls_socket import PhoneTls

_T1_S = 0.5
_GIVE_UP_S = 32.0
_AUDIO_CODECS = {"PCMU": PayloadType.PCMU, "PCMA": PayloadType.PCMA}


class DirectCall(VoIPCall):
    """pyVoIP's call over our ``PacedAudio`` sessions."""

    given_up = False  # CANCEL sent, final response awaited
    responded = False

    @property
    def audio(self) -> PacedAudio | None:
        return cast(PacedAudio, self.RTPClients[0]) if self.RTPClients else None

    def create_rtp_clients(
        self, codecs: dict[int, PayloadType], ip: str, port: int, request: SIPMessage, baseport: int
    ) -> None:
        phone = cast(DirectPhone, self.phone)
        remote = (request.body["c"][0]["address"], baseport)
        mode = TransmitType.SENDRECV
        self.RTPClients.append(
            PacedAudio(
                phone.sockets[port], codecs, ip, port, remote, mode, phone.report, self.dtmf_callback, phone.sip.keys
            )
        )

    def renegotiate(self, request: SIPMessage) -> None:
        """Answer a re-INVITE, and hold as RFC 3264 section 8.4 says; pyVoIP answers sendrecv to everything."""
        offered = str(request.body.get("a", {}).get("transmit_type", TransmitType.SENDRECV))
        answers = {"sendonly": TransmitType.RECVONLY, "inactive": TransmitType.INACTIVE}
        self.sendmode = answers.get(offered, TransmitType.SENDRECV)
        super().renegotiate(request)

    def release(self) -> None:
        for client in self.RTPClients:
            client.stop()
        for port in list(self.assignedPorts):
            cast(DirectPhone, self.phone).sockets.pop(port).close()
        self.state = CallState.ENDED
        self.phone.calls.pop(self.call_id, None)


class DirectPhone(VoIPPhone):
    """pyVoIP's phone: one call at a time; ``incoming`` is "answer", "ring" or "busy"; ``srtp``: it calls with
    nothing but SRTP, and takes it."""

    def __init__(
        self,
        host: str,
        port: int,
        report: Reporter,
        own_ack: bool = False,
        tls: PhoneTls | None = None,
        *,
        srtp: bool = False,
    ) -> None:
        self.lock = threading.RLock()
        self.report = report
        self.sockets: dict[int, socket.socket] = {}
        super().__init__(host, 5060, "anonymous", "", myIP=host, sipPort=port)
        client = DirectClient(self, host, port, own_ack, report, self._received, tls, srtp=srtp)
        self.sip: DirectClient = client
        self.incoming = "busy"
        self.answer_after_s = 0.0
        self.refusal = (486, "Busy Here")
        self._abandoned: DirectCall | None = None  # given up unanswered: should a 200 come after all, it gets a BYE
        self._ended: dict[str, str] = {}  # Call-ID -> our final response, for INVITEs that come again
        self.sip.start()
        self.NSD = True

    def _received(self, message: SIPMessage) -> None:
        with self.lock:
            if message.type == SIPMessageType.RESPONSE:
                self.responded(message)
            elif message.method == "CANCEL":
                self.cancelled(message)
            else:
                self.sip.parse_message(message)

    def request_port(self, blocking: bool = True) -> int:
        """Bind a port, an even one where possible (RFC 3550 section 11)."""
        for attempt in range(20):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((self.myIP, 0))
            port = int(sock.getsockname()[1])
            if port % 2 == 0 or attempt == 19:
                break
            sock.close()
        self.sockets[port] = sock
        self.assignedPorts.append(port)
        return port

    def release_ports(self, call: VoIPCall | None = None) -> None:
        """Do nothing, because sessions close their sockets; pyVoIP calls this from ``__del__``."""

    @property
    def current(self) -> DirectCall | None:
        return next((cast(DirectCall, call) for call in self.calls.values()), None)

    def find(self, message: SIPMessage) -> DirectCall | None:
        """Return the call that ``message`` belongs to."""
        return cast("DirectCall | None", self.calls.get(message.headers["Call-ID"]))

    # --- calling ---------------------------------------------------------------------------------------------

    def dial(
        self, user: str, server: tuple[str, int], from_user: str, headers: Mapping[str, str], codecs: list[str]
    ) -> None:
        """Send an INVITE. Raises RuntimeError when a call is up, KeyError for an unknown codec."""
        with self.lock:
            if self.current:
                raise RuntimeError("a call is up already")
            self._aim(server)
            self.sip.username = from_user or "anonymous"
            offer = {int(_AUDIO_CODECS[name]): _AUDIO_CODECS[name] for name in codecs}
            media: Any = {self.request_port(): {**offer, 101: PayloadType.EVENT}}  # pyVoIP's hints contradict its use
            call_id, branch = self.sip.gen_call_id(), self.sip.gen_branch()
            session = self.sip.sessID.next()
            invite = self.sip.gen_invite(user, str(session), media, TransmitType.SENDRECV, branch, call_id)
            extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            invite = invite.replace("\r\nContent-Length", f"\r\n{extra}Content-Length", 1)
            request = SIPMessage(self.sip.legible(invite.encode("utf8"), ours=True))
            call = DirectCall(self, CallState.DIALING, request, session, self.myIP, media, TransmitType.SENDRECV)
            self.calls[call_id] = call
            self.sip.transmit(invite)
            self._repeat(call, invite, _T1_S, time.monotonic() + _GIVE_UP_S)

    def _repeat(self, call: DirectCall, invite: str, after_s: float, until: float) -> None:
        def again() -> None:
            with self.lock:
                if call.responded or call.state != CallState.DIALING:
                    return
                if time.monotonic() >= until:
                    self._finish(call, "network", 408, "no answer to the INVITE")
                    return
                self.sip.transmit(invite)
                self._repeat(call, invite, after_s * 2, until)

        _after(min(after_s, max(0.01, until - time.monotonic())), again)

    def hangup(self) -> None:
        """Send BYE, CANCEL or a refusal, whatever the state asks for; nothing without a call."""
        with self.lock:
            call = self.current
            if call is None:
                return
            if call.state == CallState.ANSWERED:
                call.hangup()
                self._finish(call, "local", 0, "hung up")
            elif call.state == CallState.RINGING:
                self.refuse()
            elif not call.responded:  # RFC 3261 section 9.1: no CANCEL before a provisional response
                self._abandoned = call
                self._finish(call, "local", 0, "given up before any answer")
            elif not call.given_up:
                call.given_up = True
                self.sip.transmit(self.sip.gen_cancel(call.request))

    def responded(self, message: SIPMessage) -> None:
        """Take a response that arrived."""
        if message.headers["CSeq"]["method"] != "INVITE":
            return
        status = int(message.status)
        call = self.find(message)
        if call is None:
            if status >= 200 and message.headers["Call-ID"] in self.sip.tagLibrary:
                self.sip.transmit(self.sip.gen_ack(message))
            if status < 300 and self._abandoned is not None and self._abandoned.call_id == message.headers["Call-ID"]:
                self._abandoned.request.headers["To"]["tag"] = message.headers["To"]["tag"]
                self._abandoned.request.headers["Contact"] = message.headers["Contact"]
                self.sip.bye(self._abandoned.request)
                self._abandoned = None
            return
        call.responded = True
        if status < 200:
            if status > 100:
                self.report("ringing", status=status)
            return
        if status >= 300:
            self.sip.transmit(self.sip.gen_ack(message))
            by = "local" if call.given_up and status == 487 else "remote"
            self._finish(call, by, status, str(message.status.phrase), header_fields(message.raw))
            return
        first = call.state == CallState.DIALING
        self._callback_RESP_OK(message)
        if first:
            if call.given_up:  # the 200 crossed our CANCEL
                call.hangup()
                self._finish(call, "local", 0, "hung up")
            else:
                self._report_answered(call, header_fields(message.raw))

    # --- being called ----------------------------------------------------------------------------------------

    def _callback_MSG_Invite(self, request: SIPMessage) -> None:
        call_id = request.headers["Call-ID"]
        self._aim(self.sip.socket.source)
        if call_id in self._ended:
            self.sip.transmit(self._ended[call_id])
        elif call_id in self.calls:
            super()._callback_MSG_Invite(request)
        elif self.current or self.incoming == "busy" or "c" not in request.body:
            status, reason = self.refusal if "c" in request.body else (488, "Not Acceptable Here")
            self._ended[call_id] = self.sip.gen_refusal(request, status, reason)
            self.sip.transmit(self._ended[call_id])
            self.report("refused", status=status, headers=header_fields(request.raw))
        else:
            self.sip.transmit(self.sip.gen_ringing(request))
            session = random.randint(1, 100000)
            call = DirectCall(self, CallState.RINGING, request, session, self.myIP, sendmode=TransmitType.SENDRECV)
            self.calls[call_id] = call
            uri = request.heading.split(b" ")[1].decode("utf8", "replace")
            self.report("incoming", uri=uri, headers=header_fields(request.raw))
            if self.incoming == "answer":
                _after(self.answer_after_s, lambda: self.answer(call))

    def answer(self, call: DirectCall | None = None) -> None:
        with self.lock:
            call = call or self.current
            if call is not None and call.state == CallState.RINGING and call.audio is not None:
                call.answer()
                self._report_answered(call, header_fields(call.request.raw))

    def refuse(self, status: int = 0, reason: str = "") -> None:
        with self.lock:
            call = self.current
            if call is not None and call.state == CallState.RINGING:
                code, words = (status, reason or "Declined") if status else self.refusal
                self._ended[call.call_id] = self.sip.gen_refusal(call.request, code, words)
                self.sip.transmit(self._ended[call.call_id])
                self._finish(call, "local", code, words)

    def cancelled(self, message: SIPMessage) -> None:
        """Answer CANCEL with 200, its INVITE with 487 (RFC 3261 section 9.2). pyVoIP only sends the 200."""
        self._aim(self.sip.socket.source)
        self.sip.transmit(self.sip.gen_ok(message))
        call = self.find(message)
        if call is not None and call.state == CallState.RINGING:
            refusal = self.sip.gen_refusal(call.request, 487, "Request Terminated")
            self._ended[call.call_id] = refusal
            self.sip.transmit(refusal)
            self._finish(call, "remote", 487, "cancelled by the caller", header_fields(message.raw))

    def _callback_MSG_Bye(self, request: SIPMessage) -> None:
        call = self.find(request)
        if call is not None:
            self._finish(call, "remote", 0, "the far end hung up", header_fields(request.raw))

    # --- shared ----------------------------------------------------------------------------------------------

    def _aim(self, server: tuple[str, int]) -> None:
        self.server, self.port = self.sip.server, self.sip.port = server

    def _report_answered(self, call: DirectCall, headers: Mapping[str, str]) -> None:
        audio = call.audio
        if audio is None:
            self.hangup()
            return
        kind = audio.keys.payload_type
        srtp = self.sip.keys.suite if self.sip.keys is not None else ""
        self.report(
            "answered", codec=audio.codec, event_type=kind, call_id=call.call_id, headers=dict(headers), srtp=srtp
        )

    def _finish(
        self, call: DirectCall, by: str, status: int, reason: str, headers: Mapping[str, Any] | None = None
    ) -> None:
        call.release()
        self.report("ended", by=by, status=status, reason=reason, headers=dict(headers or {}))


def _after(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
