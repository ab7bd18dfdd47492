"""The synthesis worker: one thread a vendor, loaded on first use; answers with 8 kHz PCM."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import structlog

from ivr.errors import IvrError, SpeechUnavailable
from ivr.speech.framing import Message, Sound
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.synthesisers.pyttsx3 import Pyttsx3Synthesiser
from ivr.speech.worker.engines import Synthesiser
from ivr.speech.worker.loudness import prompt_pcm

log = structlog.get_logger()


class Sender(Protocol):
    def send(self, session: int, head: dict[str, Any], blob: bytes = b"") -> None: ...


def build_synthesisers() -> dict[str, Synthesiser]:
    made: list[Synthesiser] = [HibariSynthesiser(), Pyttsx3Synthesiser()]
    return {s.name: s for s in made}


class Speaking:
    """Answers the line's render orders, in order per vendor."""

    def __init__(self, link: Sender) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._synthesisers = build_synthesisers()
        self._loaded: set[str] = set()
        self._threads = {name: ThreadPoolExecutor(1, f"speak-{name}") for name in self._synthesisers}

    async def run(self) -> None:
        await asyncio.Event().wait()  # nothing is timed here

    def sound(self, sound: Sound) -> None:
        log.warning("worker.audio_unexpected", session=sound.session)

    def message(self, message: Message) -> None:
        head = message.head
        match head["op"]:
            case "configure":
                for name in head["preload"]:  # the first prompt of a call must not wait for a model
                    self._threads[name].submit(self._work, name, {"op": "load"})
                self._link.send(0, {"op": "ready", "engines": [], "complete": True})
            case "render":
                self._order(head)

    def _order(self, head: Any) -> None:
        name = str(head["engine"])
        future = self._threads[name].submit(self._work, name, head)
        number = int(head["id"])

        def ready(done: Future[bytes]) -> None:
            error = done.exception()
            if error is None:
                self._link.send(0, {"op": "reply", "id": number}, done.result())
            else:
                self._link.send(0, {"op": "reply", "id": number, "error": str(error) or repr(error)})

        future.add_done_callback(lambda f: self._loop.call_soon_threadsafe(ready, f))

    def _work(self, name: str, head: Any) -> bytes:
        synthesiser = self._synthesisers[name]
        try:
            if name not in self._loaded:
                synthesiser.load()
                self._loaded.add(name)
            if head["op"] == "load":
                return b""
            samples, rate = synthesiser.speak(head["text"], head["language"], head["voice"])
        except IvrError:
            raise
        except (RuntimeError, ValueError, OSError) as error:
            raise SpeechUnavailable(f"{name}: {error!r}", remedy="see the log") from error
        return prompt_pcm(samples, rate)

    def close(self) -> None:
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        for synthesiser in self._synthesisers.values():
            synthesiser.close()
