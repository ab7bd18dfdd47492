"""pyttsx3 with espeak-ng: the light fallback, and the voice of languages that Hibari lacks.

pyttsx3 2.99 crashes under threads, loses files, writes empty ones and prints: it lives in a subprocess of its own
(``ivr.speech.synthesisers.pyttsx3_process``) that speaks JSON lines, and is killed when it does not answer in time.
"""

from __future__ import annotations

import ctypes.util
import json
import queue
import subprocess
import sys
import tempfile
import threading
import wave
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ivr.dialogue.spoken.tags import primary
from ivr.errors import SpeechUnavailable
from ivr.speech.worker.engines import Samples

_TIMEOUT_S = 8.0
_START_TIMEOUT_S = 20.0
_WORDS_A_MINUTE = 165
_SYSTEM_DATA = (
    "/usr/lib/x86_64-linux-gnu/espeak-ng-data",
    "/usr/lib/aarch64-linux-gnu/espeak-ng-data",
    "/usr/share/espeak-ng-data",
)


def version() -> str:
    return metadata.version("pyttsx3")


def data_directory() -> Path:
    """Where espeak-ng's voices are: the wheel ``espeakng-loader``, or the system's. Raises SpeechUnavailable."""
    spec = find_spec("espeakng_loader")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "espeak-ng-data"
        if found.is_dir():
            return found
    if ctypes.util.find_library("espeak-ng"):
        for place in _SYSTEM_DATA:
            if Path(place).is_dir():
                return Path(place)
    raise SpeechUnavailable(
        "espeak-ng is missing", remedy="pip install 'ivr[espeak]', or install the espeak-ng package"
    )


def languages() -> tuple[str, ...]:
    """Language codes that espeak-ng speaks, as its data files name them. Raises SpeechUnavailable."""
    return tuple(sorted(f.name for f in (data_directory() / "lang").rglob("*") if f.is_file()))


def voice_for(language: str, known: tuple[str, ...]) -> str:
    """espeak's voice of a BCP 47 tag: exact ("en-us"), else the region's family, else the language ("es")."""
    by_lower = {k.lower(): k for k in known}
    tag = language.lower().replace("_", "-")
    if tag in by_lower:
        return by_lower[tag]
    if primary(tag) == "es" and tag not in ("es", "es-es") and "es-419" in by_lower:
        return by_lower["es-419"]
    if primary(tag) in by_lower:
        return by_lower[primary(tag)]
    family = sorted(k for k in known if primary(k) == primary(tag))
    if family:
        return family[0]
    raise SpeechUnavailable(f"espeak-ng does not speak {language}", remedy="record the prompts in audio/")


class Pyttsx3Synthesiser:
    """One subprocess, restarted when it hangs, dies or writes nothing. One thread at a time."""

    name = "pyttsx3"

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._known: tuple[str, ...] = ()
        self._count = 0

    @property
    def version(self) -> str:
        return version()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def languages(self) -> tuple[str, ...]:
        self._known = self._known or languages()
        return self._known

    def load(self) -> None:
        self.languages()
        self._ensure()

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        name = voice or voice_for(language, self.languages())
        for _ in range(2):  # a fresh process helps where an old one wrote nothing
            self._ensure()
            spoken = self._attempt(text, name)
            if spoken is not None:
                return spoken
            self._kill()
        raise SpeechUnavailable(
            f"espeak-ng made nothing of a text of {len(text)} characters", remedy="see its log lines"
        )

    def _attempt(self, text: str, voice: str) -> tuple[Samples, int] | None:
        assert self._process is not None and self._process.stdin is not None
        self._count += 1
        with tempfile.TemporaryDirectory(prefix="ivr-espeak-") as folder:
            path = Path(folder) / "out.wav"
            order = {"id": self._count, "text": text, "voice": voice, "rate": _WORDS_A_MINUTE, "path": str(path)}
            try:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
            except OSError:  # it died since
                return None
            answer = self._answer(self._timeout_s)
            if answer is None or answer.get("id") != self._count:
                return None
            if not answer.get("ok"):
                if answer.get("voice_unknown"):
                    raise SpeechUnavailable(f"espeak-ng has no voice {voice!r}", remedy="use one of its voice ids")
                return None
            with wave.open(str(path)) as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                return pcm.astype(np.float32) / np.float32(32768.0), file.getframerate()

    def _answer(self, timeout_s: float) -> dict[str, object] | None:
        try:
            line = self._answers.get(timeout=timeout_s)
            value = json.loads(line) if line is not None else None
        except (queue.Empty, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def _ensure(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._kill()
        self._answers = queue.Queue()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "ivr.speech.synthesisers.pyttsx3_process", str(data_directory())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=_read, args=(self._process, self._answers), daemon=True).start()
        answer = self._answer(_START_TIMEOUT_S)
        if answer is None or not answer.get("ready"):
            self._kill()
            detail = answer.get("error", "") if answer else "it does not start"
            raise SpeechUnavailable(f"espeak-ng: {detail}", remedy="pip install 'ivr[espeak]'")

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self._kill()


def _read(process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            answers.put(line)
    answers.put(None)
