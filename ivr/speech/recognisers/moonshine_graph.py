"""Acoustic model: Moonshine's encoder and decoder on onnxruntime, and what is scored with them. Of any size.

Both are graphs of our own (``moonshine_encoder``, ``moonshine_decoder``). What was decoded of an utterance is a tree of
prefixes and is kept as long as the utterance: beams, the free transcript and phrases that are scored share what they
have in common. The rows of a run are quantised with one scale: a row's scores differ a little (0.3 in a whole phrase's
log-probability) with the rows beside it.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.speech.recognisers.moonshine_decoder import LAYERS as DECODER
from ivr.speech.recognisers.moonshine_decoder import decoding
from ivr.speech.recognisers.moonshine_encoder import LAYERS as ENCODER
from ivr.speech.recognisers.moonshine_encoder import encoding
from ivr.speech.recognisers.moonshine_layers import multiplies_signed
from ivr.speech.recognisers.moonshine_weights import Weights, another
from ivr.speech.recognisers.ort_format import constants
from ivr.speech.recognisers.trie import Tokens
from ivr.speech.worker.engines import Cancelled, Samples, never

RATE = 16000
BOS, EOS = 1, 2
_ROWS = 32  # of a run: more at once are no faster, and need more memory
_ROOM = 32  # prefixes that are kept at first; doubled as they grow
_UNSEEN = np.float32(-1e9)
Row = NDArray[np.float32]


class Session(Protocol):
    """An onnxruntime.InferenceSession, as far as it is used."""

    def get_inputs(self) -> Sequence[Any]: ...
    def run(self, names: None, feed: dict[str, Any]) -> list[Any]: ...


def _open(model: bytes) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # costs no time, and what a recognition needed is given back
    options.enable_mem_pattern = False  # would be kept for every length of audio and number of rows
    options.log_severity_level = 3
    session: Session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session


class Graph:
    """The sessions. Thread-safe; one thread an utterance is fastest (spinning off)."""

    def __init__(self, encoder: Session, decoder: Session) -> None:
        self._encoder, self._decoder = encoder, decoder
        past = [i for i in decoder.get_inputs() if i.name.startswith("past.")]
        self._past = [i.name for i in past]
        self._heard = [name.replace("past", "heard") for name in self._past]
        self._heads, self._width = past[0].shape[0], past[0].shape[2]

    @classmethod
    def load(cls, directory: Path) -> Graph:
        """Raises SpeechUnavailable where the files hold another model."""
        signed = multiplies_signed()
        encoder = _weights(directory / "encoder_model.ort", ENCODER, signed)
        decoder = _weights(directory / "decoder_model_merged.ort", DECODER, signed)
        return cls(_open(encoding(encoder, decoder)), _open(decoding(decoder)))

    def heard(self, samples: Samples) -> dict[str, Row]:
        """What the decoder attends to."""
        sides = self._encoder.run(None, {"samples": samples[None, None]})[0]
        parts = sides.reshape(len(self._past), self._heads, -1, self._width)
        return dict(zip(self._heard, parts, strict=True))

    def room(self, size: int) -> Row:
        """For keys and values of so many prefixes."""
        return np.zeros((len(self._past), self._heads, size, self._width), np.float32)

    def decode(
        self,
        tokens: Sequence[int],
        places: Sequence[int],
        mask: Row,
        past: Row,
        heard: Mapping[str, Row],
        within: Row,
    ) -> tuple[Row, Row]:
        """A run, as ``moonshine_decoder.decoding`` describes it."""
        feed: dict[str, Any] = {
            "tokens": np.array(tokens, np.int64),
            "places": np.array(places, np.int64),
            "mask": mask,
            "within": within,
            "parts": np.array([past.shape[2], len(tokens)], np.int64),
            **dict(zip(self._past, past, strict=True)),
            **heard,
        }
        scores, grown = self._decoder.run(None, feed)
        return scores, grown.reshape(len(self._past), self._heads, len(tokens), self._width)


def _weights(path: Path, layers: str, signed: bool) -> Weights:
    try:
        return Weights(constants(path.read_bytes()), layers, signed=signed)
    except (ValueError, struct.error) as error:
        raise another(str(error)) from error


class Prefixes:
    """What was decoded of an utterance, and of one ``beside`` it in the same runs: two trees, whose nodes are numbered
    as they came. 0: nothing was said yet.

    ``_seen``: row i is the mask over all prefixes of what prefix i consists of; ``_besides``: whether it is of the
    other; ``_heard``: what both heard, one behind the other, once there is another."""

    def __init__(self, graph: Graph, heard: Mapping[str, Row]) -> None:
        self._graph = graph
        self._heard = [heard]
        self._known: dict[tuple[int, int], int] = {}
        self._tokens, self._places, self._besides = [BOS], [0], [False]
        self._past = graph.room(_ROOM)
        self._seen = np.full((_ROOM, _ROOM), _UNSEEN)
        self._seen[0, 0] = 0.0
        self._rows: list[Row] = []
        self.decode()

    def beside(self, other: Prefixes) -> int:
        """Where what is said of ``other`` begins here, which is decoded already."""
        self.decode()
        root = self._put(BOS, 0, True)
        self._past[:, :, root] = other._past[:, :, 0]
        self._rows.append(other._rows[0])
        mine, others = self._heard[0], other._heard[0]
        self._heard = [mine, others, {name: np.concatenate((mine[name], others[name]), 1) for name in mine}]
        return root

    def behind(self, prefix: int, token: int) -> int:
        """The prefix that is ``token`` longer. Where it is new, it has to be decoded."""
        made = self._known.get((prefix, token))
        if made is None:
            made = self._known[prefix, token] = self._put(token, self._places[prefix] + 1, self._besides[prefix])
            self._seen[made, :made] = self._seen[prefix, :made]
        return made

    def _put(self, token: int, place: int, besides: bool) -> int:
        made = len(self._tokens)
        if made == len(self._seen):
            self._grow()
        self._tokens.append(token)
        self._places.append(place)
        self._besides.append(besides)
        self._seen[made, made] = 0.0
        return made

    def row(self, prefix: int) -> Row:
        """Log-probabilities of what comes behind it, once it is decoded."""
        return self._rows[prefix]

    def decode(self) -> None:
        """What is new."""
        while (first := len(self._rows)) < len(self._tokens):
            last = min(first + _ROWS, len(self._tokens))
            new, room = slice(first, last), len(self._seen)
            mask = np.full((last - first, room + last - first), _UNSEEN)
            mask[:, :first] = self._seen[new, :first]
            mask[:, room:] = self._seen[new, new]
            heard, within = self._hearing(self._besides[new])
            run = self._tokens[new], self._places[new]
            rows, grown = self._graph.decode(*run, mask, self._past, heard, within)
            self._past[:, :, new] = grown
            self._rows.extend(rows)

    def _hearing(self, besides: Sequence[bool]) -> tuple[Mapping[str, Row], Row]:
        """What the rows of a run hear, and what each hears of it."""
        frames = [next(iter(heard.values())).shape[1] for heard in self._heard]
        if len(set(besides)) == 1:
            side = int(besides[0])
            return self._heard[side], np.zeros((1, frames[side]), np.float32)
        within = np.full((len(besides), frames[2]), _UNSEEN)
        for row, other in enumerate(besides):
            within[row, frames[0] if other else 0 : frames[2] if other else frames[0]] = 0.0
        return self._heard[2], within

    def _grow(self) -> None:
        size = len(self._seen)
        past, seen = self._graph.room(2 * size), np.full((2 * size, 2 * size), _UNSEEN)
        past[:, :, :size], seen[:size, :size] = self._past, self._seen
        self._past, self._seen = past, seen


class Utterance:
    """One encoded utterance, and the beam's Scorer over it."""

    def __init__(self, graph: Graph, samples: Samples) -> None:
        self._prefixes = Prefixes(graph, graph.heard(samples))
        self._root, self._live = 0, [0]

    def beside(self, other: Utterance) -> Utterance:
        """``other``, to be decoded in runs with this one. It may stand beside many at once, in other threads, too."""
        found = copy.copy(self)
        found._root = self._prefixes.beside(other._prefixes)
        found._live = [found._root]
        return found

    def first(self) -> list[Row]:
        self._live = [self._root]
        return [self._prefixes.row(self._root)]

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> list[Row]:
        self._live = self.planned(parents, tokens)
        self._prefixes.decode()
        return [self._prefixes.row(prefix) for prefix in self._live]

    def planned(self, parents: Sequence[int], tokens: Sequence[int]) -> list[int]:
        """What ``advance`` will be asked for: the next run decodes it."""
        return [self._prefixes.behind(self._live[parent], t) for parent, t in zip(parents, tokens, strict=True)]

    def score(self, candidates: Sequence[Tokens]) -> list[float]:
        """Teacher forcing: the total log-probability of each, its end included."""
        paths: list[list[int]] = []
        for candidate in candidates:
            path = [self._root]
            for token in candidate:
                path.append(self._prefixes.behind(path[-1], token))
            paths.append(path)
        self._prefixes.decode()
        return [
            sum(float(self._prefixes.row(prefix)[t]) for prefix, t in zip(path, (*candidate, EOS), strict=True))
            for path, candidate in zip(paths, candidates, strict=True)
        ]


class Ahead:
    """A Scorer over an utterance whose runs also decode the same of the one ``beside`` it, which is asked next."""

    def __init__(self, utterance: Utterance, beside: Utterance) -> None:
        self._utterance, self._beside = utterance, beside

    def first(self) -> Sequence[Row]:
        return self._utterance.first()

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Sequence[Row]:
        self._beside.planned(parents, tokens)
        return self._utterance.advance(parents, tokens)


class Transcription:
    """The free transcript (greedy decoding), carried as one more row of the beam's runs: a row costs little beside a
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

    def first(self) -> Sequence[Row]:
        rows = self._utterance.first()
        self._take(rows[0])
        return rows

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Sequence[Row]:
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
