"""ONNX format: a graph, node by node, to the bytes (protobuf, ``onnx.proto3``) that an onnxruntime session is made of.

Only what our graphs need; the package ``onnx`` would be thirty times the size of everything here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_IR, _OPSET, _MICROSOFT = 8, 17, "com.microsoft"
_TYPES = {
    np.dtype(kind): number
    for kind, number in ((np.float32, 1), (np.uint8, 2), (np.int8, 3), (np.int32, 6), (np.int64, 7))
}
_FLOAT, _INT, _INTS = 1, 2, 7  # kinds of attribute
Attribute = int | float | Sequence[int]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _sized(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


class OnnxGraph:
    """Nodes in the order in which they run. Names of values are made here; inputs and outputs are named by whoever
    feeds and asks for them."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._made = 0

    def _name(self) -> str:
        self._made += 1
        return f"v{self._made}"

    def input(self, name: str, kind: type[np.generic], shape: Sequence[int | str]) -> str:
        """``shape``: a size, or a name where it may be any."""
        self._inputs.append(_sized(11, self._typed(name, kind, shape)))
        return name

    def output(self, name: str, value: str, kind: type[np.generic], shape: Sequence[int | str]) -> None:
        self._nodes.append(self._node("Identity", [value], [name], "", {}))
        self._outputs.append(_sized(12, self._typed(name, kind, shape)))

    @staticmethod
    def _typed(name: str, kind: type[np.generic], shape: Sequence[int | str]) -> bytes:
        sizes = (_whole(1, size) if isinstance(size, int) else _sized(2, size) for size in shape)
        tensor = _whole(1, _TYPES[np.dtype(kind)]) + _sized(2, b"".join(_sized(1, size) for size in sizes))
        return _sized(1, name) + _sized(2, _sized(1, tensor))

    def constant(self, values: NDArray[np.generic]) -> str:
        name = self._name()
        shape = b"".join(_whole(1, size) for size in values.shape)
        kind = _whole(2, _TYPES[values.dtype])
        self._constants.append(_sized(5, shape + kind + _sized(8, name) + _sized(9, values.tobytes())))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """One of ONNX's own, with one output."""
        return self.split(kind, 1, *inputs, **attributes)[0]

    def split(self, kind: str, count: int, *inputs: str, **attributes: Attribute) -> list[str]:
        """One with ``count`` outputs."""
        outputs = [self._name() for _ in range(count)]
        self._nodes.append(self._node(kind, inputs, outputs, "", attributes))
        return outputs

    def fused(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """One of onnxruntime's."""
        output = self._name()
        self._nodes.append(self._node(kind, inputs, [output], _MICROSOFT, attributes))
        return output

    @staticmethod
    def _node(
        kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: dict[str, Attribute]
    ) -> bytes:
        out = b"".join(_sized(1, name) for name in inputs) + b"".join(_sized(2, name) for name in outputs)
        out += _sized(4, kind) + _sized(7, domain)
        for name, value in attributes.items():
            if isinstance(value, int):
                body = _whole(3, value) + _whole(20, _INT)
            elif isinstance(value, float):
                body = _varint(2 << 3 | 5) + struct.pack("<f", value) + _whole(20, _FLOAT)
            else:
                body = b"".join(_whole(8, each) for each in value) + _whole(20, _INTS)
            out += _sized(5, _sized(1, name) + body)
        return _sized(1, out)

    def serialised(self) -> bytes:
        graph = b"".join([*self._nodes, _sized(2, "graph"), *self._constants, *self._inputs, *self._outputs])
        opsets = (_sized(8, _sized(1, domain) + _whole(2, n)) for domain, n in (("", _OPSET), (_MICROSOFT, 1)))
        return b"".join([_whole(1, _IR), *opsets, _sized(7, graph)])
