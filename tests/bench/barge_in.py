"""What stops a prompt: ``python -m tests.bench.barge_in``.

A prompt plays; what comes back goes as RTP through the media process's receiving half (with its guard against echo) and
the line's own voice activity. Printed: how often the prompt's own echo, coughs, dogs, telephones and talk in the room
begin a turn, and how soon a caller's voice does, alone and over an echo. Aims: none; p95 without an echo 0.2 s: after
that the line needs 50 ms until it is silent.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.events import EarEvent, SpeechStarted
from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.description import MediaDescription
from ivr.media.process.codec import FRAME, FRAME_S, PCMU, power
from ivr.media.process.echo import EchoGuard
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet, build
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.softphone.g711 import encode
from ivr.softphone.timing import summary
from ivr.softphone.voices import CallerVoice
from ivr.speech.worker.endpointing import SileroModel, SileroStream
from ivr.speech.worker.utterance import UtteranceDetector
from tests.bench.turn_ends import background

Signal = NDArray[np.float64]
PROMPTS = (
    "Thanks for calling. How can I help you today? You can say things like, move a title to the top of my queue.",
    "Your queue has eight titles. First, Metropolis. Second, Vertigo. Third, Casablanca. Fourth, The General.",
)
SAID = ("Move Casablanca to the top.", "What's next?", "I want to talk to a person.", "No.", "Repeat that.", "Stop.")
VOICES = ("joe", "hibari@1.12", "espeak:en-us+f3", "espeak:en-gb-scotland")
ECHOES_DB = (-12.0, -18.0, -25.0)
DELAYS_S = (0.03, 0.12, 0.3)
LOUDNESS_DB = (0.0, -6.0, -12.0)  # of the caller, to the prompt
CALLER_DB = -20.0  # how loud callers are, of full scale,
ROOM_DB = (12, 16, 20)  # and how far below them is who talks behind them
AIM_S = 0.2
AT_S = 2.5  # when the caller begins


@dataclass(frozen=True, slots=True)
class Trial:
    name: str
    starts: tuple[float, ...]  # of turns, seconds into the prompt


class Line:
    """One call's listening half. ``guarded``: as it is; else as if nothing were known of what plays."""

    def __init__(self, activity: SileroModel, guarded: bool) -> None:
        self._activity = activity
        self._guarded = guarded

    def play(self, prompt: Signal, back: Signal, caller_db: float | None = None) -> tuple[float, ...]:
        """When turns begin while ``prompt`` plays and ``back`` comes back, a second of silence before both.

        ``caller_db``: how loud the caller was, where they have been understood before."""
        starts: list[float] = []
        now = start = 100.0

        def emit(event: EarEvent) -> None:
            if isinstance(event, SpeechStarted):
                starts.append(now - start - 1.0)

        detector = UtteranceDetector(SileroStream(self._activity), emit, lambda detector, attempt: None)
        detector.listen(ListenRequest(SpeechGrammar("none", "en-US", ())))
        if caller_db is not None:
            detector.expect(caller_db)
        echo = EchoGuard()
        receiver = Receiver(["PCMU"], lambda change, source: None, echo=echo)
        receiver.listening = True
        receiver.aim(MediaDescription("192.0.2.1", 4000, (PCMU_FORMAT,)), now)
        count = max(len(prompt), len(back)) // FRAME
        sent = _padded(prompt, count)
        payload = encode(np.clip(_padded(back, count), -32768, 32767).astype("<i2").tobytes(), "PCMU")
        for number in range(count):
            now = start + number * FRAME_S
            packet = Packet(0, False, number, number * FRAME, 77, payload[number * FRAME : (number + 1) * FRAME])
            receiver.datagram(build(packet), ("192.0.2.1", 4000), now)
            if self._guarded:
                echo.played(power(sent[number * FRAME : (number + 1) * FRAME].astype(np.int16)))
            if receiver.tick() and receiver.payload is not None:
                decoded = PCMU.decode(receiver.payload)
                receiver.decoded(decoded, power(decoded))
            for at, pcm in receiver.speech(now):
                detector.feed(at, pcm, now)
            detector.tick(now)
        return tuple(starts)


def _padded(signal: Signal, frames: int) -> Signal:
    out = np.zeros(frames * FRAME)
    out[: min(len(signal), len(out))] = signal[: len(out)]
    return out


