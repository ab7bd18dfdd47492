"""pyVoIP's RTP client with G.711 payloads in and out, keys, and exact pacing.

pyVoIP itself builds, numbers and sends every packet and parses what arrives. Changed are its edges: audio is taken
as ready G.711 (its own path is 8-bit linear, 12 to 30 dB worse on quiet speech), the buffers don't grow with the
call, and its sleep is tuned so that packets keep to deadlines instead of drifting by one per cent.
Runs in the softphone's own process only.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import pyVoIP.VoIP  # noqa: F401 - first: pyVoIP's modules import each other in a circle
from pyVoIP.RTP import PayloadType, RTPClient, RTPPacketManager, TransmitType

from ivr.softphone.dtmf_sender import DtmfSender
from ivr.softphone.sdes import SdesKeys
from ivr.softphone.traced_socket import TracedSocket

_PACKET_S = 0.02
_HOPELESS_S = 0.2  # behind by more: forget the old deadlines instead of bursting


class Reporter(Protocol):
    """It sends one event to the other process. ``kind`` becomes its "e"; its "t" is now, unless given."""

    def __call__(self, kind: str, **attributes: object) -> None: ...


class Microphone(RTPPacketManager):
    """The buffer that pyVoIP's transmitter reads: queued G.711, else silence. Speech waits while a key is sent."""

    def __init__(self, silence: bytes, keys: DtmfSender) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.read_at = time.monotonic()
        self._silence = silence
        self._keys = keys
        self._queue: deque[tuple[int, bytearray]] = deque()
        self._finished: list[int] = []
        self._queue_lock = threading.Lock()

    def say(self, token: int, payload: bytes) -> None:
        with self._queue_lock:
            self._queue.append((token, bytearray(payload)))

    def hush(self) -> None:
        """Drop what is queued; its tokens count as finished."""
        with self._queue_lock:
            self._finished += [token for token, _ in self._queue]
            self._queue.clear()

    def finished(self) -> list[int]:
        with self._queue_lock:
            done, self._finished = self._finished, []
        return done

    def read(self, length: int = 160) -> bytes:
        self.read_at = time.monotonic()
        chunk = b""
        if not self._keys.busy:
            with self._queue_lock:
                if self._queue:
                    token, pending = self._queue[0]
                    chunk = bytes(pending[:length])
                    del pending[:length]
                    if not pending:
                        self._queue.popleft()
                        self._finished.append(token)
        return chunk + self._silence * (length - len(chunk))


class Earpiece(RTPPacketManager):
    """The buffer that pyVoIP's receiver writes: it keeps nothing, the socket has reported the packet already."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def write(self, offset: int, data: bytes) -> None:
        """Drop what pyVoIP would keep: every sample of the call."""


class PacedAudio(RTPClient):
    """One call's RTP session on a socket that is already bound."""

    def __init__(
        self,
        sock: socket.socket,
        codecs: dict[int, PayloadType],
        host: str,
        port: int,
        remote: tuple[str, int],
        mode: TransmitType,
        report: Reporter,
        on_key: Callable[[str], None],
        keys: SdesKeys | None = None,
    ) -> None:
        super().__init__(codecs, host, port, remote[0], remote[1], mode, dtmf=on_key)
        event = next((number for number, codec in codecs.items() if codec == PayloadType.EVENT), None)
        self.codec = str(self.preference)
        self.keys = DtmfSender(event)
        self.microphone = Microphone(b"\xd5" if self.preference == PayloadType.PCMA else b"\xff", self.keys)
        self.pmout = self.microphone
        self.pmin = Earpiece()
        self._report = report
        self._sock = sock
        self._keys = keys
        self._started = False
        self._deadline = 0.0

    def start(self) -> None:
        """Start once, unlike pyVoIP, which binds again on every re-INVITE."""
        if self._started:
            return
        self._started = True
        traced = TracedSocket(self._sock, self._received, self._sent, self.keys.replace, self._keys)
        self.sin = self.sout = cast(socket.socket, traced)
        self._deadline = time.monotonic()
        for name, loop in (("RTP receiver", self.recv), ("RTP transmitter", self.trans)):
            threading.Thread(target=loop, name=name, daemon=True).start()

    def stop(self) -> None:
        self.NSD = False
        self._sock.close()

    def encode_packet(self, payload: bytes) -> bytes:
        return payload

    @property
    def trans_delay_reduction(self) -> float:
        """The divisor that makes pyVoIP, which sleeps (20 ms - work) / this, sleep until the next deadline."""
        now = time.monotonic()
        self._deadline += _PACKET_S
        if now - self._deadline > _HOPELESS_S:
            self._deadline = now
        wait = self._deadline - now
        natural = _PACKET_S - (now - self.microphone.read_at)
        return natural / wait if wait > 0 and natural > 0 else math.inf

    def _received(self, packet: bytes, at: float) -> None:
        self._report("heard", t=at, packet=packet)

    def _sent(self, packet: bytes, at: float) -> None:
        self._report("sent", t=at, packet=packet)
        for token in (*self.microphone.finished(), *self.keys.finished()):
            self._report("done", id=token, t=at)
