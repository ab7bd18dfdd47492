"""Moonshine's graph of any size, its tree of prefixes, and the free transcript in the beam's runs: on sessions made up
here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ivr.errors import SpeechUnavailable
from ivr.speech.recognisers.moonshine_graph import BOS, EOS, Ahead, Graph, Transcription, Utterance
from ivr.speech.recognisers.moonshine_weights import Weights
from ivr.speech.worker.engines import Cancelled

_VOCABULARY, _FRAMES = 12, 4


@dataclass
class Port:
    name: str
    shape: Sequence[Any] = ()


@dataclass
class Encoder:
    layers: int
    heads: int
    width: int

    def get_inputs(self) -> Sequence[Port]:
        return [Port("samples")]

    def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
        assert feed["samples"].shape == (1, 1, 800)
        heard = np.full((2 * self.layers * self.heads, _FRAMES, self.width), feed["samples"].max())
        return [heard.astype(np.float32)]


@dataclass
class Decoder:
    """Writes ``says`` whoever speaks; a second choice scores 1 less. Checks the shapes of what it is given, and that
    each row sees its prefix and nothing else."""

    layers: int
    heads: int
    width: int
    says: Sequence[int]
    unheard: Sequence[int] = ()
    batches: list[int] = field(default_factory=list)

    def _names(self, of: str) -> list[str]:
        return [f"{of}.{side}" for side in range(2 * self.layers)]

    def get_inputs(self) -> Sequence[Port]:
        shape = (self.heads, "room", self.width)
        return [Port("tokens"), *(Port(name, shape) for name in self._names("past"))]

    def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
        tokens, places, mask = feed["tokens"], feed["places"], feed["mask"]
        count = len(tokens)
        self.batches.append(count)
        past = [feed[name] for name in self._names("past")]
        room = past[0].shape[1]
        assert all(p.shape == (self.heads, room, self.width) and p.flags.c_contiguous for p in past)
        heard, within = [feed[name] for name in self._names("heard")], feed["within"]
        assert all(h.shape == (self.heads, within.shape[1], self.width) for h in heard)
        audio = heard[0][0, :, 0]  # of each frame, whose it is
        assert mask.shape == (count, room + count) and feed["parts"].tolist() == [room, count]
        # A key here is the token it came from: what a row sees spells its prefix.
        keys = np.concatenate([past[0][0, :, 0], tokens])
        for row, place in zip(mask, places, strict=True):
            assert len(keys[row == 0]) == place + 1 and keys[row == 0][0] == BOS and set(row) <= {0.0, -1e9}
        logits = np.full((count, _VOCABULARY), -30.0, np.float32)
        for row, (place, frames) in enumerate(
            zip(places, np.broadcast_to(within == 0, (count, len(audio))), strict=True)
        ):
            assert frames.sum() == _FRAMES and len(set(audio[frames])) == 1, "each row hears one utterance, whole"
            says = self.says if audio[frames][0] == 0 else self.unheard
            logits[row, says[place] if place < len(says) else EOS] = 0.0
            logits[row, 9] = -1.0
        scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        shape = (2 * self.layers * self.heads, count, self.width)
        return [scores, np.broadcast_to(tokens[None, :, None], shape).astype(np.float32)]


def utterance(
    layers: int = 2, heads: int = 3, width: int = 5, says: Sequence[int] = (4, 5, 6)
) -> tuple[Utterance, Decoder]:
    decoder = Decoder(layers, heads, width, says)
    return Utterance(Graph(Encoder(layers, heads, width), decoder), np.zeros(800, np.float32)), decoder


@pytest.mark.parametrize(("layers", "heads", "width"), [(1, 1, 1), (6, 8, 36), (8, 8, 52), (2, 3, 5)])
def test_a_model_of_any_size_is_decoded(layers: int, heads: int, width: int) -> None:
    heard, _ = utterance(layers, heads, width)
    transcription = Transcription(heard, 20)
    transcription.first()
    transcription.finish()
    assert transcription.tokens == [4, 5, 6]
    assert heard.score([(4, 5, 6), (4, 9)])[0] > heard.score([(4, 9)])[0]


def test_another_graph_is_refused() -> None:
    with pytest.raises(SpeechUnavailable):
        Weights({}, "/", signed=False)


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


def test_phrases_share_the_beginning_they_have_in_common() -> None:
    heard, decoder = utterance()
    decoder.batches.clear()
    scores = heard.score([(4, 5, 6), (4, 9)] * 5)
    assert decoder.batches == [4] and scores == scores[:2] * 5
    assert scores == heard.score([(4, 5, 6), (4, 9)]) * 5
    assert decoder.batches == [4], "they are known now"


def test_what_a_beam_decoded_is_not_decoded_again() -> None:
    heard, decoder = utterance()
    heard.first()
    first = heard.advance([0, 0], [4, 9])
    assert len(heard.advance([0, 0, 1], [5, 5, 5])) == 3  # two of them are one prefix
    decoder.batches.clear()
    heard.score([(4, 5), (9, 5)])
    heard.first()
    assert [row is other for row, other in zip(heard.advance([0, 0], [4, 9]), first, strict=True)] == [True, True]
    assert decoder.batches == []


def test_many_prefixes_are_decoded_a_few_at_a_time_and_all_are_kept() -> None:
    heard, decoder = utterance()
    decoder.batches.clear()
    every = [(first, second) for first in range(3, 9) for second in range(3, 12)]
    scores = heard.score(every)
    assert decoder.batches == [32, 28]
    assert heard.score(every) == scores and decoder.batches == [32, 28]


def test_another_utterance_is_decoded_in_the_same_runs_and_hears_its_own_audio() -> None:
    """Silence is shared by all that are recognised at a time."""
    heard, decoder = utterance()
    decoder.unheard = (7, 8)
    graph = Graph(Encoder(2, 3, 5), decoder)
    silence = Utterance(graph, np.ones(800, np.float32))
    decoder.batches.clear()
    here, there = heard.beside(silence), Utterance(graph, np.zeros(800, np.float32)).beside(silence)
    assert decoder.batches == [1], "silence has begun already"
    ahead = Ahead(heard, here)
    assert [int(each.first()[0].argmax()) for each in (ahead, here, there)] == [4, 7, 7]
    said = [int(row.argmax()) for row in ahead.advance([0, 0], [4, 9])]
    unheard = [int(row.argmax()) for row in here.advance([0, 0], [4, 9])]
    assert (said, unheard, decoder.batches) == ([5, 5], [8, 8], [1, 4])
    assert here.score([(7, 8)])[0] == there.score([(7, 8)])[0] == pytest.approx(3 * -np.log(1 + np.exp(-1)), abs=1e-3)
    assert heard.score([(4, 5, 6)])[0] == pytest.approx(4 * -np.log(1 + np.exp(-1)), abs=1e-3)
