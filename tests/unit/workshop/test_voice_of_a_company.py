"""`ivr flow test --voice` on a company's own line: what its service would answer comes from the mock file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ivr.__main__ import main
from ivr.cli.flow import voice
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.events import Accept, Cause, Hypothesis, Recognition

BOOKING = ["flow", "test", "flows/main.test.yaml", "--voice", "-k", "book by speech"]


class PerfectSpeech:
    """Understands what was said last, word for word."""

    def __init__(self, _config: object) -> None:
        self._said = ""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def render(self, text: str, language: str) -> Any:
        self._said = text
        return SimpleNamespace(pcm=np.zeros(1600, np.int16).tobytes())

    async def recognise(self, pcm: bytes, grammar: SpeechGrammar) -> Recognition:
        return Recognition(Cause.SUCCESS, (Hypothesis(self._said, 0.99, None, Accept.ACCEPT),), self._said)


@pytest.fixture
def dentist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["new", ".", "--template", "dentist", "--company", "Riverside Dental"]) == 0
    return tmp_path


def test_the_service_answers_from_its_mock_file(
    dentist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(voice, "WorkerSpeechService", PerfectSpeech)
    assert main([*BOOKING, "--as", "line"]) == 0
    out = capsys.readouterr().out
    assert "“nine thirty” in appointment.which_time" in out, "what is free was answered"
    assert "“yes” in appointment.book" in out
    assert "3 lines heard, 100.0% as meant" in out


@pytest.mark.slow
def test_it_is_really_spoken_and_really_heard(dentist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BOOKING, "--as", "espeak:en-us"]) == 0
    assert "“nine thirty” in appointment.which_time" in capsys.readouterr().out
