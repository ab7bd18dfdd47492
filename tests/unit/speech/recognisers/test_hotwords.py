"""Hotwords, spelt as different models' tokens are."""

from __future__ import annotations

from pathlib import Path

from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.hotwords import expected, hotwords
from tests.unit.speech.protobuf_bytes import sentencepiece_bytes


def tokens(folder: Path, *symbols: str) -> Path:
    path = folder / "tokens.txt"
    path.write_text("".join(f"{symbol} {n}\n" for n, symbol in enumerate(symbols)), encoding="utf-8")
    return path


PIECES = ("<blk>", "<unk>", "▁THE", "▁", "A", "B", "L", "N", "C", "S", "E", "'", "ING", "#0")


def test_pieces_come_from_the_model_s_sentencepieces(tmp_path: Path) -> None:
    file = tokens(tmp_path, *PIECES)
    assert hotwords(file, tmp_path) is None  # nothing tells how words are put together
    (tmp_path / "bpe.model").write_bytes(sentencepiece_bytes({"▁THE": -1.5, "A": -2.0}))
    found = hotwords(file, tmp_path)
    assert found is not None and (found.unit, found.pieces) == ("bpe", "▁THE\t-1.5\nA\t-2.0\n")
    assert (
        found.spelt(["cabal", "casablanca", "the blanca's", "zoo", "a/b", "a:1", "", "  "])
        == "CABAL/CASABLANCA/THE BLANCA'S"
    )
    (tmp_path / "bpe.vocab").write_text("▁THE\t-1\n", encoding="utf-8")
    written = hotwords(file, tmp_path)
    assert written is not None and written.pieces == "▁THE\t-1\n"


def test_a_broken_sentencepiece_model_means_none(tmp_path: Path) -> None:
    (tmp_path / "bpe.model").write_bytes(b"version https://")
    assert hotwords(tokens(tmp_path, *PIECES), tmp_path) is None


def test_characters_are_written_one_by_one(tmp_path: Path) -> None:
    found = hotwords(tokens(tmp_path, "<blk>", "电", "影", "好"), tmp_path)
    assert found is not None and (found.unit, found.pieces) == ("cjkchar", "")
    assert found.spelt(["电影", "电视", "好电影"]) == "电影/好电影"


def test_letters_with_marked_spaces_tell_nothing(tmp_path: Path) -> None:
    assert hotwords(tokens(tmp_path, "<blk>", "a", "▁", "b"), tmp_path) is None


def test_not_endlessly_many_and_names_first(tmp_path: Path) -> None:
    (tmp_path / "bpe.vocab").write_text("x\t0\n", encoding="utf-8")
    found = hotwords(tokens(tmp_path, "<blk>", "▁bad", *"abcdefghij"), tmp_path)
    assert found is not None
    letters = "abcdefghij"
    values = tuple(a + b + c for a in letters for b in letters for c in letters)
    grammar = SpeechGrammar("g", "en-US", ("add", "bed"), None, (("add", "{it}"),), (("it", values),))
    assert expected(grammar)[:2] == ("aaa", "aab") and len(expected(grammar)) == len({*values, "add", "bed"})
    assert len(found.spelt(expected(grammar)).split("/")) == 300
    few = SpeechGrammar("f", "en-US", ("bed", "add"), None, (("add", "{it}"),), (("it", ("jade",)),))
    assert found.spelt(expected(few)) == "jade/bed/add"
