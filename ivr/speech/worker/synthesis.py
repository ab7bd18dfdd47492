"""The text-to-speech worker: one thread a vendor, loaded on first use; answers with 8 kHz PCM."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from ivr.errors import IvrError, SpeechUnavailable
from ivr.speech import wire
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.synthesisers.pyttsx3 import Pyttsx3Synthesiser
from ivr.speech.wire import Level, Ready, Render, Setup
from ivr.speech.worker.engines import Synthesiser
from ivr.speech.worker.loudness import levelled, prompt_pcm
from ivr.workers.link import Link


class SynthesisWorker:
    """Answers the line's orders: texts in order per vendor, recordings beside them."""

    def __init__(self, line: Link) -> None:
        self._line = line
        vendors: list[Synthesiser] = [HibariSynthesiser(), Pyttsx3Synthesiser()]
        self._synthesisers = {vendor.name: vendor for vendor in vendors}
        self._ready = cache(self._loaded)
        self._threads = {name: ThreadPoolExecutor(1, f"speak-{name}") for name in self._synthesisers}
        self._levelling = ThreadPoolExecutor(1, "level")

    async def run(self) -> None:
        """Nothing is timed here."""
        await asyncio.Event().wait()

    def received(self, kind: int, number: int, body: bytes) -> None:
        """One frame of the line's."""
        message, asking = wire.decode(kind, body)
        match message:
            case Setup(preload=names, nice=nice):
                os.nice(nice)
                for name in names:  # the first prompt of a call must not wait for a model
                    self._threads[name].submit(self._ready, name)
                kind, body = wire.encode(Ready((), True))
                self._line.send(kind, 0, body)
            case Render() as order:
                self._line.answer(asking, self._threads[order.engine].submit(self._rendered, order))
            case Level(wav):
                self._line.answer(asking, self._levelling.submit(levelled, wav))

    def _loaded(self, name: str) -> Synthesiser:
        synthesiser = self._synthesisers[name]
        synthesiser.load()
        return synthesiser

    def _rendered(self, order: Render) -> bytes:
        try:
            samples, rate = self._ready(order.engine).speak(order.text, order.language, order.voice)
        except IvrError:
            raise
        except (RuntimeError, ValueError, OSError) as error:
            raise SpeechUnavailable(f"{order.engine}: {error!r}", remedy="see the log") from error
        return prompt_pcm(samples, rate, brisk=True)

    def close(self) -> None:
        """The line is gone."""
        for thread in (*self._threads.values(), self._levelling):
            thread.shutdown(wait=False, cancel_futures=True)
        for synthesiser in self._synthesisers.values():
            synthesiser.close()
