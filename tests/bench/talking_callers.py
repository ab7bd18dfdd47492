"""Callers who talk to a line, all in one process with one thread: SIP by UDP, RTP of G.711 every 20 ms.

Each says its next sentence every so often, once the line has been quiet for a moment, and notes when it heard a sound
and when it heard an answer: a murmur ("One moment.") is a sound.
"""

from __future__ import annotations

import random
import re
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

FRAME = 160
_SILENCE = b"\xff" * FRAME
_HEADER = struct.Struct("!BBHII")
_TICK_S = 0.005  # a fourth of the callers sends in each
_QUIET_S = 0.4
WELCOME_S = 4.0
_SETUP_S = 5.0
_AUDIBLE = bytes(  # by mu-law byte: above about -42 dB
    (((((~b & 15) << 3) + 0x84) << ((~b & 0x70) >> 4)) - 0x84) > 260 for b in range(256)
)


def sounds(frame: bytes) -> bool:
    """Whether there is something to hear in a frame of mu-law."""
    return frame.translate(_AUDIBLE).count(1) >= 6


@dataclass(frozen=True, slots=True)
class Sentence:
    """``frames`` of mu-law; ``last``: the number of the last one that can be heard."""

    frames: Sequence[bytes]
    last: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to call and how; ``murmur``: frames that are no answer; ``ramp_s``: in which all have called."""

    line: tuple[str, int]
    callers: int
    seconds: float
    every_s: float
    ramp_s: float
    numbers: Sequence[str]
    sentences: Sequence[Sentence]
    murmur: frozenset[bytes]
    port: int = 0  # of these callers' SIP; 0: any

    def to(self, line: str) -> Plan:
        """To HOST:PORT."""
        host, _, port = line.rpartition(":")
        return replace(self, line=(host, int(port)))

    def of(self, callers: int) -> Plan:
        return replace(self, callers=callers)


@dataclass(slots=True)
class Turn:
    """Seconds from a caller's last sound to the line's first, and to its answer; None where there was none."""

    sound_s: float | None = None
    answer_s: float | None = None


@dataclass(slots=True)
class Heard:
    """What came of it. ``late_s``: how late these callers themselves were at most."""

    turns: list[Turn] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)  # by status
    unanswered: int = 0  # INVITEs
    ended: int = 0  # by the line
    talked: int = 0  # calls
    late_s: float = 0.0
    first_s: list[float] = field(default_factory=list)  # from each INVITE to the first sound
    packets: int = 0  # of audio, heard or silent
    call_seconds: float = 0.0  # in which they should have come

    @property
    def packets_a_second(self) -> float:
        """In each call: 50 where nothing is missing."""
        return self.packets / self.call_seconds if self.call_seconds else 0.0


class State(Enum):
    WAITING = auto()
    INVITING = auto()
    UP = auto()
    OVER = auto()


class Caller:
    """One call."""

    def __init__(self, number: int, plan: Plan, port: int, rng: random.Random) -> None:
        self.state = State.WAITING
        self.call_id = f"{number:x}{rng.getrandbits(32):08x}"
        self.at = plan.ramp_s * number / plan.callers
        self.rtp = _udp()
        self.far = ("", 0)
        self.turn: Turn | None = None  # said, and not over yet
        self.ended_at = 0.0  # the last sound of what was said
        self.next_at = self.loud_at = 0.0
        self.packets = 0
        self.answered_at = 0.0
        self.first_s: float | None = None
        self._plan = plan
        self._port = port
        self._from = f"<sip:{plan.numbers[number % len(plan.numbers)]}@127.0.0.1:{port}>;tag={rng.getrandbits(32):08x}"
        self._to = self._target = f"sip:line@{plan.line[0]}:{plan.line[1]}"
        self._to = f"<{self._to}>"
        self._sentence = rng.randrange(len(plan.sentences))
        self._saying: Sentence | None = None
        self._position = 0
        self._sequence, self._timestamp, self._source = (rng.getrandbits(bits) for bits in (15, 31, 32))
        self._patience_s = rng.random() * plan.every_s

    def request(self, method: str, number: int = 1, body: str = "", branch: str = "") -> bytes:
        lines = [
            f"{method} {self._target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._port};branch=z9hG4bK{branch or method}{self.call_id};rport",
            f"From: {self._from}",
            f"To: {self._to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:caller@127.0.0.1:{self._port}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def invite(self) -> bytes:
        self.state = State.INVITING
        media = f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        body = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}"
        return self.request("INVITE", body=body)

    def answered(self, status: int, text: str, now: float) -> bytes:
        """Take the final answer to the INVITE; the ACK for it."""
        self._to = _field(text, "To")
        if status >= 300:
            self.state = State.OVER
            return self.request("ACK", branch="INVITE")
        contact = re.search(r"<([^>]+)>", _field(text, "Contact"))
        port = re.search(r"m=audio (\d+)", text)
        if self.state is State.INVITING and contact and port:
            self.state, self._target = State.UP, contact[1]
            self.far, self.answered_at = (self._plan.line[0], int(port[1])), now
            self.next_at = now + WELCOME_S + self._patience_s
        return self.request("ACK")

    def listen(self, now: float) -> None:
        """What has come, and whether it is an answer."""
        while True:
            try:
                frame = self.rtp.recv(400)[12:]
            except BlockingIOError:
                return
            self.packets += len(frame) == FRAME
            if not sounds(frame):
                continue
            self.loud_at = now
            if self.first_s is None:
                self.first_s = now - self.at  # of the INVITE
            turn = self.turn
            if turn is None or self._saying is not None:
                continue
            if turn.sound_s is None:
                turn.sound_s = now - self.ended_at
            if turn.answer_s is None and frame not in self._plan.murmur:
                turn.answer_s = now - self.ended_at

    def speak(self, now: float) -> Turn | None:
        """Send the next frame; the turn before, once the next sentence begins."""
        over = None
        frame = _SILENCE
        if self._saying is not None:
            frame = self._saying.frames[self._position]
            if self._position == self._saying.last:
                # Whom the line talks over has no turn: nothing says what they would have heard.
                self.turn, self.ended_at = (None if now - self.loud_at < 0.1 else Turn()), now + 0.02
            self._position += 1
            if self._position == len(self._saying.frames):
                self._saying = None
        elif now >= self.next_at and now - self.loud_at > _QUIET_S:
            over, self.turn = self.turn, None
            self._saying = self._plan.sentences[self._sentence % len(self._plan.sentences)]
            self._sentence, self._position = self._sentence + 1, 0
            self.next_at = max(self.next_at + self._plan.every_s, now + self._plan.every_s / 2)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        self.rtp.sendto(_HEADER.pack(128, 0, self._sequence, self._timestamp, self._source) + frame, self.far)
        return over


def talk(plan: Plan) -> Heard:
    """Call, talk, hang up. Blocks for ``plan.seconds``."""
    rng, heard, sip = random.Random(plan.callers), Heard(), _udp(plan.port)
    sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    port = sip.getsockname()[1]
    callers = [Caller(number, plan, port, rng) for number in range(plan.callers)]
    by_call = {caller.call_id: caller for caller in callers}
    groups = [callers[first::4] for first in range(4)]
    began, step = time.monotonic(), 0
    while (due := began + step * _TICK_S) < began + plan.seconds:
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
            now = time.monotonic()
        heard.late_s = max(heard.late_s, now - due)
        _signals(sip, by_call, plan.line, heard, now)
        for caller in callers:
            if caller.turn is not None:
                caller.listen(now)
        for caller in groups[step % 4]:
            if caller.state is State.UP:
                caller.listen(now)
                if (turn := caller.speak(now)) is not None:
                    heard.turns.append(turn)
            elif caller.state is State.WAITING and now - began >= caller.at:
                caller.at = now
                sip.sendto(caller.invite(), plan.line)
            elif caller.state is State.INVITING and now - caller.at > _SETUP_S:
                caller.state = State.OVER
                heard.unanswered += 1
        step += 1
    now = time.monotonic()
    for caller in callers:
        if caller.first_s is not None:
            heard.first_s.append(caller.first_s)
        if caller.state is State.UP:
            heard.packets += caller.packets
            heard.call_seconds += now - caller.answered_at
            sip.sendto(caller.request("BYE", 2), plan.line)
            if caller.turn is not None and caller.turn.answer_s is not None:
                heard.turns.append(caller.turn)
    return heard


def _signals(sip: socket.socket, by_call: dict[str, Caller], line: tuple[str, int], heard: Heard, now: float) -> None:
    while True:
        try:
            text = sip.recv(65536).decode(errors="replace")
        except BlockingIOError:
            return
        caller = by_call.get(_field(text, "Call-ID"))
        if caller is None:
            continue
        if text.startswith("SIP/2.0"):
            status = int(text[8:11])
            if status < 200 or not _field(text, "CSeq").endswith("INVITE"):
                continue
            if caller.state is State.INVITING:
                if status >= 300:
                    heard.refused[status] = heard.refused.get(status, 0) + 1
                else:
                    heard.talked += 1
            sip.sendto(caller.answered(status, text, now), line)
        elif not text.startswith("ACK"):
            vias = "".join(f"Via: {via}\r\n" for via in re.findall(r"(?im)^Via\s*:\s*(.*?)\r?$", text))
            kept = "".join(f"{name}: {_field(text, name)}\r\n" for name in ("From", "To", "Call-ID", "CSeq"))
            sip.sendto(f"SIP/2.0 200 OK\r\n{vias}{kept}Content-Length: 0\r\n\r\n".encode(), line)
            if text.startswith("BYE") and caller.state is State.UP:
                caller.state = State.OVER
                heard.ended += 1


def _field(text: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", text)
    return found[1] if found else ""


def _udp(port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", port))
    made.setblocking(False)
    return made
