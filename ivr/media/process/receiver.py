"""The receiver of an RTP session: datagrams in; decoded frames, DTMF and gated speech out. No socket, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ivr.events import DigitSource
from ivr.media import description
from ivr.media.description import MediaDescription
from ivr.media.process.codec import FRAME, FRAME_S, SILENCE, Coder, Samples, coder, power
from ivr.media.process.dtmf_event import EventReceiver, KeyChange
from ivr.media.process.dtmf_tone import ToneDetector
from ivr.media.process.echo import EchoGuard
from ivr.media.process.jitter import HISTORY, LONGEST, JitterBuffer, PayloadClock, conceal, resumed
from ivr.media.process.latch import Address, Latch, SourceLatch
from ivr.media.process.rtcp import Reception
from ivr.media.process.rtp import HEADER, VERSION, Packet, parse
from ivr.media.process.run import Run
from ivr.media.process.voice_gate import VoiceGate

OnKey: TypeAlias = Callable[[KeyChange, DigitSource], None]  # what changed; "rtp" or "tone"
# A packet of the stream, its timestamp in payload bytes (None: nothing that could be sent on), the time.
Onward: TypeAlias = Callable[[Packet, int | None, float], None]

Speech: TypeAlias = Sequence[tuple[float, bytes]]  # time of the first sample, 20 ms of PCM
PRE_ROLL = 15  # frames, 300 ms: the first consonant is already over when the energy rises
_ECHOES = (1 << PRE_ROLL) - 1

_COMFORT_NOISE = (13, 19)  # RFC 3389, and the number it had before (RFC 3551 reserves it)
_DYNAMIC = 96  # the first payload type that stands for anything
_EVENT_SIZE = 4
_SAME_PRESS_S = 0.25  # between the end of a tone and the event of the same press, which cut it short

_ONSET = 5  # frames before the gate opens that may be a soft beginning, though they are no louder than an echo
_TALKING = 8  # frames that may be as soft between two loud ones of somebody who talks over a prompt


class Receiver:
    """What the far end sends. After ``tick``, ``payload`` and ``signal`` hold this tick's 20 ms, None for nothing."""

    __slots__ = (
        "_accepted",
        "_at",
        "_clock",
        "_echo",
        "_echoed",
        "_events",
        "_events_type",
        "_from",
        "_gate",
        "_history",
        "_lost",
        "_on_key",
        "_payload_type",
        "_pre_roll",
        "_preferences",
        "_reception",
        "_run",
        "_tone",
        "_tones",
        "_voiced",
        "coder",
        "concealed_ms",
        "heard_at",
        "jitter",
        "latch",
        "listening",
        "onward",
        "payload",
        "power",
        "signal",
    )

    def __init__(
        self, preferences: Sequence[str], on_key: OnKey, latch: Latch | None = None, echo: EchoGuard | None = None
    ) -> None:
        self.latch = latch or SourceLatch()
        self._reception = Reception()
        self._run = Run()
        self.jitter = JitterBuffer()
        self.coder: Coder | None = None
        self.payload: bytes | None = None
        self.signal: Samples | None = None
        self.power = 0.0
        self._at = 0.0
        self.concealed_ms = 0
        self.heard_at = 0.0
        self.listening = False
        self.onward: Onward | None = None  # told of every packet as it comes
        self._preferences = preferences
        self._on_key = on_key
        self._accepted: dict[int, str] = {}
        self._payload_type = -1
        self._from: Address | None = None
        self._events_type = -1
        self._events = EventReceiver()
        self._tones: ToneDetector | None = ToneDetector()  # until a real event came
        self._tone = ("", 0.0)  # the last key by tone, and until when
        self._clock = PayloadClock()
        self._gate = VoiceGate()
        self._echo = echo or EchoGuard()
        self._voiced = 0  # ticks since the last one that wasn't echo
        self._pre_roll: deque[Samples] = deque(maxlen=PRE_ROLL)
        self._echoed = 0  # which of them may be echo: bits, the newest lowest
        self._history: deque[Samples] = deque([SILENCE] * (HISTORY // FRAME), maxlen=HISTORY // FRAME)
        self._lost = 0

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks in this tick."""
        return self.signal is None or self._gate.quiet

    def aim(self, remote: MediaDescription, now: float) -> None:
        """Take what ``remote`` describes from now on."""
        self._end_run()
        accepted = description.receivable(remote, self._preferences)
        if accepted != self._accepted:
            self._accepted, self._payload_type = accepted, -1
        self._events_type = -1 if remote.dtmf_payload_type is None else remote.dtmf_payload_type
        moved = self.latch.aim(description.address(remote.host, remote.port), description.literal(remote.sip_host))
        if moved and self._tones is None:
            self._tones = ToneDetector()  # perhaps another telephone, with other habits
        self.heard_at = now

    def datagram(self, data: bytes, address: Address, now: float) -> None:
        """One UDP packet of the RTP port; what is no part of the stream is forgotten."""
        run, latch = self._run, self.latch
        if data and len(data) == run.size:
            first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
            if (
                sequence == run.number
                and timestamp == run.timestamp
                and second == self._payload_type
                and first == VERSION
                and ssrc == run.ssrc
                and address == latch.usual
            ):
                self.heard_at = latch.heard_at = now
                run.goes_on(sequence, timestamp, now)
                payload = data[HEADER.size :]
                self.jitter.push(timestamp, payload)
                if self.onward is not None:
                    self.onward(Packet(second, False, sequence, timestamp, ssrc, payload), timestamp, now)
                return
        if run.size:
            self._end_run()
        packet = parse(data)
        if packet is None or packet.payload_type not in self._accepted:
            self._beside(packet, address, now)
            return
        payload_type, _, sequence, timestamp, ssrc, payload = packet
        if not latch.admit(address, ssrc, sequence, now):
            return
        self.heard_at = now
        reception = self._reception
        if ssrc != reception.ssrc or address != self._from:
            self._begin(ssrc, sequence, address)
        if payload_type != self._payload_type:
            self._payload_type = payload_type
            self.coder = coder(self._accepted[payload_type])
            self._clock = PayloadClock()
            self.jitter.reset()
        placed = self._clock.place(sequence, timestamp, len(payload)) if payload else timestamp
        if self._clock.turned:
            self.jitter.reset()
        reception.packet(sequence, placed, now)
        self.jitter.push(placed, payload)
        newest = payload and sequence == reception.highest & 0xFFFF
        if newest and address == self._from == latch.usual and self._clock.even(sequence):
            run.begin(reception, sequence, timestamp, len(data))
        if self.onward is not None:
            self.onward(packet, placed if payload else None, now)

    @property
    def reception(self) -> Reception:
        """What came so far."""
        self._run.settle(self._reception, self._clock)
        return self._reception

    def _end_run(self) -> None:
        self._run.settle(self._reception, self._clock)
        self._run.size = 0

    def _beside(self, packet: Packet | None, address: Address, now: float) -> None:
        """What is no audio: events, comfort noise, keep-alives (RFC 6263). Of the far end, all are signs of life."""
        latch = self.latch
        if address == latch.source:
            self.heard_at = now
        if packet is None:
            return
        kind, _, sequence, timestamp, ssrc, payload = packet
        # Many send events under a payload type that nobody agreed on.
        event = kind == self._events_type or (kind >= _DYNAMIC and len(payload) == _EVENT_SIZE)
        if not event and kind not in _COMFORT_NOISE:
            return
        reception = self._reception
        if address == latch.latched and ssrc != latch.ssrc:
            if not event:
                return
            # Some gateways make the events a stream of their own: the audio's stays what it is.
        elif latch.admit(address, ssrc, sequence, now):
            self.heard_at = now
            if ssrc != reception.ssrc or address != self._from:
                self._begin(ssrc, sequence, address)
            reception.received += 1
            reception.advance(sequence)
            if self.onward is not None:
                self.onward(packet, None, now)
        else:
            return
        if event:
            for change in self._events.packet(timestamp, payload, sequence, now):
                self._event(change, now)

    def _begin(self, ssrc: int, sequence: int, address: Address) -> None:
        """Another stream, or another telephone's, whatever its numbers are."""
        if address != self._from:
            if (change := self._events.give_up()) is not None:
                self._on_key(change, "rtp")  # a key that nobody will say is up
            self._events = EventReceiver()
        self._from = address
        self._reception.begin(ssrc, sequence)
        self._clock = PayloadClock()
        self.jitter.reset()

    def _event(self, change: KeyChange, now: float) -> None:
        """A real event: from now on tones are somebody's music, but for the press that this event belongs to."""
        detector, (key, until) = self._tones, self._tone
        self._tones = None
        self._tone = ("", 0.0)
        same = change.began and key == change.key and (detector is not None and detector.down == key)
        if detector is not None and detector.down and not same:
            self._on_key(KeyChange(detector.down, False, True), "tone")
        if same or (change.began and key == change.key and now - until < _SAME_PRESS_S):
            change = KeyChange(change.key, False, change.ended)
        self._on_key(change, "rtp")

    def tick(self) -> bool:
        """Every 20 ms: the next frame, concealed if it is missing. True: ``decoded`` is still to be called with it."""
        if self._events.held and (change := self._events.tick()) is not None:
            self._on_key(change, "rtp")
        payload = self.payload = self.jitter.pull(quiet=self._gate.quiet)
        coder = self.coder
        if payload is None or coder is None:
            self._miss()
        elif self._lost or not coder.stateless:
            self._decode(coder, payload)
        else:
            return True
        return False

    def decoded(self, signal: Samples, power: float, *, two_tones: bool = True) -> None:
        """This tick's frame, decoded: 160 samples and their ``power``; ``two_tones``: they may be a key's."""
        self.signal = signal
        self.power = power
        self._history.append(signal)
        detector = self._tones
        if detector is not None:
            if two_tones or detector.pressed:
                self._find_tones(detector, signal, power if two_tones else 0.0)
            else:
                detector.past = signal

    def _decode(self, coder: Coder, payload: bytes) -> None:
        signal = coder.decode(payload)
        if self._lost:
            signal = resumed(signal, self._concealed())
            if self._lost < LONGEST:
                self.payload = None  # the blended frame is the one to pass on
            self._lost = 0
        self.decoded(signal, power(signal))

    def _miss(self) -> None:
        if not self.jitter.playing or self._lost >= LONGEST:
            self.signal = None
            return
        self.signal = self._concealed()
        self.power = power(self.signal)
        self._lost += 1
        self.concealed_ms += 20
        if self._tones is not None:
            self._find_tones(self._tones, self.signal, self.power)

    def _concealed(self) -> Samples:
        return conceal(np.concatenate(self._history), self._lost)

    def _find_tones(self, detector: ToneDetector, signal: Samples, power: float) -> None:
        before = detector.down
        key = detector.frame(signal, power)
        if before and (key or not detector.down):
            self._tone = (before, self.heard_at)
            self._on_key(KeyChange(before, False, True), "tone")
        if key:
            self._tone = (key, self.heard_at)
            self._on_key(KeyChange(key, True, False), "tone")

    def speech(self, now: float) -> Speech:
        """What the voice gate lets through of this tick, pre-roll first; empty unless listening."""
        signal, gate, listening = self.signal, self._gate, self.listening
        heard = gate.floor if signal is None else self.power
        at, echo = 0.0, False
        if listening:
            at = self._time(now)
            echo = self._echo.audible > 0 and self._echo.heard(heard, gate.floor)
        self._at = at
        is_open = gate.frame(heard, echo=echo)
        self._voiced = self._voiced + 1 if gate.quiet else 0
        if signal is None:
            if not is_open:
                return ()
            signal = SILENCE
        elif self._tones is not None and self._tones.pressed:
            signal = SILENCE  # a key is no speech
        if not (is_open and listening):
            self._pre_roll.append(signal)
            self._echoed = (self._echoed << 1 | echo) & _ECHOES
            return ()
        return self._passed(signal, at, echo=echo)

    def _passed(self, signal: Samples, at: float, *, echo: bool) -> Speech:
        """These 20 ms, of an open gate, and before them what led up to its opening."""
        frames: list[tuple[float, bytes]] = []
        if self._pre_roll:
            count = len(self._pre_roll)
            for before, frame in zip(range(count, 0, -1), self._pre_roll, strict=True):
                echoed = self._echoed >> (before - 1) & 1
                kept = SILENCE if echoed and before > _ONSET else frame
                frames.append((at - before * FRAME_S, kept.tobytes()))
            self._pre_roll.clear()
        frames.append((at, (SILENCE if echo and self._voiced > _TALKING else signal).tobytes()))
        return frames

    def _time(self, now: float) -> float:
        """When this tick's first sample was taken, as far as the buffer's depth tells; smooth, never backwards."""
        measured = now - FRAME_S * (1 + self.jitter.delay_frames())
        smooth = self._at + FRAME_S
        error = measured - smooth
        return smooth + 0.05 * error if -0.2 < error < 0.2 else max(measured, self._at)
