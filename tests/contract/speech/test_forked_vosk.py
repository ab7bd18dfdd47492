"""Vosk behind the line: its model is loaded once, and what is forked afterwards recognises by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from ivr.config import SpeechConfig
from ivr.speech.service import WorkerSpeechService
from tests.contract.speech.conftest import KOREAN_MODEL, Subject


async def test_vosk_recognises_in_every_forked_process(korean: Subject, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "ko-KR").symlink_to(KOREAN_MODEL)
    config = SpeechConfig(
        recogniser="vosk", workers=2, vosk_models=models, recordings=tmp_path / "audio", cache=tmp_path / "cache"
    )
    service = WorkerSpeechService(config)
    await service.listener.start()
    try:
        assert [(s.name, s.languages, s.healthy) for s in service.recognisers()] == [("vosk", ("ko-KR",), True)]
        for text in ("상담원", "영화"):
            pcm = (korean.say(text) * 32767).astype("<i2").tobytes()
            whole = np.pad(np.frombuffer(pcm, "<i2"), 4000).tobytes()
            first, second = await asyncio.gather(*(service.recognise(whole, korean.grammar) for _ in range(2)))
            assert first.engine == second.engine == "vosk"
            assert first.nbest[0].text == second.nbest[0].text == text
    finally:
        await service.stop()
