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
from ivr.speech.vendors.pyttsx3 import data_directory, languages, version, voice_for
from ivr.speech.worker.engines import Samples
from ivr.workers.blocking import BlockingWorker, Refused

_TIMEOUT_S = 8.0
_START_TIMEOUT_S = 20.0


class Pyttsx3Synthesiser:
    """One subprocess, restarted when it hangs, dies or writes nothing. One thread at a time."""

    name = "pyttsx3"

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._worker: BlockingWorker | None = None
        self._known: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        return version()

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    def languages(self) -> tuple[str, ...]:
        self._known = self._known or languages()
        return self._known

    def load(self) -> None:
        try:
            self._running().start()
        except Refused as error:
            raise _unavailable(error) from error

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        name = voice or voice_for(language, self.languages())
        for _ in range(2):  # a fresh process helps where an old one wrote nothing
            try:
                wav = self._running().ask(SAY, order(name, text))
            except Refused as error:
                raise _unavailable(error) from error
            if wav:
                with wave.open(io.BytesIO(wav)) as file:
                    pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                    return pcm.astype(np.float32) / np.float32(32768.0), file.getframerate()
            self.close()
        raise SpeechUnavailable(
            f"espeak-ng made nothing of a text of {len(text)} characters", remedy="see its log lines"
        )

    def _running(self) -> BlockingWorker:
        if self._worker is None:
            module = ("ivr.speech.synthesisers.pyttsx3_process", str(data_directory()))
            self._worker = BlockingWorker(module, start_s=_START_TIMEOUT_S, answer_s=self._timeout_s)
        return self._worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


def _unavailable(error: Refused) -> SpeechUnavailable:
    return SpeechUnavailable(f"espeak-ng: {error}", remedy=error.refusal.remedy or "pip install 'ivr[espeak]'")
