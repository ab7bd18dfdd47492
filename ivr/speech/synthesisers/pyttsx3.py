"""Text-to-speech by pyttsx3 with espeak-ng: the light fallback, and the voice of languages that Hibari lacks.

pyttsx3 2.99 crashes under threads, loses files, writes empty ones and prints: it lives in a subprocess of its own
(``ivr.speech.synthesisers.pyttsx3_process``) that is killed when it does not answer in time.
"""

from __future__ import annotations

import io
import wave

import numpy as np

from ivr.errors import SpeechUnavailable
from ivr.speech.synthesisers.pyttsx3_process import SAY, order
from ivr.speech.vendors.pyttsx3 import languages, version, voice_for
from ivr.speech.worker.engines import Samples
from ivr.workers.blocking import BlockingWorker
from ivr.workers.role import Role

_TIMEOUT_S = 8.0
_START_S = 20.0


class Pyttsx3Synthesiser:
    """One subprocess, restarted when it hangs, dies or writes nothing. One thread at a time."""

    name = "pyttsx3"

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._known: tuple[str, ...] = ()
        self._worker = BlockingWorker(
            Role(
                name="espeak",
                title="espeak-ng",
                module=("ivr.speech.synthesisers.pyttsx3_process",),
                errors=(SpeechUnavailable,),
                remedy="pip install 'ivr[espeak]'",
                start_s=_START_S,
                hung_after_s=timeout_s,
            )
        )

    @property
    def version(self) -> str:
        return version()

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    def languages(self) -> tuple[str, ...]:
        self._known = self._known or languages()
        return self._known

    def load(self) -> None:
        self._worker.start()

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        name = voice or voice_for(language, self.languages())
        for _ in range(2):  # a fresh process helps where an old one wrote nothing
            wav = self._worker.ask(SAY, order(name, text))
            if wav:
                with wave.open(io.BytesIO(wav)) as file:
                    pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                    return pcm.astype(np.float32) / np.float32(32768.0), file.getframerate()
            self._worker.close()
        raise SpeechUnavailable(
            f"espeak-ng made nothing of a text of {len(text)} characters", remedy="see its log lines"
        )

    def close(self) -> None:
        self._worker.close()
