"""Acoustic model: Moonshine's encoder and decoder on onnxruntime, and what is scored with them. Of any size.

Layers, heads and widths are read from the files. The encoder takes 16 kHz samples and gives [1, frames, width]; the
decoder is merged (with and without cache): for each layer its own keys and values, which grow by a token a step, and
the encoder's, which stay. Its ``encoder_attention_mask`` counts samples, not frames: a mask of frames crashes beyond
nine seconds. The weights are quantised with one scale a batch: a row's scores differ a little (0.3 in a whole phrase's
log-probability) with the rows beside it. What must not depend on company is scored alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.errors import SpeechUnavailable
from ivr.speech.recognisers.trie import Tokens
from ivr.speech.worker.engines import Cancelled, Samples, never

RATE = 16000
BOS, EOS = 1, 2
_WIDEST = 9  # rows of a batch: the beam's, and the free transcript's
_SCORED = 4  # phrases a batch: more at once are no faster, and need more memory
Row = NDArray[np.float32]


class Session(Protocol):
    """An onnxruntime.InferenceSession, as far as it is used."""

    def get_inputs(self) -> Sequence[Any]: ...
    def get_outputs(self) -> Sequence[Any]: ...
    def run(self, names: None, feed: dict[str, Any]) -> list[Any]: ...


def _open(path: Path) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # costs no time, and what a recognition needed is given back
    options.log_severity_level = 3
    session: Session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session


class Graph:
    """The two sessions. Thread-safe; one thread an utterance is fastest (spinning off)."""

    def __init__(self, encoder: Session, decoder: Session) -> None:
        self._encoder, self._decoder = encoder, decoder
        past = [i for i in decoder.get_inputs() if i.name.startswith("past")]
        self._past = [i.name for i in past]
        outputs = [o.name for o in decoder.get_outputs()][1:]
        if not past or [name.replace("past_key_values", "present") for name in self._past] != outputs:
            raise SpeechUnavailable("the Moonshine graph has another shape", remedy="install moonshine-voice==0.0.73")
        self._heads = [(i.shape[1], i.shape[3]) for i in past]
        self.own = [".decoder." in name for name in self._past]  # the others are the encoder's, and stay

    @classmethod
    def load(cls, directory: Path) -> Graph:
        return cls(_open(directory / "encoder_model.ort"), _open(directory / "decoder_model_merged.ort"))

    def encode(self, samples: Samples) -> Row:
        batch = samples[None]
        feed = {"input_values": batch, "attention_mask": np.ones(batch.shape, np.int64)}
        out: Row = self._encoder.run(None, feed)[0]
        return out

    def decode(
        self, ids: NDArray[np.int64], states: Row, samples: int, past: Sequence[Row] | None
    ) -> tuple[Row, list[Row]]:
        """``samples``: how many the states were made of. ``past`` None: from the beginning."""
        batch = len(ids)
        feed: dict[str, Any] = {
            "input_ids": ids,
            "encoder_hidden_states": states,
            "use_cache_branch": np.array([past is not None]),
            "encoder_attention_mask": np.ones((batch, samples), np.int64),
        }
        if past is None:
            past = [np.zeros((batch, heads, 0, width), np.float32) for heads, width in self._heads]
        feed.update(zip(self._past, past, strict=True))
        logits, *present = self._decoder.run(None, feed)
        return logits, present


def _normalised(logits: Row) -> Row:
    """Log-softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    out: Row = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return out


