"""SRTP of the softphone by security descriptions (RFC 4568): one call's keys, in the SDP that pyVoIP writes and reads.

pyVoIP knows no SRTP: what it writes gets a key, what it reads loses one, and its packets are sealed at the socket."""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode

from pylibsrtp import Error, Policy, Session

_SUITES = {
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
_OFFERED = "AES_CM_128_HMAC_SHA1_80"
_CRYPTO = re.compile(r"^a=crypto:(\d+) ([\w-]+) inline:([A-Za-z0-9+/=]+)\s*?$\r?\n?", re.MULTILINE)


class SdesKeys:
    """Of one call at a time. ``suite``: "" in the clear, which a call to us may be that offers no key."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.suite = ""
        self._proto = "RTP/SAVP"
        self._tag = 1
        self._own, self._theirs = b"", ""
        self._in: Session | None = None
        self._out: Session | None = None

    def offered(self, text: str) -> str:
        """Our INVITE, of nothing but SRTP."""
        self._forget()
        self._own = secrets.token_bytes(_SUITES[_OFFERED][1])
        return self._with_key(text)

    def answered(self, text: str) -> str:
        """Our 200 to what was ``read`` last, which stays in the clear where that was."""
        return self._with_key(text) if self.suite else text

    def read(self, raw: bytes) -> bytes:
        """A message of the far end, as pyVoIP can read it."""
        text = raw.decode("utf8", "replace")
        keys = [found for found in _CRYPTO.findall(text) if found[1] in _SUITES]
        if "m=audio" not in text:
            return raw
        if text.startswith("INVITE "):
            self._take_offer(keys, text)
        elif chosen := next((found for found in keys if found[:2] == (str(self._tag), _OFFERED)), None):
            self._agree(_OFFERED, chosen[2])
        return _CRYPTO.sub("", text).replace("RTP/SAVP", "RTP/AVP").encode()

    def seal(self, packet: bytes) -> bytes:
        """Ours, for the wire. Raises OSError."""
        if self._out is None:
            return packet
        try:
            return self._out.protect(packet)
        except Error as error:
            raise OSError(str(error)) from error

    def open(self, packet: bytes) -> bytes | None:
        """Theirs, from the wire; None: not authentic."""
        if self._in is None:
            return packet
        try:
            return self._in.unprotect(packet)
        except (Error, ValueError):
            return None

    def _take_offer(self, keys: list[tuple[str, str, str]], text: str) -> None:
        if not keys:
            self._forget()
            return
        tag, suite, key = keys[0]
        if suite != self.suite:
            self._own = secrets.token_bytes(_SUITES[suite][1])
            self._out = None
        self._tag = int(tag)
        self._proto = "RTP/SAVP" if " RTP/SAVP" in text else "RTP/AVP"
        self._agree(suite, key)

    def _agree(self, suite: str, key: str) -> None:
        profile, _ = _SUITES[suite]
        if key != self._theirs:
            self._theirs = key
            self._in = Session(Policy(b64decode(key), Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        self.suite = suite
        self._out = self._out or Session(Policy(self._own, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))

    def _with_key(self, text: str) -> str:
        head, _, body = text.partition("\r\n\r\n")
        body = body.replace("RTP/AVP", self._proto)
        body += f"a=crypto:{self._tag} {self.suite or _OFFERED} inline:{b64encode(self._own).decode()}\r\n"
        return re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", head) + "\r\n\r\n" + body
