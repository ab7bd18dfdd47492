"""Hotwords: what a transducer is told to expect, spelt as its tokens are. Pure, but for reading its token files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.speech.protobuf import sentence_pieces

_MOST = 300  # each costs time in every utterance
_SPACE = "\u2581"  # sentencepiece's
_BETWEEN = "/"  # sherpa-onnx's, of hotwords in one string


@dataclass(frozen=True, slots=True)
class Hotwords:
    """How a model takes them. ``unit``: sherpa-onnx's modeling_unit; ``pieces``: its bpe_vocab, where it needs one;
    ``characters``: those that its tokens are made of."""

    unit: str
    characters: frozenset[str]
    pieces: str = ""

    @property
    def capitals(self) -> bool:
        """Whether the model writes nothing but capitals."""
        return not any(c.islower() for c in self.characters)

    def spelt(self, phrases: Sequence[str]) -> str:
        """Those that it can write, in one string."""
        kept: dict[str, None] = {}
        for phrase in phrases:
            text = phrase.upper() if self.capitals else phrase
            letters = set(text) - {" "}
            if letters and letters <= self.characters and all(c.isalnum() or c == "'" for c in letters):
                kept[" ".join(text.split())] = None
            if len(kept) == _MOST:
                break
        return _BETWEEN.join(kept)


def hotwords(tokens: Path, folder: Path) -> Hotwords | None:
    """As the model beside ``tokens`` takes them; None where its folder doesn't tell how its words are put together."""
    plain = [token for token in _tokens(tokens) if not token.startswith(("<", "#"))]
    characters = frozenset(chain.from_iterable(plain)) - {_SPACE}
    if not any(len(token.removeprefix(_SPACE)) > 1 for token in plain):
        return Hotwords("cjkchar", characters) if not any(_SPACE in token for token in plain) else None
    pieces = _pieces(folder)
    if not pieces.keys() >= set(plain):  # there are none, or not for all: models of two languages have them for one
        return None
    return Hotwords("bpe", characters, "".join(f"{piece}\t{score}\n" for piece, score in pieces.items()))


def _pieces(folder: Path) -> dict[str, float]:
    """Sentencepiece's, with their scores: from its model, or what was written of it."""
    vocabulary, model = folder / "bpe.vocab", folder / "bpe.model"
    try:
        if vocabulary.is_file():
            lines = (line.split("\t") for line in vocabulary.read_text(encoding="utf-8").splitlines())
            return {piece: float(score) for piece, score in lines}
        return dict(sentence_pieces(model)) if model.is_file() else {}
    except ValueError:  # neither
        return {}


def _tokens(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        symbol, _, number = line.rpartition(" ")
        if symbol and number.isdecimal():
            yield symbol


def expected(grammar: SpeechGrammar) -> tuple[str, ...]:
    """What is likelier to be said than what a model knows: names first, which it knows least."""
    values = (value for _, values in grammar.slots for value in values)
    return tuple(dict.fromkeys(chain(values, grammar.phrases)))