class Utterance:
    """One encoded utterance, and the beam's Scorer over it."""

    def __init__(self, graph: Graph, samples: Samples) -> None:
        self._graph, self._samples = graph, len(samples)
        self.states = graph.encode(samples)
        logits, past = graph.decode(np.array([[BOS]], np.int64), self.states, self._samples, None)
        self._first = _normalised(logits[:, -1])
        self._initial = past
        self._wide: tuple[Row, list[Row]] | None = None
        self._past = past

    def again(self) -> Utterance:
        """The same, to be decoded beside it, by another thread."""
        other = copy.copy(self)
        other._wide = None
        return other

    def first(self) -> Row:
        self._past = self._initial
        return self._first

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Row:
        width = len(parents)
        states, heard = self._repeated(width)
        rows = list(parents)
        past = [p[rows] if own else h[:width] for p, h, own in zip(self._past, heard, self._graph.own, strict=True)]
        ids = np.array(tokens, np.int64)[:, None]
        logits, self._past = self._graph.decode(ids, states[:width], self._samples, past)
        return _normalised(logits[:, -1])

    def _repeated(self, width: int) -> tuple[Row, list[Row]]:
        """Every row hears the same audio: what was made of it, once for each of ``width`` rows. Repeated once for the
        widest batch, of which narrower ones are views: a megabyte a row and second of sound."""
        if self._wide is None or len(self._wide[0]) < width:
            rows = max(width, _WIDEST) if width > 1 else 1
            self._wide = (
                np.repeat(self.states, rows, 0),
                [p if own else np.repeat(p, rows, 0) for p, own in zip(self._initial, self._graph.own, strict=True)],
            )
        states, heard = self._wide
        return states[:width], [p if own else p[:width] for p, own in zip(heard, self._graph.own, strict=True)]

    def score(self, candidates: Sequence[Tokens]) -> list[float]:
        """Teacher forcing: the total log-probability of each, its end included."""
        return [
            total for at in range(0, len(candidates), _SCORED) for total in self._scored(candidates[at : at + _SCORED])
        ]

    def _scored(self, candidates: Sequence[Tokens]) -> list[float]:
        length = max(len(c) for c in candidates) + 1
        ids = np.full((len(candidates), length), EOS, np.int64)
        ids[:, 0] = BOS
        for row, candidate in enumerate(candidates):
            ids[row, 1 : len(candidate) + 1] = candidate
        logits, _ = self._graph.decode(ids, np.repeat(self.states, len(candidates), 0), self._samples, None)
        totals = []
        for row, candidate in enumerate(candidates):
            wanted = [*candidate, EOS]
            scores = _normalised(logits[row, : len(wanted)])
            totals.append(float(scores[np.arange(len(wanted)), wanted].sum()))
        return totals


class Transcription:
    """The free transcript (greedy decoding), carried as one more row of the beam's batches: a row costs a sixth of a
    step, and nothing where the beam goes the same way. A Scorer for the beam; ``finish`` decodes what is left."""

    def __init__(self, utterance: Utterance, longest: int) -> None:
        self._utterance, self._longest = utterance, longest
        self._row = 0  # of the last batch
        self._next: int | None = None
        self.tokens: list[int] = []
        self.logprob = 0.0

    @property
    def per_token(self) -> float:
        return self.logprob / (len(self.tokens) + 1)

    def first(self) -> Row:
        rows = self._utterance.first()
        self._take(rows[0])
        return rows

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Row:
        if self._next is None:
            return self._utterance.advance(parents, tokens)
        steps = list(zip(parents, tokens, strict=True))
        mine = (self._row, self._next)
        if mine not in steps:
            steps.append(mine)
        self._row = steps.index(mine)
        rows = self._utterance.advance([parent for parent, _ in steps], [token for _, token in steps])
        self._take(rows[self._row])
        return rows[: len(parents)]

    def finish(self, cancelled: Callable[[], bool] = never) -> None:
        """Raises Cancelled."""
        while self._next is not None:
            if cancelled():
                raise Cancelled
            row = self._utterance.advance([self._row], [self._next])
            self._row = 0
            self._take(row[0])

    def _take(self, row: Row) -> None:
        token = int(row.argmax())
        self.logprob += float(row[token])
        over = token == EOS or len(self.tokens) >= self._longest
        self._next = None if over else token
        if not over:
            self.tokens.append(token)
