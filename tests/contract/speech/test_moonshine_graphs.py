"""Our graphs of Moonshine's weights against the graphs in its own files: the same numbers, and so the same words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soxr

from ivr.errors import SpeechUnavailable
from ivr.ports import SpeechGrammar
from ivr.speech import vendors
from ivr.speech.recognisers import moonshine
from ivr.speech.recognisers.moonshine import Tokenizer
from ivr.speech.recognisers.moonshine_decoder import LAYERS, decoding
from ivr.speech.recognisers.moonshine_encoder import LAYERS as ENCODER
from ivr.speech.recognisers.moonshine_encoder import encoding
from ivr.speech.recognisers.moonshine_graph import BOS, EOS, RATE, Graph, Transcription, Utterance
from ivr.speech.recognisers.moonshine_layers import multiplies_signed
from ivr.speech.recognisers.moonshine_weights import Weights
from ivr.speech.recognisers.ort_format import constants
from ivr.speech.vendors import MOONSHINE_FILES, moonshine_weights
from ivr.speech.worker.engines import TELEPHONE_RATE, Samples
from tests.contract.speech.conftest import Subject

DIRECTORY = moonshine_weights()
# Rows are quantised: where a number lies between two steps, the last bit of a float decides, and one brings others.
_UNHEARD = np.float32(1e-6)  # so little of noise changes as much
_NEAR = 1.0  # log-probability


def session(model: str | bytes) -> Any:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


class Own:
    """The file's graphs, as they are: one row, from the beginning."""

    def __init__(self) -> None:
        self.encoder = session(str(DIRECTORY / "encoder_model.ort"))
        self.decoder = session(str(DIRECTORY / "decoder_model_merged.ort"))

    def rows(self, samples: Samples, tokens: Sequence[int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        mask = np.ones((1, len(samples)), np.int64)
        (states,) = self.encoder.run(None, {"input_values": samples[None], "attention_mask": mask})
        feed: dict[str, Any] = {
            "input_ids": np.array([[BOS, *tokens]], np.int64),
            "encoder_hidden_states": states,
            "use_cache_branch": np.array([False]),
            "encoder_attention_mask": mask,
        }
        for port in self.decoder.get_inputs():
            if port.name.startswith("past"):
                feed[port.name] = np.zeros((1, port.shape[1], 0, port.shape[3]), np.float32)
        logits, *present = self.decoder.run(None, feed)
        shifted = logits[0] - logits[0].max(-1, keepdims=True)
        names = [port.name for port in self.decoder.get_outputs()][1:]
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)), dict(zip(names, present, strict=True))


@pytest.mark.parametrize("kept", [0, 1, 100, -1, -3000])
def test_half_a_tokenizer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """It would be loaded, and hear other words than were said."""
    for file in DIRECTORY.iterdir():
        (tmp_path / file.name).symlink_to(file)
    whole = (DIRECTORY / "tokenizer.bin").read_bytes()
    (tmp_path / "tokenizer.bin").unlink()
    (tmp_path / "tokenizer.bin").write_bytes(whole[:kept])
    monkeypatch.setattr(moonshine, "moonshine_weights", lambda: tmp_path)
    with pytest.raises(SpeechUnavailable, match=r"tokenizer\.bin.*moonshine-voice"):
        moonshine.MoonshineRecogniser().load()


@pytest.mark.parametrize("missing", MOONSHINE_FILES)
def test_a_file_that_is_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    folder = tmp_path / "assets" / "tiny-en"
    folder.mkdir(parents=True)
    for name in MOONSHINE_FILES:
        if name != missing:
            (folder / name).symlink_to(DIRECTORY / name)
    monkeypatch.setattr(vendors, "package", lambda name: tmp_path)
    with pytest.raises(SpeechUnavailable, match="pip install moonshine-voice"):
        moonshine_weights()


