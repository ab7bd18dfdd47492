"""Model files, read without what they compute with."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from ivr.speech.protobuf import onnx_metadata, sentence_pieces
from tests.unit.speech.protobuf_bytes import onnx_bytes, sentencepiece_bytes

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:53433de083c4a6ad\nsize 244865\n"


def test_the_metadata_of_what_onnx_writes(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph([], "empty", [], [])
    model = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(model, {"model_type": "zipformer2", "comment": "größer als 127 Zeichen " * 9})
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    found = onnx_metadata(tmp_path / "a.onnx")
    assert found == {"model_type": "zipformer2", "comment": "größer als 127 Zeichen " * 9}


def test_pieces_and_their_scores(tmp_path: Path) -> None:
    (tmp_path / "bpe.model").write_bytes(sentencepiece_bytes({"<blk>": 0.0, "▁THE": -1.5, "S": -2.25}))
    assert sentence_pieces(tmp_path / "bpe.model") == [("<blk>", 0.0), ("▁THE", -1.5), ("S", -2.25)]


@pytest.mark.parametrize(
    "data",
    [POINTER, onnx_bytes({"model_type": "x"})[:-3], b"\xff" * 40, b"\x08", b"PK\x03\x04zip", b"\x3a\xff\xff\xff"],
)
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    for read in (onnx_metadata, sentence_pieces):
        with pytest.raises(ValueError, match="no protobuf message"):
            read(tmp_path / "x")
