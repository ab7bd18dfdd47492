"""Moonshine's weights as its files hold them: matrices in eight bits, by the nodes that multiply with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ivr.errors import SpeechUnavailable
from ivr.speech.recognisers.ort_format import Constant

Nodes = Mapping[str, Sequence[Constant | None]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """In eight bits: a scale and a zero point for all of it, or for each column."""

    values: NDArray[np.uint8 | np.int8]
    scale: NDArray[np.float32]
    zero: NDArray[np.uint8 | np.int8]

    @classmethod
    def beside(cls, *each: Matrix) -> Matrix:
        """Columns of several, to be multiplied at once."""
        return cls(
            np.concatenate([one.values for one in each], 1),
            np.concatenate([np.broadcast_to(one.scale, one.values.shape[1]) for one in each]),
            np.concatenate([np.broadcast_to(one.zero, one.values.shape[1]) for one in each]),
        )

    @property
    def signed(self) -> Matrix:
        """The same numbers in signed bytes."""
        flip = np.uint8(128)
        values, zero = ((each ^ flip).view(np.int8) for each in (self.values, np.atleast_1d(self.zero)))
        return replace(self, values=values, zero=zero.reshape(self.zero.shape))


class Weights:
    """A file's constants, by what they are for. ``layers``: what the names of its layers' nodes begin with;
    ``signed``: matrices in signed bytes. Raises SpeechUnavailable where it holds another model."""

    def __init__(self, nodes: Nodes, layers: str, *, signed: bool) -> None:
        self._nodes, self._layers, self._signed = nodes, layers, signed
        self.layers = next(i for i in count() if f"{self.layer(i)}/mlp/fc1/MatMul_quant" not in nodes)
        first = f"{self.layer(0)}/self_attn"
        self.heads, self.head = (int(self.constant(f"{first}/Concat", place).reshape(-1)[0]) for place in (2, 3))
        self.width = self.matrix(f"{first}/q_proj").values.shape[0]
        if self.heads * self.head != self.width:
            raise another("heads of another width")

    def layer(self, i: int) -> str:
        return f"{self._layers}layers.{i}"

    def constant(self, node: str, place: int) -> Constant:
        inputs = self._nodes.get(node, ())
        value = inputs[place] if place < len(inputs) else None
        if value is None:
            raise another(node)
        return value

    def matrix(self, name: str) -> Matrix:
        """Of a node that quantises rows itself (rows, matrix, scale, zero point), or takes quantised ones."""
        node = f"{name}/MatMul_quant"
        places = (1, 3, 5) if len(self._nodes.get(node, ())) > 5 else (1, 2, 3)
        values, scale, zero = (self.constant(node, place) for place in places)
        if values.dtype != np.uint8 or zero.dtype != np.uint8:
            raise another(node)
        found = Matrix(values, scale, zero)
        return found.signed if self._signed else found

    def bias(self, name: str) -> Constant:
        return self.constant(f"{name}/MatMul_quant", 4)


def another(what: str) -> SpeechUnavailable:
    return SpeechUnavailable(
        f"the Moonshine graph has another shape ({what})", remedy="install moonshine-voice==0.0.73"
    )