def spoken(voice: str, text: str) -> Signal:
    """A second of silence, then it."""
    return np.concatenate([np.zeros(8000), np.frombuffer(CallerVoice(voice).speak(text), "<i2").astype(float)])


def echoed(prompt: Signal, level_db: float, delay_s: float) -> Signal:
    """Through a loudspeaker, a room and a microphone: coloured, and with a reverberation of a tenth of a second."""
    rng = np.random.default_rng(5)
    room = rng.normal(0, 1, 800) * np.exp(-np.arange(800) / 160)
    room[0] = 3.0
    heard = np.convolve(prompt, room)[: len(prompt)]
    heard *= np.sqrt((prompt**2).mean() / (heard**2).mean()) * 10 ** (level_db / 20)
    return np.concatenate([np.zeros(int(delay_s * 8000)), heard])


def cough(rng: np.random.Generator) -> Signal:
    """Two bursts of noise with a throat's resonances, the second longer, each with a sudden beginning."""
    bursts = []
    for seconds in (0.12, 0.25):
        n = int(seconds * 8000)
        noise = rng.normal(0, 1, n)
        for centre, width in ((550, 250), (1500, 500), (2600, 700)):
            noise = noise + 2 * _band(rng.normal(0, 1, n), centre, width)
        bursts += [noise * np.exp(-np.arange(n) / (0.35 * n)), np.zeros(int(0.08 * 8000))]
    return np.concatenate(bursts)


def knock(rng: np.random.Generator) -> Signal:
    """A few dull thuds, a door or a desk."""
    thud = np.sin(2 * np.pi * 140 * np.arange(1200) / 8000) * np.exp(-np.arange(1200) / 200)
    return np.concatenate([np.concatenate([thud, np.zeros(int(rng.integers(600, 1600)))]) for _ in range(4)])


def rustle(rng: np.random.Generator) -> Signal:
    """Wind or cloth over the microphone."""
    n = int(rng.uniform(0.3, 1.2) * 8000)
    return _band(rng.normal(0, 1, n), 300, 400) * np.hanning(n)


def bark(rng: np.random.Generator) -> Signal:
    """A dog, twice: it has a voice, too."""
    barks = []
    for _ in range(2):
        at = np.arange(int(rng.uniform(0.12, 0.25) * 8000)) / 8000
        phase = 2 * np.pi * np.cumsum(rng.uniform(350, 700) * np.exp(-at * rng.uniform(0.5, 2))) / 8000
        barks += [sum((np.sin(k * phase) / k for k in range(1, 6)), np.zeros(len(at))) * np.hanning(len(at))]
        barks += [np.zeros(1500)]
    return np.concatenate(barks)


def ring(rng: np.random.Generator) -> Signal:
    """Another telephone, or a kitchen's timer."""
    at = np.arange(int(rng.uniform(0.3, 1.0) * 8000)) / 8000
    low, high = rng.uniform(400, 900), rng.uniform(450, 2500)
    return (np.sin(2 * np.pi * low * at) + np.sin(2 * np.pi * high * at)) * (np.sin(2 * np.pi * 20 * at) > 0)


def breath(rng: np.random.Generator) -> Signal:
    n = int(rng.uniform(0.3, 0.8) * 8000)
    return _band(rng.normal(0, 1, n), 1200, 900) * np.hanning(n)


def throat(rng: np.random.Generator) -> Signal:
    """Somebody clears it."""
    n = int(rng.uniform(0.2, 0.4) * 8000)
    phase = 2 * np.pi * rng.uniform(80, 130) * np.arange(n) / 8000 + np.cumsum(rng.normal(0, 0.05, n))
    voice = sum((np.sin(k * phase) / k for k in range(1, 20)), rng.normal(0, 0.8, n))
    return np.asarray(voice * np.hanning(n), float)


def _band(signal: Signal, centre: float, width: float) -> Signal:
    spectrum = np.fft.rfft(signal)
    away = (np.fft.rfftfreq(len(signal), 1 / 8000) - centre) / width
    return np.asarray(np.fft.irfft(spectrum * np.exp(-(away**2)), len(signal)), float)


def at_level(signal: Signal, level_db: float) -> Signal:
    loud = signal[np.abs(signal) > np.abs(signal).max() * 0.05]
    return np.asarray(signal * (32768 * 10 ** (level_db / 20) / np.sqrt((loud**2).mean())), float)


