"""Toy models for sherpa-onnx, of kinds whose published ones no package holds. They hear nothing: their last word says
what comes next. What they show is that the real library takes them as a recogniser hands them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.unit.speech.protobuf_bytes import sentencepiece_bytes

SYMBOLS = ("<blk>", "<unk>", "▁GO", "▁HOME", "▁ROME")
BLANK, UNKNOWN, GO, HOME, ROME = range(5)
_DIM = len(SYMBOLS)
_FEATURES = 80


def _next() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Row by last token: what comes next. After GO, HOME is a little likelier than ROME."""
    table = np.full((_DIM, _DIM), -5.0, np.float32)
    table[BLANK, GO] = 6.0
    table[GO, [HOME, ROME]] = 4.0, 3.7
    table[[HOME, ROME], BLANK] = 9.0
    return table


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Sequence[Any]]],
    outputs: Mapping[str, tuple[int, Sequence[Any]]],
    constants: Mapping[str, object],
    **metadata: object,
) -> None:
    graph = helper.make_graph(
        list(nodes),
        path.stem,
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.save(model, str(path))


def _decoder_and_joiner(folder: Path) -> None:
    _save(
        folder / "decoder.onnx",
        [
            helper.make_node("Gather", ["table", "y"], ["rows"], axis=0),
            helper.make_node("Gather", ["rows", "last"], ["decoder_out"], axis=1),
        ],
        {"y": (TensorProto.INT64, ["N", 2])},
        {"decoder_out": (TensorProto.FLOAT, ["N", _DIM])},
        {"table": _next(), "last": np.int64(1)},
        vocab_size=_DIM,
        context_size=2,
    )
    _save(
        folder / "joiner.onnx",
        [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        {name: (TensorProto.FLOAT, ["N", _DIM]) for name in ("encoder_out", "decoder_out")},
        {"logit": (TensorProto.FLOAT, ["N", _DIM])},
        {},
        joiner_dim=_DIM,
    )


def _words(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "tokens.txt").write_text("".join(f"{s} {n}\n" for n, s in enumerate(SYMBOLS)), encoding="utf-8")
    (folder / "bpe.model").write_bytes(
        sentencepiece_bytes(dict(zip(SYMBOLS, (0.0, 0.0, -1.0, -2.0, -2.0), strict=True)))
    )


def transducer(folder: Path) -> Path:
    """Of the whole utterance. Four frames of features make one of its own."""
    _words(folder)
    _save(
        folder / "encoder.onnx",
        [
            helper.make_node("Slice", ["x", "begin", "end", "axes", "steps"], ["some"]),
            helper.make_node("Mul", ["some", "nothing"], ["encoder_out"]),
            helper.make_node("Div", ["x_lens", "four"], ["encoder_out_lens"]),
        ],
        {"x": (TensorProto.FLOAT, ["N", "T", _FEATURES]), "x_lens": (TensorProto.INT64, ["N"])},
        {"encoder_out": (TensorProto.FLOAT, ["N", "S", _DIM]), "encoder_out_lens": (TensorProto.INT64, ["N"])},
        {
            "begin": np.array([0, 0]),
            "end": np.array([1 << 30, _DIM]),
            "axes": np.array([1, 2]),
            "steps": np.array([4, 1]),
            "nothing": np.float32(0),
            "four": np.array([4]),
        },
        model_type="zipformer2",
    )
    _decoder_and_joiner(folder)
    return folder


def streaming_transducer(folder: Path) -> Path:
    """Four frames at a time, with an LSTM's two states."""
    _words(folder)
    state = (TensorProto.FLOAT, [1, "N", 4])
    _save(
        folder / "encoder.onnx",
        [
            helper.make_node("Slice", ["x", "begin", "end", "axes"], ["some"]),
            helper.make_node("Mul", ["some", "nothing"], ["encoder_out"]),
            helper.make_node("Identity", ["h"], ["next_h"]),
            helper.make_node("Identity", ["c"], ["next_c"]),
        ],
        {"x": (TensorProto.FLOAT, ["N", 9, _FEATURES]), "h": state, "c": state},
        {"encoder_out": (TensorProto.FLOAT, ["N", 1, _DIM]), "next_h": state, "next_c": state},
        {"begin": np.array([0, 0]), "end": np.array([1, _DIM]), "axes": np.array([1, 2]), "nothing": np.float32(0)},
        model_type="lstm",
        num_encoder_layers=1,
        T=9,
        decode_chunk_len=4,
        rnn_hidden_size=4,
        d_model=4,
    )
    _decoder_and_joiner(folder)
    return folder


def ctc(folder: Path) -> Path:
    """Writes HOME of anything."""
    _words(folder)
    log_probs = np.full((1, 1, _DIM), -9.0, np.float32)
    log_probs[..., HOME] = -0.1
    _save(
        folder / "model.onnx",
        [
            helper.make_node("Slice", ["x", "begin", "end", "axes", "steps"], ["some"]),
            helper.make_node("Mul", ["some", "nothing"], ["none"]),
            helper.make_node("Add", ["none", "always"], ["log_probs"]),
            helper.make_node("Div", ["x_lens", "four"], ["log_probs_len"]),
        ],
        {"x": (TensorProto.FLOAT, ["N", "T", _FEATURES]), "x_lens": (TensorProto.INT64, ["N"])},
        {"log_probs": (TensorProto.FLOAT, ["N", "S", _DIM]), "log_probs_len": (TensorProto.INT64, ["N"])},
        {
            "begin": np.array([0, 0]),
            "end": np.array([1 << 30, _DIM]),
            "axes": np.array([1, 2]),
            "steps": np.array([4, 1]),
            "nothing": np.float32(0),
            "always": log_probs,
            "four": np.array([4]),
        },
        model_type="zipformer2_ctc",
    )
    return folder
