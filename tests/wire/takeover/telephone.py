"""A strict telephone of one call, calling or called: it minds tags, CSeqs and routes, and notes when it hears
something, and what. Twenty of them are one process's small work."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

HOST = "127.0.0.1"
FRAME = 160
PAUSE_S = 0.3
_HEADER = re.compile(r"^(Via|From|To|Call-ID|CSeq|Record-Route|Contact): *(.*?)\r?$", re.M)


@dataclass(slots=True)
class Reinvited:
    """A re-INVITE that came: when, from which Contact, and its CSeq."""

    at: float
    contact: str
    cseq: int


@dataclass(slots=True)
class Heard:
    """What comes by RTP: how many packets, when the latest, and when it began, or began again after PAUSE_S without."""

    packets: int = 0
    latest: float = float("-inf")
    begun: list[float] = field(default_factory=list)
    said: dict[int, float] = field(default_factory=dict)  # by the byte that a packet is all made of, when last


class Telephone(asyncio.DatagramProtocol):
    """``front``: where everything goes that it sends on its own account, None: to the other end. ``level``: the byte of
    µ-law that it says."""

    def __init__(self, front: tuple[str, int] | None, number: str, level: int) -> None:
        self._front = front
        self.number = number
        self.status = 0
        self.reinvited: list[Reinvited] = []
        self.refused_cseq = 0
        self.rung = self.cancelled = 0  # INVITEs
        self.ended_by = ""  # "them" or "us"
        self.bye_status = 0
        self.heard = Heard()
        self.answered, self.over, self.byed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.answers_after_s: float | None = 0.0  # an INVITE; None: it rings
        self.held = False
        self._payload = bytes([level]) * FRAME
        self.says: Sequence[bytes] = ()  # instead, over and over: payloads of 20 ms
        self.recent: deque[bytes] = deque(maxlen=35)  # of what it heard last
        self.call_id, self._tag = f"{secrets.token_hex(8)}@tel", secrets.token_hex(4)
        self._theirs = self._routes = self.target = ""
        self._local = self._remote = ""
        self._cseq = self._heard_cseq = 0
        self._media: tuple[str, int] | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._version = 1
        self._invite = ""
        self._acked = asyncio.Event()
        self._ringing: tuple[dict[str, list[str]], tuple[str, int]] | None = None

    @classmethod
    async def ready(
        cls, front: tuple[str, int] | None = None, number: str = "5035550101", level: int = 0xFF
    ) -> Telephone:
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(lambda: cls(front, number, level), local_addr=(HOST, 0))
        await loop.create_datagram_endpoint(lambda: _Rtp(phone), local_addr=(HOST, 0))
        return phone

    @property
    def front(self) -> tuple[str, int]:
        if self._front is not None:
            return self._front
        host, _, port = self.target.rpartition("@")[2].partition(";")[0].partition(":")
        return host, int(port or 5060)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._udp = cast(asyncio.DatagramTransport, transport)
        self.port = int(transport.get_extra_info("sockname")[1])
        self.uri = f"sip:{self.number}@{HOST}:{self.port}"

    # -- calling -------------------------------------------------------------------------------------------------

    async def call(self, target: str, timeout_s: float = 20.0) -> int:
        """The final status; 408 where none came."""
        self._local = f"<sip:{self.number}@{HOST}>;tag={self._tag}"
        self._remote, self.target = f"<sip:{target}>", f"sip:{target}"
        self._invite = self._request("INVITE", 1, self._sdp())
        self._cseq = 1
        repeat = asyncio.create_task(self._repeat(self._invite, self.answered))
        try:
            await asyncio.wait_for(self.answered.wait(), timeout_s)
        except TimeoutError:
            self.status = self.status if self.status >= 200 else 408
        finally:
            repeat.cancel()
        return self.status

    async def _repeat(self, text: str, until: asyncio.Event) -> None:
        wait = 0.5
        while not until.is_set():
            self._send(text, self.front)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 4.0)

    async def hang_up(self, timeout_s: float = 8.0) -> int:
        """The status of the BYE; 408 where none came."""
        self.ended_by = self.ended_by or "us"
        self.byed.clear()
        repeat = asyncio.create_task(self._repeat(self._inside("BYE"), self.byed))
        try:
            await asyncio.wait_for(self.byed.wait(), timeout_s)
        except TimeoutError:
            self.bye_status = 408
        finally:
            repeat.cancel()
            self.close()
        return self.bye_status

    async def until_heard(self, since: float = 0.0, timeout_s: float = 20.0) -> None:
        """The line begins to speak, or begins again, after ``since`` by the loop's clock."""
        async with asyncio.timeout(timeout_s):
            while not any(at > since for at in self.heard.begun):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    def switched_on(self) -> None:
        """It is free, answers soon, and has rung never."""
        self.answers_after_s, self.rung, self.cancelled = 0.2, 0, 0
        self._theirs = ""

    def forget(self) -> None:
        """The telephone was switched off, and on again: it knows of no call."""
        self.close()
        self._theirs = "forgotten"

    async def hold(self, on: bool = True) -> None:
        """By a re-INVITE of its own; what comes of it is not waited for."""
        self.held, self._version = on, self._version + 1
        self._send(self._inside("INVITE", self._sdp()), self.front)

    def close(self) -> None:
        """No sound any more."""
        if self._speaking is not None:
            self._speaking.cancel()

    def press(self, key: str) -> None:
        """By INFO (application/dtmf-relay), which goes where the dialog goes."""
        self._send(self._inside("INFO", f"Signal={key}\r\nDuration=160\r\n", "application/dtmf-relay"), self.front)

    # -- messages ------------------------------------------------------------------------------------------------

    def _send(self, text: str, to: tuple[str, int]) -> None:
        self._udp.sendto(text.encode(), to)

    def _sdp(self) -> str:
        way = "a=sendonly\r\n" if self.held else ""
        return (
            f"v=0\r\no=- 1 {self._version} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port} RTP/AVP 0\r\na=ptime:20\r\n{way}"
        )

    def _request(self, method: str, cseq: int, body: str = "", kind: str = "application/sdp") -> str:
        via = f"SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport"
        return (
            f"{method} {self.target} SIP/2.0\r\nVia: {via}\r\n{self._routes}From: {self._local}\r\n"
            f"To: {self._remote}\r\nCall-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\nContact: <{self.uri}>\r\n"
            f"Max-Forwards: 70\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )

    def _inside(self, method: str, body: str = "", kind: str = "application/sdp") -> str:
        self._cseq += 1
        return self._request(method, self._cseq, body, kind)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        text = data.decode()
        headers: dict[str, list[str]] = {}
        for name, value in _HEADER.findall(text.partition("\r\n\r\n")[0]):
            headers.setdefault(name, []).append(value)
        source = (str(addr[0]), int(addr[1]))
        if text.startswith("SIP/2.0"):
            self._response(int(text.split(" ", 2)[1]), text, headers)
        else:
            self._asked(text.split(" ", 1)[0], text, headers, source)

    def _reply(self, status: str, headers: dict[str, list[str]], to: tuple[str, int], body: str = "") -> None:
        back = "".join(f"{n}: {v}\r\n" for n in ("Via", "Record-Route", "From") for v in headers.get(n, []))
        whom = headers["To"][0] if "tag=" in headers["To"][0] else f"{headers['To'][0]};tag={self._tag}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self._send(
            f"SIP/2.0 {status}\r\n{back}To: {whom}\r\nCall-ID: {headers['Call-ID'][0]}\r\n"
            f"CSeq: {headers['CSeq'][0]}\r\nContact: <{self.uri}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}",
            to,
        )

    def _asked(self, method: str, text: str, headers: dict[str, list[str]], source: tuple[str, int]) -> None:
        cseq = int(headers["CSeq"][0].split()[0])
        tagged = "tag=" in headers["To"][0]
        if method == "ACK":
            self._acked.set()
            return
        if method == "INVITE" and not tagged:
            self._called(text, headers, source, cseq)
            return
        inside = (
            headers["Call-ID"][0] == self.call_id
            and self._tag in headers["To"][0]
            and _tag(headers["From"][0]) == self._theirs
        )
        if method == "CANCEL":
            self._reply("200 OK", headers, source)
            if headers["Call-ID"][0] == self.call_id and not self.answered.is_set():
                self._theirs, self.cancelled = "", self.cancelled + 1
            return
        if not inside or self.over.is_set():
            self._reply("200 OK" if method == "BYE" and inside else "481 Call Does Not Exist", headers, source)
            return
        if cseq < self._heard_cseq or (cseq == self._heard_cseq and method != "INVITE"):
            self.refused_cseq += 1
            self._reply("500 CSeq is behind", headers, source)
            return
        again, self._heard_cseq = cseq == self._heard_cseq, cseq
        if method == "BYE":
            self._reply("200 OK", headers, source)
            self._end("them")
            return
        if method in ("INVITE", "UPDATE") and "m=audio" in text:
            if not again:
                contact = headers["Contact"][0]
                self.reinvited.append(Reinvited(asyncio.get_running_loop().time(), contact, cseq))
                self.target = _uri(contact)
            self._media = _media(text)
            self._reply("200 OK", headers, source, self._sdp())
            return
        self._reply("200 OK", headers, source)

    def _called(self, text: str, headers: dict[str, list[str]], source: tuple[str, int], cseq: int) -> None:
        if headers["Call-ID"][0] == self.call_id and self._theirs:
            return
        if self._theirs and not self.over.is_set():
            self._reply("486 Busy Here", headers, source)
            return
        self.call_id, self._theirs = headers["Call-ID"][0], _tag(headers["From"][0])
        self._heard_cseq = cseq
        self.over.clear()
        self.answered.clear()
        self.ended_by = ""
        self._routes = "".join(f"Route: {each}\r\n" for each in headers.get("Record-Route", []))
        self._local, self._remote = f"{headers['To'][0]};tag={self._tag}", headers["From"][0]
        self.target, self._media = _uri(headers["Contact"][0]), _media(text)
        self._reply("180 Ringing", headers, source)
        self.rung, self._ringing = self.rung + 1, (headers, source)
        if self.answers_after_s is not None:
            asyncio.get_running_loop().call_later(self.answers_after_s, self._answer, headers, source)

    def pick_up(self) -> None:
        """What rings, by hand."""
        assert self._ringing is not None
        self._answer(*self._ringing)

    def _answer(self, headers: dict[str, list[str]], source: tuple[str, int]) -> None:
        self._reply("200 OK", headers, source, self._sdp())
        self._up()

    def _up(self) -> None:
        self.answered.set()
        if self._speaking is None or self._speaking.done():
            self._speaking = asyncio.get_running_loop().create_task(self._speak())

    def _response(self, status: int, text: str, headers: dict[str, list[str]]) -> None:
        number, method = headers["CSeq"][0].split()
        if status < 200:
            return
        if method == "BYE":
            self.bye_status = status
            self.byed.set()
            self.over.set()
        elif method == "INVITE":
            if status < 300:
                if not self._theirs:
                    self._theirs = _tag(headers["To"][0])
                    self._remote = headers["To"][0]
                    self._routes = "".join(f"Route: {each}\r\n" for each in headers.get("Record-Route", [])[::-1])
                if _tag(headers["To"][0]) == self._theirs:
                    self.target = _uri(headers["Contact"][0])
                    self._media = _media(text)
            self._send(self._request("ACK", int(number)), self.front)
            if not self.answered.is_set():
                self.status = status
                if status < 300:
                    self._up()
                self.answered.set()

    def _end(self, by: str) -> None:
        self.ended_by = self.ended_by or by
        self.over.set()
        self.close()

    # -- sound ---------------------------------------------------------------------------------------------------

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        number, due = 0, loop.time()
        ssrc = secrets.token_bytes(4)
        while True:
            payload = self.says[number % len(self.says)] if self.says else self._payload
            if self._media is not None and not self.held:
                head = b"\x80\x00" + (number & 0xFFFF).to_bytes(2) + (number * FRAME & 0xFFFFFFFF).to_bytes(4) + ssrc
                self.rtp.sendto(head + payload, self._media)
            number, due = number + 1, due + 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    def took(self, data: bytes) -> None:
        now, heard = self.now(), self.heard
        if now - heard.latest > PAUSE_S:
            heard.begun.append(now)
        heard.packets, heard.latest = heard.packets + 1, now
        self.recent.append(data[12:])
        if data.count(data[12], 12) == len(data) - 12:
            heard.said[data[12]] = now

    @property
    def rtp_port(self) -> int:
        return int(self.rtp.get_extra_info("sockname")[1])

    rtp: asyncio.DatagramTransport


class _Rtp(asyncio.DatagramProtocol):
    def __init__(self, phone: Telephone) -> None:
        self._phone = phone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._phone.rtp = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if len(data) > 12:
            self._phone.took(data)


def _tag(value: str) -> str:
    return value.rpartition("tag=")[2].partition(";")[0]


def _uri(value: str) -> str:
    return value.partition("<")[2].partition(">")[0]


def _media(text: str) -> tuple[str, int] | None:
    port, host = re.search(r"^m=audio (\d+)", text, re.M), re.search(r"^c=IN IP4 (\S+?)\r?$", text, re.M)
    return (host[1], int(port[1])) if port and host and int(port[1]) else None
