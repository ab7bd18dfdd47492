"""The sender of an RTP session: a packet a tick of a prompt, voices, a key, silence; or a relay."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import getrandbits
from typing import Protocol

from ivr.media.description import MediaDescription, held, preferred
from ivr.media.process.codec import FRAME, SILENCE, Coder, Samples, coder, faded, mixed
from ivr.media.process.dtmf_event import EventSender
from ivr.media.process.dtmf_tone import tones
from ivr.media.process.gaps import Gaps
from ivr.media.process.latch import Address
from ivr.media.process.mixing import Voice
from ivr.media.process.play_queue import Done, PlayQueue
from ivr.media.process.relay import Relay, Source
from ivr.media.process.rtp import HEADER, MARKER, VERSION, Packet

_TONE_S = 0.1


class Port(Protocol):
    """Where packets leave: RTP's transport."""

    @property
    def send(self) -> Callable[[bytes, Address], object]:
        """An RTP packet on its way; raises OSError."""


class Sender:
    """What we send. Sequence numbers and timestamps go on for ever, whatever the source of the audio."""

    __slots__ = (
        "_events",
        "_events_type",
        "_keys",
        "_marker",
        "_payload_type",
        "_port",
        "_sequence",
        "_tones",
        "coder",
        "gaps",
        "held",
        "octets",
        "packets",
        "power",
        "queue",
        "relay",
        "ssrc",
        "timestamp",
    )

    def __init__(self, port: Port, done: Done, processes: int = 0) -> None:
        """``processes``: how many sent to the far end before this one: by the same key, no SSRC may serve two."""
        self.queue = PlayQueue(done)
        self.gaps = Gaps()
        self.ssrc = getrandbits(24) << 8 | processes & 0xFF
        self.timestamp = getrandbits(32)
        self.packets = 0
        self.octets = 0
        self.held = False
        self.power = 0.0  # of the prompt in this tick
        self.coder: Coder | None = None
        self.relay = Relay()
        self._port = port
        self._sequence = getrandbits(15)  # a loss at the beginning must hide no turn from SRTP (RFC 4568 section 6.4)
        self._payload_type = 0
        self._events_type: int | None = None
        self._events = EventSender()
        self._tones: deque[Samples] = deque()
        self._keys = False  # to be sent, as either
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
        self._keys = True
        if self._events_type is not None:
            self._events.press(key)
        else:
            self._tone(key)

    def hold_key(self, key: str, *, audible: bool) -> None:
        """A key goes down on the other leg; ``audible``: its tones come along in the audio anyway."""
        self._keys = True
        if self._events_type is not None:
            self._events.hold(key)
        elif not audible:
            self._tone(key)

    def release_key(self) -> None:
        """The key goes up again."""
        self._events.release()

    def send_on(self, target: Address | None, source: Source, packet: Packet, placed: int | None, now: float) -> bool:
        """Send ``packet`` of another leg's ``source`` to ``target`` now. False: that is for the ticks to do.

        ``placed``: see ``Relay``. The header is ours, but for losses and the marker. What we have to say ourselves ends
        it at the next tick."""
        relay, coder, ours = self.relay, source.coder, self.coder
        if placed is None:
            relay.skip(packet)
            return relay.active
        if ours is None or coder is None or coder.name != ours.name or self.held or target is None:
            relay.leave(now)
            return False
        if not relay.active and (
            self._busy or not relay.enter(packet, placed, self.timestamp, now, quiet=source.quiet)
        ):
            return False
        numbers = relay.place(packet, placed, self._sequence, self.timestamp)
        if numbers is None:
            return False
        sequence, timestamp, begins = numbers
        if relay.newest:
            self._sequence = sequence
            self.timestamp = (timestamp + len(packet.payload) - FRAME) & 0xFFFFFFFF
        kind = self._payload_type
        if begins or self._marker:
            kind |= MARKER
            self._marker = 0
        self._packet(kind, sequence, timestamp, packet.payload, target)
        return True

    @property
    def _busy(self) -> bool:
        """Whether there is something of our own to send."""
        return bool(self.queue or self._keys)

    def tick(self, target: Address | None, voice: Voice | None, now: float) -> None:
        """Send this tick's packet to ``target``; ``voice`` is what is heard of other legs."""
        self.power = 0.0
        relay = self.relay
        if relay.fresh:  # these 20 ms have been sent on
            relay.fresh = False
            self.gaps.pause()  # they are the far end's
            self._follow(voice)
            if self._busy:
                relay.leave(now)
            return
        self.timestamp = timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF
        if relay.active:
            if self._busy or self.held or target is None:
                relay.leave(now)
            elif relay.waits(now):
                return
        if self.held or target is None or self.coder is None:
            self._marker = MARKER
            self.gaps.pause()
            return
        event = self._events.next(timestamp) if self._keys and self._events.busy else None
        if event is not None and self._events_type is not None:
            payload, timestamp = event.payload, event.timestamp
            kind = self._events_type | (MARKER if event.marker else 0)
        else:
            payload = self._audio(self.coder, voice)
            kind, self._marker = self._payload_type | self._marker, 0
        if self._keys:
            self._keys = self._events.busy or bool(self._tones)
        sequence = self._sequence = (self._sequence + 1) & 0xFFFF
        if self._packet(kind, sequence, timestamp, payload, target):
            self.gaps.sent(now)

    def _packet(self, kind: int, sequence: int, timestamp: int, payload: bytes, target: Address) -> bool:
        try:
            self._port.send(HEADER.pack(VERSION, kind, sequence, timestamp, self.ssrc) + payload, target)
        except OSError:  # no route, or the socket's buffer is full: as lost as on the network
            return False
        self.packets += 1
        self.octets += len(payload)
        return True

    def _audio(self, coder: Coder, voice: Voice | None) -> bytes:
        if self._keys and self._tones:
            return coder.encode(self._tones.popleft())
        queue = self.queue
        heard = None if voice is None else voice.signal
        if queue.next():
            self.power = queue.power
            return queue.payload(coder) if heard is None else coder.encode(mixed(queue.signal(), heard))
        if voice is not None and heard is not None:
            if voice.payload is not None and voice.coder is not None and voice.coder.name == coder.name:
                self._follow(voice)
                return voice.payload
            return coder.encode(heard)
        return coder.silence or coder.encode(SILENCE)

    def _follow(self, voice: Voice | None) -> None:
        """An adaptive encoder goes along with what it has no part in, so that its own turn begins without a click."""
        if self.coder is not None and not self.coder.stateless and voice is not None and voice.signal is not None:
            self.coder.encode(voice.signal)

    def _tone(self, key: str) -> None:
        whole = faded(tones(key, _TONE_S))
        self._tones.extend(whole[i : i + FRAME] for i in range(0, len(whole), FRAME))
        self._tones.extend([SILENCE] * 3)
