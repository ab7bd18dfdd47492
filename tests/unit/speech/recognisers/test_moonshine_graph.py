"""Moonshine's graph of any size, and the free transcript in the beam's batches: on sessions made up here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ivr.errors import SpeechUnavailable
from ivr.speech.recognisers.moonshine_graph import EOS, Graph, Transcription, Utterance
from ivr.speech.worker.engines import Cancelled

_VOCABULARY, _FRAMES, _WIDTH = 12, 4, 7


@dataclass
class Port:
    name: str
    shape: Sequence[Any] = ()


@dataclass
class Encoder:
    def get_inputs(self) -> Sequence[Port]:
        return [Port("input_values"), Port("attention_mask")]

    def get_outputs(self) -> Sequence[Port]:
        return [Port("last_hidden_state")]

    def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
        assert feed["input_values"].shape == feed["attention_mask"].shape
        return [np.zeros((1, _FRAMES, _WIDTH), np.float32)]


@dataclass
class Decoder:
    """Writes ``says`` whoever speaks; a second choice scores 1 less. Checks the shapes of what it is given."""

    layers: int
    heads: int
    width: int
    says: Sequence[int]
    batches: list[int] = field(default_factory=list)

    def _names(self, of: str) -> list[str]:
        kinds = [f"{side}.{part}" for side in ("decoder", "encoder") for part in ("key", "value")]
        return [f"{of}.{layer}.{kind}" for layer in range(self.layers) for kind in kinds]

    def get_inputs(self) -> Sequence[Port]:
        shape = ("batch", self.heads, "length", self.width)
        return [Port("input_ids"), *(Port(name, shape) for name in self._names("past_key_values"))]

    def get_outputs(self) -> Sequence[Port]:
        return [Port("logits"), *(Port(name) for name in self._names("present"))]

    def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
        ids = feed["input_ids"]
        batch, length = ids.shape
        self.batches.append(batch)
        assert feed["encoder_hidden_states"].shape == (batch, _FRAMES, _WIDTH)
        assert feed["encoder_attention_mask"].shape[0] == batch
        past = [feed[name] for name in self._names("past_key_values")]
        assert all(p.shape[:2] == (batch, self.heads) and p.shape[3] == self.width for p in past)
        before = past[0].shape[2]
        logits = np.full((batch, length, _VOCABULARY), -30.0, np.float32)
        for at in range(length):
            place = before + at
            logits[:, at, self.says[place] if place < len(self.says) else EOS] = 0.0
            logits[:, at, 9] = -1.0
        grown = np.zeros((batch, self.heads, before + length, self.width), np.float32)
        heard = np.zeros((batch, self.heads, _FRAMES, self.width), np.float32)
        return [logits, *(heard if ".encoder." in name else grown for name in self._names("present"))]


def utterance(
    layers: int = 2, heads: int = 3, width: int = 5, says: Sequence[int] = (4, 5, 6)
) -> tuple[Utterance, Decoder]:
    decoder = Decoder(layers, heads, width, says)
    return Utterance(Graph(Encoder(), decoder), np.zeros(800, np.float32)), decoder


@pytest.mark.parametrize(("layers", "heads", "width"), [(1, 1, 1), (6, 8, 36), (8, 8, 52), (2, 3, 5)])
def test_a_model_of_any_size_is_decoded(layers: int, heads: int, width: int) -> None:
    heard, _ = utterance(layers, heads, width)
    transcription = Transcription(heard, 20)
    transcription.first()
    transcription.finish()
    assert transcription.tokens == [4, 5, 6]
    assert heard.score([(4, 5, 6), (4, 9)])[0] > heard.score([(4, 9)])[0]


def test_another_graph_is_refused() -> None:
    decoder = Decoder(1, 1, 1, ())
    decoder.get_outputs = lambda: [Port("logits"), Port("present.0.decoder.key")]  # type: ignore[method-assign]
    with pytest.raises(SpeechUnavailable):
        Graph(Encoder(), decoder)


def test_the_free_transcript_shares_the_row_of_a_beam_that_goes_its_way() -> None:
    heard, decoder = utterance()
    transcription = Transcription(heard, 20)
    transcription.first()
    decoder.batches.clear()
    transcription.advance([0], [4])
    transcription.advance([0, 0], [9, 5])
    assert decoder.batches == [1, 2] and transcription.tokens == [4, 5, 6]


def test_the_free_transcript_has_a_row_of_its_own_where_the_beam_goes_another_way() -> None:
    heard, decoder = utterance()
    transcription = Transcription(heard, 20)
    transcription.first()
    decoder.batches.clear()
    rows = transcription.advance([0, 0], [9, 7])
    assert len(rows) == 2  # the beam's own
    assert len(transcription.advance([1], [4])) == 1
    transcription.finish()
    assert decoder.batches == [3, 2, 1] and transcription.tokens == [4, 5, 6]
    assert transcription.per_token == pytest.approx(-np.log(1 + np.exp(-1)), abs=1e-3)


def test_the_free_transcript_ends_at_its_bound_and_with_its_caller() -> None:
    heard, _ = utterance(says=[4] * 40)
    bounded = Transcription(heard, 6)
    bounded.first()
    bounded.finish()
    assert bounded.tokens == [4] * 6
    abandoned = Transcription(heard, 6)
    abandoned.first()
    with pytest.raises(Cancelled):
        abandoned.finish(lambda: True)


def test_a_phrase_is_scored_from_the_beginning_of_a_sequence() -> None:
    heard, decoder = utterance()
    decoder.batches.clear()
    assert heard.score([]) == [] and decoder.batches == []
    alone = heard.score([(4, 5, 6)])[0]
    assert alone == pytest.approx(4 * -np.log(1 + np.exp(-1)), abs=1e-3)


def test_many_phrases_are_scored_a_few_at_a_time() -> None:
    heard, decoder = utterance()
    decoder.batches.clear()
    scores = heard.score([(4, 5, 6), (4, 9)] * 5)
    assert decoder.batches == [4, 4, 2]
    assert scores == heard.score([(4, 5, 6), (4, 9)]) * 5


def test_narrow_and_wide_batches_hear_the_same_audio_which_is_repeated_once() -> None:
    heard, decoder = utterance()
    heard.first()
    decoder.batches.clear()
    rows = [heard.advance([0] * width, [4] * width) for width in (3, 1, 9, 12, 2)]
    assert decoder.batches == [3, 1, 9, 12, 2] == [len(row) for row in rows]


def test_two_decode_the_same_audio_beside_each_other() -> None:
    """Silence is shared by all that are recognised at a time."""
    heard, _ = utterance()
    first, second = heard.again(), heard.again()
    first.first()
    first.advance([0], [4])
    second.first()
    assert [int(each.advance([0], [4]).argmax()) for each in (first, second)] == [6, 5]
