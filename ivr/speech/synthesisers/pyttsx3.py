"""Text-to-speech by pyttsx3 with espeak-ng: the light fallback, and the voice of languages that Hibari lacks.

pyttsx3 2.99 crashes under threads, loses files, writes empty ones and prints: it lives in a subprocess of its own
(``ivr.speech.synthesisers.pyttsx3_process``) that is killed when it does not answer in time.
"""

from __future__ import annotations

from ivr.errors import SpeechUnavailable
from ivr.extras import installing
from ivr.speech.synthesisers.pyttsx3_process import SAY, order
from ivr.speech.vendors import espeak_languages, espeak_voice
from ivr.speech.worker.engines import Samples
from ivr.speech.worker.loudness import read_wav
from ivr.workers.blocking import BlockingWorker
from ivr.workers.process import Role

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
                remedy=installing("espeak"),
                start_s=_START_S,
                hung_after_s=timeout_s,
            )
        )

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    def load(self) -> None:
        self._worker.start()

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        self._known = self._known or espeak_languages()
        name = voice or espeak_voice(language, self._known)
        for _ in range(2):  # a fresh process helps where an old one wrote nothing
            wav = self._worker.ask(SAY, order(name, text))
            if wav:
                return read_wav(wav)
            self._worker.close()
        raise SpeechUnavailable(
            f"espeak-ng made nothing of a text of {len(text)} characters", remedy="see its log lines"
        )

    def close(self) -> None:
        self._worker.close()
