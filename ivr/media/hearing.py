"""The receiving half of a leg: datagrams in; frames, keys and gated speech out. No socket, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ivr.media import negotiation, pcm
from ivr.media.codec import Coder, coder
from ivr.media.concealment import HISTORY, LONGEST, conceal, resumed
from ivr.media.description import MediaDescription
from ivr.media.gate import PRE_ROLL, VoiceGate
from ivr.media.jitter import JitterBuffer
from ivr.media.latch import Address, SourceLatch
from ivr.media.pcm import FRAME, FRAME_S, Samples
from ivr.media.rtcp import Reception
from ivr.media.rtp import parse
from ivr.media.telephone_event import EventReceiver, KeyChange
from ivr.media.tone import ToneDetector

OnKey: TypeAlias = Callable[[KeyChange, str], None]  # what changed; "rtp" or "tone"

Speech: TypeAlias = list[tuple[float, bytes]]  # time of the first sample, 20 ms of PCM


class Hearing:
    """What the far end sends. After ``tick``, ``payload`` and ``signal`` hold this tick's 20 ms, None for nothing."""

    def __init__(self, preferences: Sequence[str], on_key: OnKey) -> None:
        self.latch = SourceLatch()
        self.reception = Reception()
        self.jitter = JitterBuffer()
        self.coder: Coder | None = None
        self.payload: bytes | None = None
        self.signal: Samples | None = None
        self.concealed_ms = 0
        self.ignored = 0  # datagrams that were no part of the stream
        self.heard_at = 0.0
        self.listening = False
        self._preferences = preferences
        self._on_key = on_key
        self._accepted: dict[int, str] = {}
        self._payload_type = -1
        self._events_type = -1
        self._events = EventReceiver()
        self._tones: ToneDetector | None = None
        self._gate = VoiceGate()
        self._pre_roll: deque[Samples] = deque(maxlen=PRE_ROLL)
        self._history: Samples = np.zeros(HISTORY, dtype=np.int16)
        self._lost = 0

    def aim(self, remote: MediaDescription, now: float) -> None:
        """Take what ``remote`` describes from now on."""
        self._accepted = negotiation.receivable(remote, self._preferences)
        self._events_type = -1 if remote.dtmf_payload_type is None else remote.dtmf_payload_type
        if remote.dtmf_payload_type is not None:
            self._tones = None
        elif self._tones is None:
            self._tones = ToneDetector()
        self.latch.aim(negotiation.address(remote.host, remote.port))
        self.heard_at = now

    def datagram(self, data: bytes, address: Address, now: float) -> None:
        """One UDP packet of the RTP port; anything unexpected is counted and forgotten."""
        packet = parse(data)
        if packet is None or (packet.payload_type not in self._accepted and packet.payload_type != self._events_type):
            self.ignored += 1
            return
        payload_type, _, sequence, timestamp, ssrc, payload = packet
        latch = self.latch
        if not latch.admit(address, ssrc, sequence, now):
            self.ignored += 1
            return
        reception = self.reception
        if ssrc != reception.ssrc or not reception.received:
            reception.begin(ssrc, sequence)
            self.jitter.reset()
        self.heard_at = now
        if payload_type == self._events_type:
            reception.received += 1
            reception.advance(sequence)
            change = self._events.packet(timestamp, payload)
            if change is not None:
                self._on_key(change, "rtp")
            return
        reception.packet(sequence, timestamp, now)
        if payload_type != self._payload_type:
            self._payload_type = payload_type
            self.coder = coder(self._accepted[payload_type])
            self.jitter.reset()
        self.jitter.push(timestamp, payload)

    def tick(self) -> None:
        """Every 20 ms: the next frame, concealed if it is missing."""
        change = self._events.tick()
        if change is not None:
            self._on_key(change, "rtp")
        payload = self.payload = self.jitter.pull(quiet=self._gate.quiet)
        if payload is not None and self.coder is not None:
            signal = self.coder.decode(payload)
            if self._lost:
                signal = resumed(signal, conceal(self._history, self._lost))
                if self._lost < LONGEST:
                    self.payload = None  # the blended frame is the one to pass on
                self._lost = 0
            self.signal = signal
            history = self._history
            history[:-FRAME] = history[FRAME:]
            history[-FRAME:] = signal
        elif self.jitter.playing and self._lost < LONGEST:
            self.signal = conceal(self._history, self._lost)
            self._lost += 1
            self.concealed_ms += 20
        else:
            self.signal = None
        if self._tones is not None and self.signal is not None:
            key = self._tones.frame(self.signal)
            if key:
                self._on_key(KeyChange(key, True, True), "tone")

    def speech(self, now: float) -> Speech:
        """What the voice gate lets through of this tick, pre-roll first; empty unless listening."""
        signal = self.signal
        gate = self._gate
        is_open = gate.frame(gate.floor if signal is None else pcm.power(signal))
        if signal is None:
            if not is_open:
                return []
            signal = pcm.SILENCE
        elif self._tones is not None and self._tones.pressed:
            signal = pcm.SILENCE  # a key is no speech
        if not (is_open and self.listening):
            self._pre_roll.append(signal)
            return []
        at = now - FRAME_S * (1 + self.jitter.delay_frames)
        frames: Speech = []
        if self._pre_roll:
            count = len(self._pre_roll)
            frames = [(at - (count - i) * FRAME_S, frame.tobytes()) for i, frame in enumerate(self._pre_roll)]
            self._pre_roll.clear()
        frames.append((at, signal.tobytes()))
        return frames
