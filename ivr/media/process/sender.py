"""The sender of an RTP session: one packet a tick, from a prompt, the other leg of a bridge, a key, or silence."""

from __future__ import annotations

import socket
from collections import deque
from random import getrandbits

from ivr.media.description import MediaDescription, held, preferred
from ivr.media.process import pcm
from ivr.media.process.codec import Coder, coder
from ivr.media.process.dtmf_event import EventSender
from ivr.media.process.dtmf_tone import tones
from ivr.media.process.latch import Address
from ivr.media.process.pacing import Gaps
from ivr.media.process.pcm import FRAME, Samples
from ivr.media.process.playout import Done, PlayQueue
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import HEADER, MARKER, VERSION

_TONE_S = 0.1


class Sender:
    """What we send. Sequence numbers and timestamps go on for ever, whatever the source of the audio."""

    def __init__(self, sock: socket.socket, done: Done) -> None:
        self.queue = PlayQueue(done)
        self.gaps = Gaps()
        self.ssrc = getrandbits(32)
        self.timestamp = getrandbits(32)
        self.packets = 0
        self.octets = 0
        self.held = False
        self.coder: Coder | None = None
        self._send = sock.sendto
        self._sequence = getrandbits(16)
        self._payload_type = 0
        self._events_type: int | None = None
        self._events = EventSender()
        self._tones: deque[Samples] = deque()
        self._marker = MARKER

    def aim(self, remote: MediaDescription, preferences: tuple[str, ...]) -> None:
        """Send what ``remote`` takes, or nothing while it holds us. Raises NoCommonCodec."""
        chosen = preferred(remote, preferences)
        if self.coder is None or self.coder.name != chosen.name:
            self.coder = coder(chosen.name)
        self._payload_type = chosen.payload_type
        self._events_type = remote.dtmf_payload_type
        self.held = held(remote)

    def press(self, key: str) -> None:
        """Send one short press, as an event where the far end takes those, else as tones."""
        if self._events_type is not None:
            self._events.press(key)
        else:
            self._tone(key)

    def hold_key(self, key: str, *, audible: bool) -> None:
        """A key goes down on the other leg; ``audible``: its tones come along in the audio anyway."""
        if self._events_type is not None:
            self._events.hold(key)
        elif not audible:
            self._tone(key)

    def release_key(self) -> None:
        """The key goes up again."""
        self._events.release()

    def tick(self, target: Address | None, voice: Receiver | None, now: float) -> None:
        """Send this tick's packet to ``target``; ``voice`` is the leg we are joined to."""
        self.timestamp = timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF
        if self.held or target is None or self.coder is None:
            self._marker = MARKER
            self.gaps.pause()
            return
        payload_type, marker = self._payload_type, self._marker
        event = self._events.next(timestamp) if self._events.busy else None
        if event is not None and self._events_type is not None:
            payload, timestamp = event.payload, event.timestamp
            payload_type = self._events_type
            marker = MARKER if event.marker else 0
        else:
            payload = self._audio(self.coder, voice)
            self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        try:
            self._send(
                HEADER.pack(VERSION, payload_type | marker, self._sequence, timestamp, self.ssrc) + payload, target
            )
        except OSError:  # no route, or the socket's buffer is full: as lost as on the network
            return
        self.packets += 1
        self.octets += len(payload)
        self.gaps.sent(now)

    def _audio(self, coder: Coder, voice: Receiver | None) -> bytes:
        if self._tones:
            return coder.encode(self._tones.popleft())
        queue = self.queue
        if queue.next():
            if voice is not None and voice.signal is not None:
                return coder.encode(pcm.mixed(queue.signal(), voice.signal))
            return queue.payload(coder)
        if voice is not None and voice.signal is not None:
            if voice.payload is not None and voice.coder is not None and voice.coder.name == coder.name:
                return voice.payload
            return coder.encode(voice.signal)
        return coder.silence or coder.encode(pcm.SILENCE)

    def _tone(self, key: str) -> None:
        whole = pcm.faded(tones(key, _TONE_S))
        self._tones.extend(whole[i : i + FRAME] for i in range(0, len(whole), FRAME))
        self._tones.extend([pcm.SILENCE] * 3)
