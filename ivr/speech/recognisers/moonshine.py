"""Speech recognition by Moonshine tiny-en on onnxruntime, constrained to the grammar of the current state.

The weights ship in the wheel ``moonshine-voice``; the package itself is never imported (its own streaming front end
serialises callers and clips short words). Graph: the encoder takes 16 kHz samples and gives [1, T, 288]; the decoder
is merged (with and without cache), [B, 8, len, 36] keys and values for six layers, 32,768 tokens, BOS 1, EOS 2. Its
``encoder_attention_mask`` counts samples, not frames: a mask of frames crashes beyond nine seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import soxr
from numpy.typing import NDArray

from ivr.errors import SpeechUnavailable
from ivr.events import Recognition
from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.beam import Path as Found
from ivr.speech.recognisers.beam import search
from ivr.speech.recognisers.compiled_grammars import Compiled, Compiler, Near
from ivr.speech.recognisers.judgement import Evidence, judge
from ivr.speech.recognisers.trie import Ending, Tokens
from ivr.speech.vendors import MOONSHINE_LANGUAGES, moonshine_weights
from ivr.speech.worker.engines import TELEPHONE_RATE, Cancelled, Samples, never

BOS, EOS = 1, 2
_BYTES = 3  # ids of the 256 byte tokens start here
_RATE = 16000
_FRAME = 384  # samples of 16 kHz audio behind one encoder frame
_TOKENS_PER_SECOND = 6.5  # Moonshine's own bound against endless loops
_WIDTH = 8
_FUZZY = 6
_CERTAIN_LLR = -0.1  # the beam found what the free transcript says: nothing better can be near it
Row = NDArray[np.float32]


class Tokenizer:
    """``tokenizer.bin``: for each id its bytes, length-prefixed. Llama's BPE: of all possible merges the lowest id goes
    first; it never merges across a space, so that words can be encoded one by one."""

    def __init__(self, data: bytes) -> None:
        self._pieces: list[bytes] = []
        at = 0
        while at < len(data):
            size = data[at]
            at += 1
            if size >= 128:
                size = data[at] * 128 + size - 128
                at += 1
            self._pieces.append(data[at : at + size])
            at += size
        first_text = _BYTES + 256
        self._ids = {p: i for i, p in reversed(list(enumerate(self._pieces))) if i >= first_text and p}
        self._words: dict[str, Tokens] = {}

    def __len__(self) -> int:
        return len(self._pieces)

    def word(self, word: str) -> Tokens:
        if word not in self._words:
            self._words[word] = self.glued("\u2581" + word)
        return self._words[word]

    def encode(self, text: str) -> Tokens:
        return tuple(t for w in text.split() for t in self.word(w))

    def glued(self, text: str) -> Tokens:
        parts = [c.encode() for c in text]
        while True:
            merges = [found for pair in pairwise(parts) if (found := self._ids.get(pair[0] + pair[1])) is not None]
            if not merges:
                break
            lowest = self._pieces[min(merges)]
            i = next(i for i, pair in enumerate(pairwise(parts)) if pair[0] + pair[1] == lowest)
            parts[i : i + 2] = [lowest]
        out: list[int] = []
        for part in parts:
            out.extend([self._ids[part]] if part in self._ids else [_BYTES + b for b in part])
        return tuple(out)

    def decode(self, ids: Sequence[int]) -> str:
        # Byte tokens are stored as themselves: the table holds the one byte each stands for.
        pieces = (bytes([i - _BYTES]) if i < _BYTES + 256 else self._pieces[i] for i in ids if i >= _BYTES)
        return b"".join(pieces).decode("utf-8", "replace").replace("\u2581", " ").strip()


def _normalised(logits: Row) -> Row:
    """Log-softmax over the last axis."""
    top = logits.max(-1, keepdims=True)
    shifted = logits - top
    out: Row = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return out


class Graph:
    """The two ONNX sessions. Thread-safe; one thread an utterance is fastest (spinning off)."""

    def __init__(self, directory: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False

        def open_session(name: str) -> Any:
            return onnxruntime.InferenceSession(str(directory / name), options, providers=["CPUExecutionProvider"])

        self._encoder = open_session("encoder_model.ort")
        self._decoder = open_session("decoder_model_merged.ort")
        self._past = [i.name for i in self._decoder.get_inputs() if i.name.startswith("past")]
        shape = next(i.shape for i in self._decoder.get_inputs() if i.name.startswith("past"))
        self._empty = np.zeros((1, shape[1], 0, shape[3]), np.float32)
        outputs = [o.name for o in self._decoder.get_outputs()][1:]
        if [n.replace("past_key_values", "present") for n in self._past] != outputs:
            raise SpeechUnavailable("the Moonshine graph has another shape", remedy="install moonshine-voice==0.0.73")
        self.own = [".decoder." in n for n in self._past]  # the others are the encoder's, and stay

    def encode(self, samples: Samples) -> Row:
        batch = samples[None]
        feed = {"input_values": batch, "attention_mask": np.ones(batch.shape, np.int64)}
        out: Row = self._encoder.run(None, feed)[0]
        return out

    def decode(self, ids: NDArray[np.int64], states: Row, past: Sequence[Row] | None) -> tuple[Row, list[Row]]:
        batch = len(ids)
        feed: dict[str, Any] = {
            "input_ids": ids,
            "encoder_hidden_states": states,
            "use_cache_branch": np.array([past is not None]),
            "encoder_attention_mask": np.ones((batch, states.shape[1] * _FRAME), np.int64),
        }
        if past is None:
            past = [np.repeat(self._empty, batch, 0)] * len(self._past)
        feed.update(zip(self._past, past, strict=True))
        logits, *present = self._decoder.run(None, feed)
        return logits, present


class Utterance:
    """One encoded utterance, and the beam's Scorer over it."""

    def __init__(self, graph: Graph, samples: Samples) -> None:
        self._graph = graph
        self.states = graph.encode(samples)
        logits, past = graph.decode(np.array([[BOS]], np.int64), self.states, None)
        self._first = _normalised(logits[:, -1])
        self._initial = past
        self._wide: dict[int, tuple[Row, list[Row]]] = {}
        self._past = past

    def first(self) -> Row:
        self._past = self._initial
        return self._first

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Row:
        width = len(parents)
        if width not in self._wide:  # every row hears the same audio: repeat its keys once per width
            repeated = [
                p if own else np.repeat(p, width, 0) for p, own in zip(self._initial, self._graph.own, strict=True)
            ]
            self._wide[width] = np.repeat(self.states, width, 0), repeated
        states, heard = self._wide[width]
        rows = list(parents)
        past = [p[rows] if own else h for p, h, own in zip(self._past, heard, self._graph.own, strict=True)]
        logits, self._past = self._graph.decode(np.array(tokens, np.int64)[:, None], states, past)
        return _normalised(logits[:, -1])

    def greedy(self, longest: int, cancelled: Callable[[], bool] = never) -> tuple[Tokens, float]:
        """The free transcript's tokens and its total log-probability. Raises Cancelled."""
        row, total = self.first(), 0.0
        tokens: list[int] = []
        while True:
            if cancelled():
                raise Cancelled
            token = int(row[0].argmax())
            total += float(row[0, token])
            if token == EOS or len(tokens) >= longest:
                return tuple(tokens), total
            tokens.append(token)
            row = self.advance([0], [token])

    def score(self, candidates: Sequence[Tokens]) -> list[float]:
        """Teacher forcing: the total log-probability of each, its end included."""
        if not candidates:
            return []
        length = max(len(c) for c in candidates) + 1
        ids = np.full((len(candidates), length), EOS, np.int64)
        ids[:, 0] = BOS
        for row, candidate in enumerate(candidates):
            ids[row, 1 : len(candidate) + 1] = candidate
        logits, _ = self._graph.decode(ids, np.repeat(self.states, len(candidates), 0), None)
        totals = []
        for row, candidate in enumerate(candidates):
            wanted = [*candidate, EOS]
            scores = _normalised(logits[row, : len(wanted)])
            totals.append(float(scores[np.arange(len(wanted)), wanted].sum()))
        return totals


