"""What a layer of Moonshine's encoder and decoder is put together from, as nodes of a graph."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.speech.recognisers.moonshine_weights import Matrix, Weights
from ivr.speech.recognisers.onnx_format import OnnxGraph

EPSILON = 1e-5  # of every normalisation


class Layers(OnnxGraph):
    """A graph over rows [rows, width]; attention's parts are [heads, rows, a head's width]."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._weights = weights
        self._sizes: dict[tuple[int, ...], str] = {}

    def sizes(self, *sizes: int) -> str:
        if sizes not in self._sizes:
            self._sizes[sizes] = self.constant(np.array(sizes, np.int64))
        return self._sizes[sizes]

    def normed(self, x: str, name: str, places: tuple[int, int] = (1, 2)) -> str:
        weight, bias = (self.constant(self._weights.constant(name, place)) for place in places)
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def multiplied(self, x: str, by: Matrix) -> str:
        rows, scale, zero = self.split("DynamicQuantizeLinear", 3, x)
        values, by_scale, by_zero = (self.constant(each) for each in (by.values, by.scale, by.zero))
        return self.fused("MatMulIntegerToFloat", rows, values, scale, by_scale, zero, by_zero)

    def product(self, x: str, name: str, *, bias: bool = False) -> str:
        by = self._weights.matrix(name)
        inputs = [self.constant(each) for each in (by.values, by.scale, by.zero)]
        inputs += [self.constant(self._weights.bias(name))] if bias else []
        return self.fused("DynamicQuantizeMatMul", x, *inputs)

    def headed(self, x: str, heads: int) -> str:
        parted = self.node("Reshape", x, self.sizes(-1, heads, self._weights.head))
        return self.node("Transpose", parted, perm=(1, 0, 2))

    def joined(self, x: str) -> str:
        return self.node("Reshape", self.node("Transpose", x, perm=(1, 0, 2)), self.sizes(-1, self._weights.width))

    def likened(self, q: str, k: str) -> str:
        return self.fused("FusedMatMul", q, k, transB=1, alpha=1.0 / math.sqrt(self._weights.head))

    def angles(self, places: str, turns: NDArray[np.float32]) -> tuple[str, str]:
        """Cosines and sines for rows in ``places`` [rows]."""
        column = self.node("Unsqueeze", self.node("Cast", places, to=1), self.sizes(1))
        angle = self.node("Mul", column, self.constant(turns.reshape(1, -1)))
        return self.node("Cos", angle), self.node("Sin", angle)

    def regarding(self, x: str, name: str, angles: tuple[str, str], turned: int) -> tuple[str, str, str]:
        """Queries, keys and values of self-attention; the first two turned by their places, ``turned`` numbers of
        each head."""
        width, heads = self._weights.width, self._weights.heads
        every = Matrix.beside(*(self._weights.matrix(f"{name}/{side}_proj") for side in "qkv"))
        both, v = self.split("Split", 2, self.multiplied(x, every), self.sizes(2 * width, width), axis=1)
        both = self.fused(
            "RotaryEmbedding",
            self.node("Unsqueeze", both, self.sizes(0)),
            self.sizes(0),  # the angles are of these rows
            *angles,
            interleaved=1,
            num_heads=2 * heads,
            rotary_embedding_dim=turned,
        )
        q, k = self.split("Split", 2, self.headed(both, 2 * heads), self.sizes(heads, heads), axis=0)
        return q, k, self.headed(v, heads)


def multiplies_signed() -> bool:
    """Whether this machine multiplies bytes with signed bytes exactly. Those with VNNI do, in half the time of unsigned
    ones; others' products are cut off at 16 bits."""
    graph, depth, columns = OnnxGraph(), 64, 32
    rows = graph.input("rows", np.uint8, ("rows", depth))
    product = graph.node("MatMulInteger", rows, graph.constant(np.full((depth, columns), 127, np.int8)))
    graph.output("product", product, np.int32, ("rows", columns))
    session = onnxruntime.InferenceSession(graph.serialised(), providers=["CPUExecutionProvider"])
    return all(
        bool((session.run(None, {"rows": np.full((n, depth), 255, np.uint8)})[0] == 255 * 127 * depth).all())
        for n in (1, 9)
    )
