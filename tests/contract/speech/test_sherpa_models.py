"""Models of several kinds in sherpa-onnx itself: what is handed over, and what becomes of one that it can't read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ivr.config import SpeechConfig
from ivr.errors import SpeechUnavailable
from ivr.events import Accept, Cause
from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.sherpa import SherpaRecogniser
from ivr.speech.recognisers.sherpa_ears import Written
from ivr.speech.service import WorkerSpeechService
from ivr.speech.vendors import moonshine_weights
from ivr.speech.worker.engines import Samples
from tests.contract.speech.conftest import Subject
from tests.contract.speech.toy_models import ctc, streaming_transducer, transducer

SPEECH = np.random.default_rng(0).normal(0, 0.05, 8000).astype(np.float32)


def told(folder: Path, *phrases: str) -> tuple[str, float | None, list[tuple[str, Accept]]]:
    recogniser = SherpaRecogniser(folder, "en-US")
    recogniser.load()
    grammar = SpeechGrammar("-".join(phrases), "en-US", phrases)
    found = recogniser.recognise(SPEECH, grammar)
    return found.transcript, found.clarity, [(h.text, h.verdict) for h in found.nbest]


@pytest.mark.parametrize("made", [transducer, streaming_transducer])
def test_a_transducer_expects_what_the_grammar_has(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    folder = made(tmp_path / "en")
    transcript, clarity, nbest = told(folder, "stop")
    assert (transcript, nbest) == ("GO HOME", []) and clarity is not None and 0.6 < clarity < 0.9
    transcript, led, nbest = told(folder, "go rome", "stop")
    assert (
        transcript == "GO ROME" and led is not None and led < clarity
    )  # its score is what was heard, not what was wanted
    assert nbest == [("go rome", Accept.CONFIRM)]  # it would have written something else by itself


def test_a_ctc_model_writes_without_a_score(tmp_path: Path) -> None:
    assert told(ctc(tmp_path / "en"), "home", "rome") == ("HOME", None, [("home", Accept.ACCEPT)])


class OnceOnly:
    """An ear that writes a word of noise, and something else of the same noise again."""

    hotwords = None

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    def write(self, samples: Samples, expected: str, cancelled: Callable[[], bool]) -> Written:
        return Written(self.texts.pop(0))


@pytest.mark.parametrize(
    ("texts", "accepted"),
    [
        (("Yeah", "Yeah, we might have."), False),
        (("Yeah", "Yes."), True),
        (("Go home.", "Go Rome."), False),
        (("Go home now.",), True),
    ],
)
def test_a_word_or_two_without_a_score_must_be_heard_twice(texts: tuple[str, ...], accepted: bool) -> None:
    recogniser = SherpaRecogniser(Path("none"), "en-US")
    recogniser._ear = OnceOnly(*texts)
    grammar = SpeechGrammar(
        "twice", "en-US", ("yes", "yeah", "go home", "go rome", "go home now"), means=(0, 0, 1, 2, 3)
    )
    found = recogniser.recognise(SPEECH, grammar)
    (best,) = found.nbest
    assert best.verdict is (Accept.ACCEPT if accepted else Accept.CONFIRM) and found.transcript == texts[0]
    assert found.transcribed


def test_a_model_that_ends_the_process_is_told_and_ends_nothing(tmp_path: Path) -> None:
    folder = transducer(tmp_path / "en")
    (folder / "joiner.onnx").write_bytes(b"no model at all")
    with pytest.raises(SpeechUnavailable, match=r"cannot load .*/en: .+ \(fetch the model again"):
        SherpaRecogniser(folder, "en-US").load()
    (folder / "tokens.txt").write_text("these are three words\n")
    with pytest.raises(SpeechUnavailable, match="cannot load"):
        SherpaRecogniser(folder, "en-US").load()


async def test_it_recognises_in_every_forked_process_beside_one_that_cannot(
    english_by_sherpa: Subject, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    broken = transducer(models / "de")
    (broken / "decoder.onnx").write_bytes(b"no model at all")
    (models / "en-US").symlink_to(moonshine_weights())
    config = SpeechConfig(
        recogniser="sherpa", workers=2, sherpa_models=models, recordings=tmp_path / "audio", cache=tmp_path / "cache"
    )
    service = WorkerSpeechService(config)
    await service.listener.start()
    try:
        (status,) = service.recognisers()
        assert (status.name, status.languages) == ("sherpa", ("en-US",)) and "models/de" in status.detail
        for text in ("yes", "swap vertigo and metropolis"):
            pcm = (english_by_sherpa.say(text) * 32767).astype("<i2").tobytes()
            whole = np.pad(np.frombuffer(pcm, "<i2"), 4000).tobytes()
            heard = await asyncio.gather(*(service.recognise(whole, english_by_sherpa.grammar) for _ in range(2)))
            assert [(r.engine, r.cause, r.nbest[0].text) for r in heard] == [("sherpa", Cause.SUCCESS, text)] * 2
    finally:
        await service.stop()