def test_phrases_that_nobody_can_say_cost_nothing_and_break_nothing(
    english: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []
    score = Utterance.score

    def watched(utterance: Utterance, candidates: Sequence[Any]) -> list[float]:
        scored.extend(map(len, candidates))
        return score(utterance, candidates)

    monkeypatch.setattr(Utterance, "score", watched)
    phrases = ("", " ", "the " + "very " * 400 + "long title", "yes", "\U0001f3ac", "\u200b")
    grammar = SpeechGrammar("nobody says", "en-US", phrases)
    for samples in (np.zeros(0, np.float32), np.zeros(8000, np.float32), np.full(8000, np.nan, np.float32)):
        english.recogniser.recognise(samples, grammar)
    assert scored and max(scored) < 100


@pytest.fixture(scope="module")
def own() -> Own:
    return Own()


@pytest.fixture(scope="module")
def said(english: Subject) -> list[Samples]:
    return [
        np.ascontiguousarray(soxr.resample(english.say(text), TELEPHONE_RATE, RATE), dtype=np.float32)
        for text in english.grammar.phrases
    ]


def test_signed_bytes_are_the_same_numbers() -> None:
    for file, layers, names in (
        ("encoder_model.ort", ENCODER, ("self_attn/q_proj", "mlp/fc1", "mlp/fc2")),
        ("decoder_model_merged.ort", LAYERS, ("self_attn/q_proj", "encoder_attn/k_proj", "mlp/fc2")),
    ):
        nodes = constants((DIRECTORY / file).read_bytes())
        usual, signed = (Weights(nodes, layers, signed=each) for each in (False, True))
        for layer, name in product(range(usual.layers), names):
            one, other = (weights.matrix(f"{weights.layer(layer)}/{name}") for weights in (usual, signed))
            assert one.values.dtype == np.uint8 and other.values.dtype == np.int8
            ours, theirs = (each.values.astype(np.int16) - each.zero.astype(np.int16) for each in (other, one))
            assert np.array_equal(ours, theirs), (file, layer, name)


# Where a machine cuts products of signed bytes off, they are not used.
@pytest.mark.parametrize("signed", sorted({False, multiplies_signed()}))
def test_the_same_numbers_come_out(own: Own, said: list[Samples], signed: bool) -> None:
    """No farther from the file's graphs than those are from themselves when noise that nobody hears is added."""
    encoder = Weights(constants((DIRECTORY / "encoder_model.ort").read_bytes()), ENCODER, signed=signed)
    decoder = Weights(constants((DIRECTORY / "decoder_model_merged.ort").read_bytes()), LAYERS, signed=signed)
    graph = Graph(session(encoding(encoder, decoder)), session(decoding(decoder)))
    rng = np.random.default_rng(0)
    ours: list[float] = []
    theirs: list[float] = []
    for samples in said:
        rows, present = own.rows(samples, ())
        _, again = own.rows(samples + _UNHEARD * rng.standard_normal(len(samples), np.float32), ())
        heard = graph.heard(samples)
        for layer, side in product(range(decoder.layers), range(2)):
            name = f"present.{layer}.encoder.{('key', 'value')[side]}"
            ours.append(float(np.abs(present[name][0] - heard[f"heard.{2 * layer + side}"]).mean()))
            theirs.append(float(np.abs(present[name] - again[name]).mean()))
        likely = rows[0] > -6
        assert np.abs(Utterance(graph, samples).first()[0] - rows[0])[likely].max() < _NEAR
    assert sum(ours) < sum(theirs)


def test_the_same_words_are_written(own: Own, said: list[Samples]) -> None:
    """Token by token, what the file's graph thinks likeliest is what ours wrote, or within a hair of it."""
    graph = Graph.load(DIRECTORY)
    tokenizer = Tokenizer((DIRECTORY / "tokenizer.bin").read_bytes())
    for samples in said:
        transcription = Transcription(Utterance(graph, samples), 40)
        transcription.first()
        transcription.finish()
        rows, _ = own.rows(samples, transcription.tokens)
        chosen = [*transcription.tokens, EOS]
        short = rows.max(-1) - rows[np.arange(len(chosen)), chosen]
        assert short.max() < _NEAR, tokenizer.decode(transcription.tokens)


def test_a_phrase_scores_the_same_alone_beside_others_and_in_the_files_graph(own: Own, said: list[Samples]) -> None:
    graph = Graph.load(DIRECTORY)
    tokenizer = Tokenizer((DIRECTORY / "tokenizer.bin").read_bytes())
    phrases = [tokenizer.encode("Move Casablanca to the top."), tokenizer.encode("Put vertigo first.")]
    for samples in said[:3]:
        together = Utterance(graph, samples).score(phrases)
        for phrase, beside in zip(phrases, together, strict=True):
            rows, _ = own.rows(samples, phrase)
            wanted = [*phrase, EOS]
            alone = Utterance(graph, samples).score([phrase])[0]
            exact = float(rows[np.arange(len(wanted)), wanted].sum())
            assert alone == pytest.approx(exact, abs=0.03 * abs(exact) + _NEAR)
            assert beside == pytest.approx(exact, abs=0.03 * abs(exact) + _NEAR)


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    for data in (b"", b"nothing of the kind" * 9, (DIRECTORY / "encoder_model.ort").read_bytes()):
        for name in ("encoder_model.ort", "decoder_model_merged.ort"):
            (tmp_path / name).write_bytes(data)
        with pytest.raises(SpeechUnavailable):
            Graph.load(tmp_path)
