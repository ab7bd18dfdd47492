"""Speech recognition by Moonshine tiny-en on onnxruntime, constrained to the grammar of the current state.

The weights ship in the wheel ``moonshine-voice``; the package itself is never imported (its own streaming front end
serialises callers and clips short words).

A decoder has a language model inside, and in noise prefers what is often written to what was said. What it would say
without hearing anything, its score over a second of silence, is in part taken off before candidates are ranked. Where
that leaves doubt, it is taken off a second search at every step: what sounds right is not lost on words that nobody
would write ("Put Chinatown first").
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr

from ivr.dialogue.spoken.similarity import bare_words, gist
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar, slot_names
from ivr.errors import SpeechUnavailable
from ivr.events import Cause, Recognition
from ivr.speech.recognisers.alternatives import alternatives
from ivr.speech.recognisers.beam import Path as Found
from ivr.speech.recognisers.beam import Unled, search
from ivr.speech.recognisers.compiled_grammars import Compiled, Compiler, Near
from ivr.speech.recognisers.judgement import Evidence, Sense, certain, judge
from ivr.speech.recognisers.moonshine_graph import EOS, RATE, Ahead, Graph, Transcription, Utterance
from ivr.speech.recognisers.moonshine_pieces import pieces
from ivr.speech.recognisers.moonshine_weights import another
from ivr.speech.recognisers.trie import Ending, Tokens, in_figures
from ivr.speech.vendors import MOONSHINE_LANGUAGES, moonshine_weights
from ivr.speech.worker.engines import TELEPHONE_RATE, Cancelled, Samples, never

_BYTES = 3  # ids of the 256 byte tokens start here
_TOKENS_PER_SECOND = 6.5  # Moonshine's own bound against endless loops
_WIDTH = 8
_UNLED, _PATIENCE = 6, 2.0  # the second search is narrower, and its scores lie further apart
_FUZZY = 6
_CERTAIN_LLR = -0.1  # the beam found what the free transcript says: nothing better can be near it
_LANGUAGE = 0.5  # how much of the score over silence is taken off; 0.3 to 0.7 do nearly the same
_UTTERABLE = 4  # times as many tokens as are likely in the time: no phrase was said that has more
_RANKED = 6  # candidates that are weighed: what lies further down won't rise
_CLEAR = 0.9  # a transcript of this clarity has no alternatives that are worth the time
_A_SENTENCE = 3  # words: of one or two there is no other that would tell more
_TOLD = 8  # alternatives
_KNOWN = 20_000  # phrases whose score over silence is kept


class Tokenizer:
    """``tokenizer.bin``: for each id its bytes, length-prefixed. Llama's BPE: of all possible merges the lowest id goes
    first; it never merges across a space, so that words can be encoded one by one."""

    def __init__(self, data: bytes) -> None:
        self._pieces = pieces(data)
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


class MoonshineRecogniser:
    """English. Beam along the grammar, joined by the phrases nearest to the free transcript, re-scored together."""

    name = "moonshine"
    languages = MOONSHINE_LANGUAGES

    def __init__(self) -> None:
        self._loaded: _Model | None = None

    def load(self) -> None:
        directory = moonshine_weights()
        graph = Graph.load(directory)
        # First runs allocate: not in a caller's turn.
        silence = Utterance(graph, np.zeros(RATE, np.float32))
        tokenizer = _tokenizer(directory / "tokenizer.bin", len(silence.first()[0]))
        self._loaded = _Model(tokenizer, Compiler(tokenizer), graph, silence, Unheard())

    def compile(self, grammar: SpeechGrammar) -> Sequence[str]:
        self._model().compiler.compiled(grammar)
        return ()

    def _model(self) -> _Model:
        if self._loaded is None:
            raise SpeechUnavailable("moonshine is not loaded", remedy="call load first")
        return self._loaded

    def recognise(
        self,
        speech: Samples,
        grammar: SpeechGrammar,
        cancelled: Callable[[], bool] = never,
        *,
        hurried: Callable[[], bool] = never,
    ) -> Recognition:
        started = time.perf_counter()
        heard = self.evidence(speech, grammar, cancelled, hurried=hurried)
        duration_s = len(speech) / TELEPHONE_RATE
        found = judge(heard.evidence, heard.transcript, duration_s, 0.0, self.name)
        wordy = len(bare_words(heard.transcript).split()) >= _A_SENTENCE
        unread = found.cause is Cause.NO_MATCH and heard.clarity < _CLEAR and wordy
        others: tuple[tuple[str, float], ...] = ()
        if unread and not hurried() and not any(one.digits for one in heard.evidence):
            others = self._alternatives(heard, cancelled, hurried)
        took_s = round(time.perf_counter() - started, 4)
        return replace(found, took_s=took_s, clarity=heard.clarity, alternatives=others)

    def _alternatives(
        self, heard: _Heard, cancelled: Callable[[], bool], hurried: Callable[[], bool]
    ) -> tuple[tuple[str, float], ...]:
        """What may have been said instead of the transcript, itself among it; none once hurried. Raises Cancelled."""
        tokenizer = self._model().tokenizer
        over = _either(cancelled, hurried)
        found = alternatives(heard.utterance, EOS, first=_BYTES, longest=heard.longest, cancelled=over)
        if cancelled():
            raise Cancelled
        chances: dict[str, float] = {}
        for tokens, logprob in found.items():
            text = tokenizer.decode(tokens)
            chances[text] = chances.get(text, 0.0) + math.exp(logprob)
        told = sorted(chances.items(), key=lambda item: -item[1])[:_TOLD]
        total = sum(chance for _, chance in told) or 1.0
        return tuple((text, round(chance / total, 4)) for text, chance in told)

    def evidence(
        self,
        speech: Samples,
        grammar: SpeechGrammar,
        cancelled: Callable[[], bool] = never,
        *,
        hurried: Callable[[], bool] = never,
    ) -> _Heard:
        """Raises Cancelled."""
        model = self._model()
        compiled = model.compiler.compiled(grammar)
        samples = np.ascontiguousarray(soxr.resample(speech, TELEPHONE_RATE, RATE), dtype=np.float32)
        if len(samples) < RATE // 4:
            samples = np.pad(samples, (0, RATE // 4 - len(samples)))
        utterance = Utterance(model.graph, samples)
        longest = max(6, int(len(speech) / TELEPHONE_RATE * _TOKENS_PER_SECOND))
        transcription = Transcription(utterance, longest)
        found = search(transcription, compiled.lattice, EOS, width=_WIDTH, cancelled=cancelled)
        transcription.finish(cancelled)
        if cancelled():
            raise Cancelled
        transcript, free = model.tokenizer.decode(transcription.tokens), transcription.per_token
        clarity = round(min(1.0, math.exp(free)), 3)
        if not found or found[0].v - free < _CERTAIN_LLR:
            found = _joined(model.tokenizer, utterance, compiled, found, transcript, _UTTERABLE * longest)
        found = sorted(found, key=lambda path: -path.v)[:_RANKED]
        silence = utterance.beside(model.silence)
        numbers = {phrase: index for index, phrase in enumerate(grammar.phrases)}

        def told(paths: Sequence[Found]) -> list[Evidence]:
            found = zip(paths, model.biases(paths, silence), strict=True)
            return [_evidence(path, numbers, grammar, compiled, free, bias) for path, bias in found]

        first = told(found)
        evidence = _weighed(first)
        if hurried() or any(one.digits for one in evidence) or not bare_words(transcript):
            return _Heard(evidence, transcript, clarity, utterance, longest)
        if not certain(evidence, transcript, len(speech) / TELEPHONE_RATE):
            evidence = _weighed([*first, *told(_unled(utterance, silence, compiled, cancelled, hurried))])
        return _Heard(evidence, transcript, clarity, utterance, longest)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What speaks for each candidate, best first; the free transcript, and how likely each of its tokens is on average,
    0..1. ``longest``: tokens that the utterance may have."""

    evidence: list[Evidence]
    transcript: str
    clarity: float
    utterance: Utterance
    longest: int