class MoonshineRecogniser:
    """English. Beam along the grammar, joined by the phrases nearest to the free transcript, re-scored together."""

    name = "moonshine"
    languages = MOONSHINE_LANGUAGES

    def __init__(self) -> None:
        self._loaded: tuple[Tokenizer, Compiler, Graph] | None = None

    def load(self) -> None:
        directory = moonshine_weights()
        tokenizer = Tokenizer((directory / "tokenizer.bin").read_bytes())
        graph = Graph(directory)
        graph.encode(np.zeros(_RATE // 4, np.float32))  # first runs allocate: not in a caller's turn
        self._loaded = tokenizer, Compiler(tokenizer), graph

    def compile(self, grammar: SpeechGrammar) -> Sequence[str]:
        _, compiler, _ = self._parts()
        compiler.compiled(grammar)
        return ()

    def _parts(self) -> tuple[Tokenizer, Compiler, Graph]:
        if self._loaded is None:
            raise SpeechUnavailable("moonshine is not loaded", remedy="call load first")
        return self._loaded

    def recognise(self, speech: Samples, grammar: SpeechGrammar, cancelled: Callable[[], bool] = never) -> Recognition:
        tokenizer, compiler, graph = self._parts()
        started = time.perf_counter()
        duration = len(speech) / TELEPHONE_RATE
        compiled = compiler.compiled(grammar)
        samples = np.ascontiguousarray(soxr.resample(speech, TELEPHONE_RATE, _RATE), dtype=np.float32)
        if len(samples) < _RATE // 4:
            samples = np.pad(samples, (0, _RATE // 4 - len(samples)))
        utterance = Utterance(graph, samples)
        longest = max(6, int(duration * _TOKENS_PER_SECOND))
        tokens, total = utterance.greedy(longest, cancelled)
        transcript = tokenizer.decode(tokens)
        free = total / (len(tokens) + 1)
        found = search(utterance, compiled.lattice, EOS, width=_WIDTH, cancelled=cancelled)
        if cancelled():
            raise Cancelled
        if not found or found[0].v - free < _CERTAIN_LLR:
            found = _joined(tokenizer, utterance, compiled, found, transcript)
        found = sorted((_weighed(path, compiled) for path in found), key=lambda path: -path.v)
        numbers = {phrase: index for index, phrase in enumerate(grammar.phrases)}
        evidence = [_evidence(path, numbers, compiled, free) for path in found]
        return judge(evidence, transcript, duration, time.perf_counter() - started, self.name)


def _evidence(path: Found, numbers: Mapping[str, int], compiled: Compiled, free: float) -> Evidence:
    llr = path.v - free
    if path.ending.digits:
        return Evidence(path.text, None, path.v, llr, digits=True)
    if path.text in numbers:
        return Evidence(path.text, numbers[path.text], path.v, llr, compiled.nearness.twin(path.text))
    twin = compiled.nearness.twins(path.ending.template, path.emitted)
    return Evidence(path.text, None, path.v, llr, twin)


def _joined(
    tokenizer: Tokenizer, utterance: Utterance, compiled: Compiled, found: list[Found], transcript: str
) -> list[Found]:
    """The beam may lose the right phrase on its first word; the free transcript often still knows it."""
    known = {p.text for p in found}
    spelt: list[tuple[Near, Tokens]] = []
    for near in compiled.nearness.nearest(transcript, _FUZZY):
        if near.text not in known:
            texts = _written_like(near.text, transcript)
            spelt.extend((near, tokenizer.encode(t) + tokenizer.glued(".")) for t in texts)
    best: dict[str, Found] = {}
    for (near, ids), total in zip(spelt, utterance.score([ids for _, ids in spelt]), strict=True):
        path = Found(Ending(template=near.template, words=near.text), near.text, near.values, total, len(ids) + 1)
        if near.text not in best or path.v > best[near.text].v:
            best[near.text] = path
    joined = [p for p in [*found, *best.values()] if math.isfinite(p.logprob)]
    return sorted(joined, key=lambda p: -p.v)


def _weighed(path: Found, compiled: Compiled) -> Found:
    """``path`` with what speaks for or against its values beside the sound."""
    prior = compiled.likelihood(path.ending.template, path.emitted) if path.ending.template else 0.0
    return replace(path, logprob=path.logprob + prior) if prior else path


def _written_like(phrase: str, transcript: str) -> tuple[str, ...]:
    """``phrase`` as a sentence, cased as the transcript cases the same words, and with capitals throughout."""
    cased = {w.strip(".,?!").lower(): w.strip(".,?!") for w in transcript.split()}
    words = phrase.split()
    like = [cased.get(w, w) for w in words]
    like[0] = like[0][:1].upper() + like[0][1:]
    title = [w[:1].upper() + w[1:] if len(w) > 3 or i == 0 else w for i, w in enumerate(words)]
    return tuple(dict.fromkeys((" ".join(like), " ".join(title))))
