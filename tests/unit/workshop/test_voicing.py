"""Spoken lines: the telephone between, the verdicts, and three lines through real synthesis and recognition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ivr.config import SpeechConfig
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.errors import SpeechUnavailable
from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.media.process.codec import samples
from ivr.speech.service import WorkerSpeechService
from ivr.workshop.scripts.model import parse_script
from ivr.workshop.scripts.voicing import DOUBTED, LOST, MISHEARD, RIGHT, UNTRIED, Audition, Telephone, VoiceReport
from ivr.workshop.simulate.sandbox import Sandbox
from tests.flows.reference import library

TONE = (8000 * np.sin(np.arange(8000) * 2 * np.pi * 440 / 8000)).astype(np.int16).tobytes()
SCRIPT = """\
tests: queue
at: 2026-03-03T10:00
calls:
  - name: one
    steps:
      - say: what's next
      - say: remove Vertigo
      - say: yes
  - name: two
    steps:
      - say: what's next
      - say: agent
  - name: three
    language: es-ES
    from: "5415550104"
    steps:
      - say: operadora
"""
FILES = [parse_script(Path("queue.test.yaml"), SCRIPT)]


def snr(carried: bytes, clean: bytes) -> float:
    """dB, over the part where somebody speaks."""
    one, other = samples(carried).astype(float)[2400:-2400], samples(clean).astype(float)
    return float(10 * np.log10(np.mean(other**2) / np.mean((one - other) ** 2)))


def test_the_telephone_alone_only_costs_what_mu_law_costs() -> None:
    carried = Telephone().carry(TONE, "x")
    assert len(carried) == len(TONE) + 2 * 2400 * 2
    assert 30 < snr(carried, TONE) < 45
    assert not np.any(samples(carried)[:2400])


@pytest.mark.parametrize("wanted", [0.0, 10.0, 20.0])
def test_noise_is_as_loud_as_asked_and_always_the_same(wanted: float) -> None:
    noisy = Telephone(wanted).carry(TONE, "what's next")
    assert abs(snr(noisy, TONE) - wanted) < 1.0
    assert noisy == Telephone(wanted).carry(TONE, "what's next")
    assert noisy != Telephone(wanted).carry(TONE, "another line")


async def hear(sandbox: Sandbox, ears: dict[str, Recognition]) -> VoiceReport:
    """With synthesis that says the words as bytes, and a recogniser that hears what the test says."""
    said: list[str] = []

    async def speak(text: str, language: str) -> bytes:
        if language != "en-US":
            raise SpeechUnavailable(f"nothing here speaks {language}")
        said.append(text)
        return TONE

    async def recognise(pcm: bytes, grammar: SpeechGrammar) -> Recognition:
        return ears[said[-1]]

    return await Audition(library(), sandbox, {"tone": speak}, recognise).run(FILES)


def recognition(text: str, verdict: Accept = Accept.ACCEPT) -> Recognition:
    return Recognition(Cause.SUCCESS, (Hypothesis(text, 0.9, None, verdict),), text)


async def test_every_line_gets_the_verdict_it_deserves(sandbox: Sandbox) -> None:
    ears = {
        "what's next": recognition("what's next"),
        "remove Vertigo": recognition("remove nosferatu"),
        "yes": Recognition(Cause.NO_MATCH, (), "custard"),
        "agent": recognition("agent", Accept.CONFIRM),
    }
    report = await hear(sandbox, ears)
    found = {line.text: line for line in report.lines}
    assert len(found) == len(report.lines) == 5, "what is said twice in one state is heard once"
    assert found["what's next"].verdict == RIGHT
    assert found["remove Vertigo"].verdict == MISHEARD
    assert found["remove Vertigo"].meant == "remove (title: Vertigo)"
    assert found["remove Vertigo"].understood == "remove (title: Nosferatu)"
    assert found["yes"].verdict == LOST
    assert found["yes"].state == "queue.remove", "the call went on as typed"
    assert found["agent"].verdict in (RIGHT, DOUBTED)
    assert found["operadora"].verdict == UNTRIED
    assert "nothing here speaks es-ES" in found["operadora"].why
    assert (found["agent"].place.line, found["operadora"].place.line) == (12, 17)
    assert report.tried == 4
    assert report.share_right == 0.5
    assert list(report.confusions()) == [("remove (title: Vertigo)", "remove (title: Nosferatu)", 1)]


async def test_nothing_heard_is_nothing_right(sandbox: Sandbox) -> None:
    silence = Recognition(Cause.NO_MATCH)
    report = await hear(sandbox, dict.fromkeys(("what's next", "remove Vertigo", "yes", "agent"), silence))
    assert report.share_right == 0.0
    assert VoiceReport(()).share_right == 0.0


@pytest.mark.slow
async def test_really_spoken_and_really_heard(sandbox: Sandbox, tmp_path: Path) -> None:
    service = WorkerSpeechService(SpeechConfig(cache=tmp_path / "cache", recordings=tmp_path / "audio"))
    await service.start()

    async def speak(text: str, language: str) -> bytes:
        return (await service.render(text, language)).pcm

    try:
        audition = Audition(library(), sandbox, {"line": speak}, service.recognise, Telephone(25.0))
        report = await audition.run(FILES, only="one")
    finally:
        await service.stop()
    assert report.tried == 3
    assert report.share_right > 0.6, [(line.text, line.verdict, line.transcript) for line in report.lines]
