"""Conversion of the published weights (safetensors, float) to what the encoder loads: an int8 ONNX graph and tables.

Needs ``onnx``, once, when installing. Word vectors stay outside the graph, as a memory-mapped table: constants of eight
bits in a graph are unfolded to floats when it is loaded, at four times the memory.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

LAYERS, HEADS, WIDTH = 6, 12, 384
LONGEST = 96  # tokens
OPSET, IR = 17, 8

Floats = npt.NDArray[np.float32]


def tensors(data: bytes) -> dict[str, Floats]:
    """The float tensors of a safetensors file, by name. Raises ValueError for what is none."""
    try:
        (size,) = struct.unpack_from("<Q", data)
        header, floats = json.loads(data[8 : 8 + size]), memoryview(data)[8 + size :]
        return {
            name: np.frombuffer(floats[slice(*spec["data_offsets"])], np.float32).reshape(spec["shape"])
            for name, spec in header.items()
            if name != "__metadata__" and spec["dtype"] == "F32"
        }
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(f"not a safetensors file: {error}") from error


def quantised(rows: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """``rows`` as int8 and the scale of each, over ``axis``."""
    scale = np.maximum(np.abs(rows).max(axis, keepdims=True), 1e-9) / 127
    return np.round(rows / scale).astype(np.int8), scale.astype(np.float32)


def convert(weights: bytes, tokenizer: bytes, out: Path) -> None:
    """Write ``encoder.onnx``, ``words.npy``, ``scales.npy``, ``places.npy`` and ``vocabulary.txt`` into ``out``.

    The same bytes in give the same bytes out. Raises ImportError without onnx, ValueError or KeyError for files that
    are not these weights."""
    found = tensors(weights)
    words, scales = quantised(found["embeddings.word_embeddings.weight"], 1)
    np.save(out / "words.npy", words)
    np.save(out / "scales.npy", scales)
    token_type = found["embeddings.token_type_embeddings.weight"][0]
    np.save(out / "places.npy", found["embeddings.position_embeddings.weight"][:LONGEST] + token_type)
    (out / "encoder.onnx").write_bytes(_Graph(found).serialised())
    vocabulary = json.loads(tokenizer)["model"]["vocab"]
    (out / "vocabulary.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), "utf-8")


class _Graph:
    """The encoder (BERT, six layers) from embedded tokens ``x`` [1, n, 384] to their mean, ``sentence`` [1, 384]."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        import onnx

        self._onnx: Any = onnx
        self._found = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        heads = self._const("heads", np.array([1, -1, HEADS, WIDTH // HEADS], np.int64))
        flat = self._const("flat", np.array([1, -1, WIDTH], np.int64))
        root = self._const("root", np.array((WIDTH // HEADS) ** -0.5, np.float32))
        half, one = self._const("half", np.array(0.5, np.float32)), self._const("one", np.array(1.0, np.float32))
        over = self._const("over", np.array(0.5**0.5, np.float32))
        x = self._norm("x", "embeddings.LayerNorm", "start")
        for layer in range(LAYERS):
            key, name = f"encoder.layer.{layer}.", f"layer{layer}."
            taken = self._taken(x, name)
            parts = {}
            for part, order in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3))):
                dense = self._dense(taken, f"{key}attention.self.{part}", name + part)
                split = self._op("Reshape", [dense, heads], f"{name}{part}.split")
                parts[part] = self._op("Transpose", [split], f"{name}{part}.turned", perm=list(order))
            alike = self._op("MatMul", [parts["query"], parts["key"]], name + "alike")
            soft = self._op("Softmax", [self._op("Mul", [alike, root], name + "scaled")], name + "soft", axis=-1)
            mixed = self._op("MatMul", [soft, parts["value"]], name + "mixed")
            back = self._op("Transpose", [mixed], name + "back", perm=[0, 2, 1, 3])
            joined = self._op("Reshape", [back, flat], name + "joined")
            out = self._dense(self._taken(joined, name + "o."), f"{key}attention.output.dense", name + "o")
            x = self._norm(
                self._op("Add", [x, out], name + "first"), f"{key}attention.output.LayerNorm", name + "attended"
            )
            up = self._dense(self._taken(x, name + "up."), f"{key}intermediate.dense", name + "up")
            erf = self._op("Erf", [self._op("Mul", [up, over], name + "gelu1")], name + "gelu2")
            gate = self._op("Mul", [self._op("Add", [erf, one], name + "gelu3"), half], name + "gelu4")
            gelu = self._op("Mul", [up, gate], name + "gelu")
            down = self._dense(self._taken(gelu, name + "down."), f"{key}output.dense", name + "down")
            x = self._norm(self._op("Add", [x, down], name + "second"), f"{key}output.LayerNorm", name + "done")
        self._op("ReduceMean", [x], "sentence", axes=[1], keepdims=0)

    def serialised(self) -> bytes:
        helper, floats = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "sentence",
            [helper.make_tensor_value_info("x", floats, [1, None, WIDTH])],
            [helper.make_tensor_value_info("sentence", floats, [1, WIDTH])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        self._onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    def _const(self, name: str, value: npt.NDArray[Any]) -> str:
        self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _op(self, kind: str, inputs: list[str], name: str, outputs: list[str] | None = None, **more: object) -> str:
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, outputs or [name], name=name, **more))
        return name

    def _taken(self, x: str, name: str) -> tuple[str, str, str]:
        """``x`` as uint8, with the scale and zero point that fit it: what a dense layer multiplies."""
        taken = (f"{name}uint8", f"{name}scale", f"{name}zero")
        self._op("DynamicQuantizeLinear", [x], f"{name}quantise", list(taken))
        return taken

    def _dense(self, taken: tuple[str, str, str], key: str, name: str) -> str:
        weight, scale = quantised(self._found[f"{key}.weight"].T, 0)
        uint8, x_scale, zero = taken
        product = [uint8, self._const(f"{name}.w", weight), zero]
        whole = self._op("Cast", [self._op("MatMulInteger", product, f"{name}.m")], f"{name}.c", to=1)
        scales = self._op("Mul", [x_scale, self._const(f"{name}.s", scale[0])], f"{name}.xs")
        floated = self._op("Mul", [whole, scales], f"{name}.f")
        return self._op("Add", [floated, self._const(f"{name}.b", self._found[f"{key}.bias"])], name)

    def _norm(self, x: str, key: str, name: str) -> str:
        weight = self._const(f"{name}.w", self._found[f"{key}.weight"])
        bias = self._const(f"{name}.b", self._found[f"{key}.bias"])
        return self._op("LayerNormalization", [x, weight, bias], name, axis=-1, epsilon=1e-12)
