"""ORT format: the constants of a model in onnxruntime's own file format (flatbuffers), by the nodes that take them.

Field numbers are those of onnxruntime's schema ``ort.fbs``, which only ever adds to them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MODEL, _GRAPH = 1, 7  # of a session, of a model
_INITIALIZERS, _NODES = 0, 2  # of a graph
_NAME, _INPUTS, _ATTRIBUTES = 0, 8, 10  # of a node; an attribute's and a constant's name come first, too
_SUBGRAPH = 7  # of an attribute
_DIMENSIONS, _TYPE, _RAW = 2, 3, 4  # of a constant
_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
Constant = NDArray[Any]


class Table:
    """A flatbuffers table: fields by number, each behind an offset."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._number("<i", at)

    @classmethod
    def root(cls, data: bytes) -> Table:
        return cls(data, int(struct.unpack_from("<I", data)[0]))

    def _number(self, form: str, at: int) -> int:
        return int(struct.unpack_from(form, self._data, at)[0])

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._number("<H", self._fields):
            return None
        offset = self._number("<H", self._fields + entry)
        return self._at + offset if offset else None

    def _behind(self, at: int) -> int:
        return at + self._number("<I", at)

    def number(self, field: int) -> int:
        """Of 32 bits; 0 where there is none."""
        at = self._place(field)
        return 0 if at is None else self._number("<i", at)

    def text(self, field: int) -> str:
        at = self._place(field)
        return "" if at is None else self._text(self._behind(at))

    def _text(self, at: int) -> str:
        return self._data[at + 4 : at + 4 + self._number("<I", at)].decode()

    def table(self, field: int) -> Table | None:
        at = self._place(field)
        return None if at is None else Table(self._data, self._behind(at))

    def _listed(self, field: int) -> Iterator[int]:
        if (at := self._place(field)) is not None:
            start = self._behind(at)
            for i in range(self._number("<I", start)):
                yield self._behind(start + 4 + 4 * i)

    def tables(self, field: int) -> Iterator[Table]:
        return (Table(self._data, at) for at in self._listed(field))

    def texts(self, field: int) -> Iterator[str]:
        return (self._text(at) for at in self._listed(field))

    def array(self, field: int, kind: Any) -> Constant:
        """Numbers in a row, as they lie in the file."""
        at = self._place(field)
        if at is None:
            return np.empty(0, kind)
        start = self._behind(at)
        size = np.dtype(kind).itemsize
        # A vector counts its elements: bytes for a constant's raw data, numbers else.
        count = self._number("<I", start) // (size if field == _RAW else 1)
        return np.frombuffer(self._data, kind, count, start + 4)


def constants(data: bytes) -> dict[str, list[Constant | None]]:
    """The inputs of each node, by its name: constants as arrays, others as None. Branches' nodes are among them; where
    two have a name in common, the first one's. Raises struct.error or ValueError for what is no such file."""
    found: dict[str, list[Constant | None]] = {}
    model = Table.root(data).table(_MODEL)
    graph = model and model.table(_GRAPH)
    if graph is None:
        raise ValueError("no model in ORT format")
    _collect(graph, {}, found)
    return found


def _collect(graph: Table, outer: Mapping[str, Constant], found: dict[str, list[Constant | None]]) -> None:
    known = {**outer, **dict(_named(graph.tables(_INITIALIZERS)))}
    for node in graph.tables(_NODES):
        inputs: Sequence[Constant | None] = [known.get(name) for name in node.texts(_INPUTS)]
        if any(value is not None for value in inputs):
            found.setdefault(node.text(_NAME), list(inputs))
        for attribute in node.tables(_ATTRIBUTES):
            if (branch := attribute.table(_SUBGRAPH)) is not None:
                _collect(branch, known, found)


def _named(tensors: Iterator[Table]) -> Iterator[tuple[str, Constant]]:
    for tensor in tensors:
        if (kind := _TYPES.get(tensor.number(_TYPE))) is not None:
            shape = tensor.array(_DIMENSIONS, np.int64)
            values = tensor.array(_RAW, kind)
            if values.size == int(np.prod(shape)):
                yield tensor.text(_NAME), values.reshape(shape)
