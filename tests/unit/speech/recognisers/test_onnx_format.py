"""Graphs written as ONNX, as onnxruntime reads and runs them."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from ivr.speech.recognisers.moonshine_layers import multiplies_signed
from ivr.speech.recognisers.onnx_format import OnnxGraph


def session(graph: OnnxGraph) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph.serialised(), providers=["CPUExecutionProvider"])


def test_a_graph_computes_what_its_nodes_say() -> None:
    graph = OnnxGraph()
    rows = graph.input("rows", np.float32, ("rows", 2))
    by = np.array([[1, -2, 3], [0.5, 4, -300]], np.float32)
    product = graph.node("MatMul", rows, graph.constant(by))
    first, rest = graph.split("Split", 2, product, graph.constant(np.array([1, 2], np.int64)), axis=-1)
    graph.output(
        "first",
        graph.fused("FusedMatMul", first, graph.constant(np.ones((1, 1), np.float32)), alpha=0.25),
        np.float32,
        ("rows", 1),
    )
    graph.output("turned", graph.node("Transpose", rest, perm=(1, 0)), np.float32, (2, "rows"))
    made = session(graph)
    assert [(port.name, port.shape) for port in made.get_inputs()] == [("rows", ["rows", 2])]
    assert [(port.name, port.shape) for port in made.get_outputs()] == [("first", ["rows", 1]), ("turned", [2, "rows"])]
    for count in (1, 5):
        given = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
        first_of, turned = made.run(None, {"rows": given})
        assert first_of == pytest.approx(0.25 * (given @ by)[:, :1])
        assert turned == pytest.approx((given @ by)[:, 1:].T)


@pytest.mark.parametrize("kind", [np.float32, np.uint8, np.int8, np.int32, np.int64])
def test_constants_of_every_kind(kind: type[np.generic]) -> None:
    values = np.array([[0, 1, 127], [3, 100, 2]]).astype(kind)
    graph = OnnxGraph()
    graph.output("values", graph.constant(values), kind, values.shape)
    (out,) = session(graph).run(None, {})
    assert out.dtype == values.dtype and (out == values).all()


def test_whether_signed_bytes_are_multiplied_exactly_is_found_out() -> None:
    """The same product of the largest numbers there are, by hand."""
    graph = OnnxGraph()
    rows = graph.input("rows", np.uint8, (1, 4))
    by = graph.constant(np.full((4, 16), 127, np.int8))
    graph.output("product", graph.node("MatMulInteger", rows, by), np.int32, (1, 16))
    (product,) = session(graph).run(None, {"rows": np.full((1, 4), 255, np.uint8)})
    assert multiplies_signed() == bool((product == 4 * 255 * 127).all())