def beside(prompt: Signal, sound: Signal, at_s: float = AT_S) -> Signal:
    """``sound`` at a time of the prompt, over a quiet line."""
    rng = np.random.default_rng(3)
    out = rng.normal(0, 8, max(len(prompt), int((1 + at_s) * 8000) + len(sound)))
    begin = int((1 + at_s) * 8000)
    out[begin : begin + len(sound)] += sound
    return out


def false_starts(line: Line) -> dict[str, tuple[int, int]]:
    """Name -> (turns begun, trials) of what is no caller's."""
    found: dict[str, list[int]] = {}
    prompts = [spoken("hibari", text) for text in PROMPTS]
    noise = np.random.default_rng(4)
    for prompt in prompts:
        for level in ECHOES_DB:
            for delay in DELAYS_S:
                back = echoed(prompt, level, delay)
                starts = line.play(prompt, back + noise.normal(0, 8, len(back)))
                found.setdefault(f"echo {level:.0f} dB", []).append(bool(starts))
    sounds: Sequence[tuple[str, Callable[[np.random.Generator], Signal]]] = (
        ("cough", cough),
        ("knock", knock),
        ("rustle", rustle),
        ("bark", bark),
        ("ring", ring),
        ("breath", breath),
        ("throat cleared", throat),
    )
    for name, make in sounds:
        for seed in range(12):
            rng = np.random.default_rng(seed)
            sound = at_level(make(rng), -20 - 3 * (seed % 3))
            found.setdefault(name, []).append(bool(line.play(prompts[seed % 2], beside(prompts[seed % 2], sound))))
    for below in ROOM_DB:
        for seed in range(6):
            prompt = prompts[seed % 2]
            room = at_level(background(len(prompt), seed, 1 + 3 * (seed % 2)), CALLER_DB - below)
            for name, known in (("an unknown caller", None), ("a known one", CALLER_DB)):
                begun = bool(line.play(prompt, room, known))
                found.setdefault(f"talk in the room {below} dB below {name}", []).append(begun)
    return {name: (sum(trials), len(trials)) for name, trials in found.items()}


def barge_ins(line: Line) -> dict[str, list[float | None]]:
    """Name -> seconds from a caller's first sound to the start of their turn; None: it never began."""
    found: dict[str, list[float | None]] = {}
    prompt = spoken("hibari", PROMPTS[0])
    for level in LOUDNESS_DB:
        for echo_db in (None, -12.0, -25.0):
            for voice in VOICES:
                for text in SAID:
                    speech = spoken(voice, text)[8000:] * 10 ** (level / 20)
                    onset = int(np.flatnonzero(np.abs(speech) > 32768 * 10 ** (-40 / 20))[0]) / 8000
                    back = beside(prompt, speech)
                    if echo_db is not None:
                        echo = echoed(prompt, echo_db, 0.12)[: len(back)]
                        back[: len(echo)] += echo
                    starts = [at for at in line.play(prompt, back) if at >= AT_S]
                    name = f"caller {level:.0f} dB" + ("" if echo_db is None else f", echo {echo_db:.0f} dB")
                    found.setdefault(name, []).append(starts[0] - AT_S - onset if starts else None)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unguarded", action="store_true", help="as if the line did not know what it plays")
    options = parser.parse_args()
    line = Line(SileroModel(), not options.unguarded)
    good = True
    for name, (begun, trials) in false_starts(line).items():
        print(f"{name}: a turn begins in {begun} of {trials}", flush=True)
        good &= not (name.startswith("echo") and begun)
    alone: list[float] = []
    for name, delays in barge_ins(line).items():
        times = summary(delay for delay in delays if delay is not None)
        late = f"p50 {times.p50:.2f} worst {times.worst:.2f} s" if times else "-"
        print(f"{name}: {late}; never {sum(d is None for d in delays)} of {len(delays)}", flush=True)
        if "echo" not in name:
            alone += [9.0 if delay is None else delay for delay in delays]
    whole = summary(alone)
    assert whole is not None
    print(
        f"callers without an echo: p50 {whole.p50:.3f} p95 {whole.p95:.3f} worst {whole.worst:.3f} s of {whole.count}"
    )
    good &= whole.p95 <= AIM_S
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
