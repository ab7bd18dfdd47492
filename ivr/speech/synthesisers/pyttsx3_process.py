"""The subprocess around pyttsx3: texts in, WAV files out, over the frames of ``ivr.workers``.

Run as ``python -m ivr.speech.synthesisers.pyttsx3_process FD``. It ends when its socket does.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import tempfile
from pathlib import Path
from typing import Any

from ivr.errors import SpeechUnavailable
from ivr.speech.vendors import espeak_data
from ivr.workers.blocking import answer
from ivr.workers.frames import FIRST, Life, inherited

SAY = FIRST
_WORDS_A_MINUTE = 165
_TRIES = 3
_WAV_HEADER = 44


def order(voice: str, text: str) -> bytes:
    """The body of SAY."""
    return f"{voice}\n{text}".encode()


def _engine(data: str) -> Any:
    """pyttsx3's espeak driver; the library must be loaded globally before pyttsx3 looks for it."""
    os.environ["ESPEAK_DATA_PATH"] = data
    try:
        loader = importlib.import_module("espeakng_loader")
        if Path(loader.get_data_path()).samefile(data):
            ctypes.CDLL(loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)
    except ImportError:
        pass  # the system's library: pyttsx3 finds it by its name
    return importlib.import_module("pyttsx3").init("espeak")


def _voices(engine: Any) -> frozenset[str]:
    """What may be asked for: espeak takes any name, and speaks English when it does not know it."""
    names: set[str] = set()
    for voice in engine.getProperty("voices"):
        names |= {voice.id, voice.id.rpartition("/")[2], *(str(tag).strip("\0").lower() for tag in voice.languages)}
    return frozenset(names)


class Espeak:
    """Answers SETUP with nothing, SAY with a WAV file, or with nothing when espeak wrote none."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._voices: frozenset[str] = frozenset()

    def answer(self, kind: int, body: bytes) -> bytes:
        """Raises SpeechUnavailable for a voice that it lacks, and whatever pyttsx3 does."""
        if kind == Life.SETUP:
            self._engine = _engine(str(espeak_data()))
            self._voices = _voices(self._engine)
            return b""
        voice, _, text = body.decode().partition("\n")
        if voice.partition("+")[0].lower() not in self._voices:
            raise SpeechUnavailable(f"espeak-ng has no voice {voice!r}", remedy="use one of its voice ids")
        self._engine.setProperty("voice", voice)
        self._engine.setProperty("rate", _WORDS_A_MINUTE)
        with tempfile.TemporaryDirectory(prefix="ivr-espeak-") as folder:
            path = Path(folder) / "out.wav"
            for _ in range(_TRIES):  # a long-lived engine sometimes writes an empty file
                path.unlink(missing_ok=True)
                self._engine.save_to_file(text, str(path))
                self._engine.runAndWait()
                if path.is_file() and path.stat().st_size > _WAV_HEADER:
                    return path.read_bytes()
        return b""


if __name__ == "__main__":
    answer(inherited(), Espeak().answer)
