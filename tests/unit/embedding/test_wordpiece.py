"""WordPiece, on a small vocabulary."""

from __future__ import annotations

import pytest

from ivr.embedding.wordpiece import WordPieces

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "move", "##ment", "to", "top", "don", "'", "t", "cancion", "##es")
PIECES = WordPieces(VOCABULARY)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Move to top", [2, 4, 6, 7, 3]),
        ("movement", [2, 4, 5, 3]),
        ("don't", [2, 8, 9, 10, 3]),
        ("canciónes", [2, 11, 12, 3]),
        ("xyzzy move", [2, 1, 4, 3]),
        ("", [2, 3]),
        ("t" * 101, [2, 1, 3]),
    ],
)
def test_a_sentence_is_its_pieces(text: str, ids: list[int]) -> None:
    assert PIECES(text, 96) == ids


def test_a_long_sentence_is_cut_and_still_has_its_end() -> None:
    assert PIECES("move " * 50, 6) == [2, 4, 4, 4, 4, 3]