def _tokenizer(path: Path, words: int) -> Tokenizer:
    """Of a decoder that knows so many ``words``. Raises SpeechUnavailable for another's, or half of one: it would turn
    what is said into other words."""
    try:
        tokenizer = Tokenizer(path.read_bytes())
    except ValueError as error:
        raise another(f"{path.name}: {error}") from error
    if len(tokenizer) != words:
        raise another(f"{path.name} has {len(tokenizer)} pieces, the decoder {words}")
    return tokenizer


@dataclass(frozen=True, slots=True)
class _Model:
    """``silence``: a second of it; ``unheard``: what phrases score over that."""

    tokenizer: Tokenizer
    compiler: Compiler
    graph: Graph
    silence: Utterance
    unheard: Unheard

    def biases(self, paths: Sequence[Found], silence: Utterance) -> list[float]:
        """What the decoder would give each phrase without hearing anything: numbers as it would write them, too, since
        it would rather write "18th", and does so where it hears well."""
        written = [self._written(path) for path in paths]
        known = self.unheard.scores([tokens for each in written for tokens in each], silence)
        return [max(known[tokens] for tokens in each) for each in written]

    def _written(self, path: Found) -> list[Tokens]:
        if path.ending.digits or (figures := in_figures(path.text)) == path.text:
            return [path.tokens]
        return [path.tokens, self.tokenizer.encode(figures[:1].upper() + figures[1:] + ".")]


