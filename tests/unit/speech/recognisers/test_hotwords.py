"""Hotwords, spelt as different models' tokens are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.hotwords import expected, hotwords
from tests.unit.speech.protobuf_bytes import sentencepiece_bytes


def tokens(folder: Path, *symbols: str) -> Path:
    path = folder / "tokens.txt"
    path.write_text("".join(f"{symbol} {n}\n" for n, symbol in enumerate(symbols)), encoding="utf-8")
    return path


PIECES = dict.fromkeys(("▁THE", "▁", *"ABLNCSE", "'", "ING"), -1.5)
TOKENS = ("<blk>", "<unk>", *PIECES, "#0")


def test_pieces_come_from_the_model_s_sentencepieces(tmp_path: Path) -> None:
    file = tokens(tmp_path, *TOKENS)
    assert hotwords(file, tmp_path) is None  # nothing tells how words are put together
    (tmp_path / "bpe.model").write_bytes(sentencepiece_bytes({"<unk>": 0.0, **PIECES}))
    found = hotwords(file, tmp_path)
    assert found is not None and found.unit == "bpe"
    assert found.pieces.startswith("<unk>\t0.0\n▁THE\t-1.5\n") and found.pieces.endswith("ING\t-1.5\n")
    asked = ["cabal", "casablanca", "the blanca's", "zoo", "a/b", "a:1", "", "  "]
    assert found.spelt(asked) == "CABAL/CASABLANCA/THE BLANCA'S"
    (tmp_path / "bpe.vocab").write_text("".join(f"{piece}\t-2\n" for piece in PIECES), encoding="utf-8")
    written = hotwords(file, tmp_path)
    assert written is not None and written.pieces.startswith("▁THE\t-2.0\n")


def test_pieces_for_a_part_of_the_tokens_are_none(tmp_path: Path) -> None:
    (tmp_path / "bpe.model").write_bytes(sentencepiece_bytes(PIECES))
    assert hotwords(tokens(tmp_path, *TOKENS, "电"), tmp_path) is None


@pytest.mark.parametrize(("name", "data"), [("bpe.model", b"version https://"), ("bpe.vocab", b"one column\n")])
def test_a_broken_file_of_pieces_means_none(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert hotwords(tokens(tmp_path, *TOKENS), tmp_path) is None


def test_characters_are_written_one_by_one(tmp_path: Path) -> None:
    found = hotwords(tokens(tmp_path, "<blk>", "电", "影", "好"), tmp_path)
    assert found is not None and (found.unit, found.pieces) == ("cjkchar", "")
    assert found.spelt(["电影", "电视", "好电影"]) == "电影/好电影"


def test_letters_with_marked_spaces_tell_nothing(tmp_path: Path) -> None:
    assert hotwords(tokens(tmp_path, "<blk>", "a", "▁", "b"), tmp_path) is None


def test_not_endlessly_many_and_names_first(tmp_path: Path) -> None:
    (tmp_path / "bpe.vocab").write_text("".join(f"{piece}\t0\n" for piece in ("▁bad", *"abcdefghij")), encoding="utf-8")
    found = hotwords(tokens(tmp_path, "<blk>", "▁bad", *"abcdefghij"), tmp_path)
    assert found is not None
    letters = "abcdefghij"
    values = tuple(a + b + c for a in letters for b in letters for c in letters)
    grammar = SpeechGrammar("g", "en-US", ("add", "bed"), None, (("add", "{it}"),), (("it", values),))
    assert expected(grammar)[:2] == ("aaa", "aab") and len(expected(grammar)) == len({*values, "add", "bed"})
    assert len(found.spelt(expected(grammar)).split("/")) == 300
    few = SpeechGrammar("f", "en-US", ("bed", "add"), None, (("add", "{it}"),), (("it", ("jade",)),))
    assert found.spelt(expected(few)) == "jade/bed/add"