class Unheard:
    """Log-probabilities a token over silence, which depend on the phrase alone: those of late are kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Tokens, float] = OrderedDict()

    def scores(self, phrases: Sequence[Tokens], silence: Utterance) -> Mapping[Tokens, float]:
        """Of each of ``phrases``; the new ones together, which takes a third of the time."""
        new = list(dict.fromkeys(tokens for tokens in phrases if tokens not in self._kept))
        for tokens, total in zip(new, silence.score(new), strict=True):
            self._kept[tokens] = total / (len(tokens) + 1)
        asked = {tokens: self._kept[tokens] for tokens in phrases}
        for tokens in asked:
            self._kept.move_to_end(tokens)
        while len(self._kept) > _KNOWN:
            self._kept.popitem(last=False)
        return asked


def _weighed(told: Sequence[Evidence]) -> list[Evidence]:
    """What is told of each candidate, less its language; each text once, best first."""
    # Digits have no words to prefer: where they compete, nothing is taken off.
    language = 0.0 if any(one.digits for one in told) else _LANGUAGE
    best: dict[str, Evidence] = {}
    for one in sorted((replace(one, above=one.above - language * one.bias) for one in told), key=lambda one: -one.rank):
        best.setdefault(one.text, one)
    return list(best.values())


def _evidence(
    path: Found,
    numbers: Mapping[str, int],
    grammar: SpeechGrammar,
    compiled: Compiled,
    free: float,
    bias: float,
) -> Evidence:
    llr = path.v - free
    if path.ending.digits:
        return Evidence(path.text, None, path.v, llr, digits=True)
    known, prior = numbers.get(path.text), 0.0
    if known is not None:
        twin = compiled.nearness.twin(path.text)
    else:
        twin = compiled.nearness.twins(path.ending.template, path.emitted)
        prior = compiled.likelihood(path.ending.template, path.emitted) / path.length
    sense = _sense(path, known, grammar)
    return Evidence(path.text, known, path.v, llr, twin, bias=bias, above=prior, sense=sense)


def _sense(path: Found, phrase: int | None, grammar: SpeechGrammar) -> Sense | None:
    if not grammar.means:
        return None
    if phrase is not None:
        return grammar.means[phrase], frozenset()
    named = zip(slot_names(path.ending.template), path.emitted, strict=True)
    number = grammar.means[len(grammar.phrases) + grammar.templates.index(path.ending.template)]
    return number, frozenset((name, gist(value)) for name, value in named)


def _either(cancelled: Callable[[], bool], hurried: Callable[[], bool]) -> Callable[[], bool]:
    """Whether a second look is to end."""
    return lambda: cancelled() or hurried()


def _unled(
    utterance: Utterance,
    silence: Utterance,
    compiled: Compiled,
    cancelled: Callable[[], bool],
    hurried: Callable[[], bool],
) -> list[Found]:
    """What a search finds that the decoder's own language leads less; nothing once hurried. Raises Cancelled."""
    scorer = Unled(Ahead(utterance, silence), silence, _LANGUAGE)
    over = _either(cancelled, hurried)
    found = search(scorer, compiled.lattice, EOS, width=_UNLED, patience=_PATIENCE, cancelled=over)[:_RANKED]
    if cancelled():
        raise Cancelled
    heard = utterance.score([path.tokens for path in found])
    return [replace(path, logprob=logprob) for path, logprob in zip(found, heard, strict=True)]


def _joined(
    tokenizer: Tokenizer, utterance: Utterance, compiled: Compiled, found: list[Found], transcript: str, longest: int
) -> list[Found]:
    """The beam may lose the right phrase on its first word; the free transcript often still knows it. Of more than
    ``longest`` tokens none is tried: scoring takes the square of them."""
    known = {p.text for p in found}
    spelt: list[tuple[Near, Tokens]] = []
    for near in compiled.nearness.nearest(transcript, _FUZZY):
        if near.text.strip() and near.text not in known:
            texts = _written_like(near.text, transcript)
            written = (tokenizer.encode(t) + tokenizer.glued(".") for t in texts)
            spelt.extend((near, tokens) for tokens in written if len(tokens) <= longest)
    best: dict[str, Found] = {}
    for (near, ids), total in zip(spelt, utterance.score([ids for _, ids in spelt]), strict=True):
        path = Found(Ending(template=near.template, words=near.text), near.text, near.values, total, ids)
        if near.text not in best or path.v > best[near.text].v:
            best[near.text] = path
    joined = [p for p in [*found, *best.values()] if math.isfinite(p.logprob)]
    return sorted(joined, key=lambda p: -p.v)


def _written_like(phrase: str, transcript: str) -> tuple[str, ...]:
    """``phrase`` as a sentence, cased as the transcript cases the same words, and with capitals throughout."""
    cased = {w.strip(".,?!").lower(): w.strip(".,?!") for w in transcript.split()}
    words = phrase.split()
    like = [cased.get(w, w) for w in words]
    like[0] = like[0][:1].upper() + like[0][1:]
    title = [w[:1].upper() + w[1:] if len(w) > 3 or i == 0 else w for i, w in enumerate(words)]
    return tuple(dict.fromkeys((" ".join(like), " ".join(title))))
