"""Moonshine's decoder as a graph of our own, made of the weights in its file: one that decodes a tree of prefixes.

The file's graph decodes rows that each hear a copy of the same audio, pads and slices what it has known since the
first step at every one, and spends a quarter of its time on arithmetic. In this one a row is a prefix and one more
token. It sees, by a mask, those before it among all that were decoded, whatever the order, and hears one copy of the
audio that all share (or one of two). So rows of any length, and several tokens of a row, can be decoded together.
Arithmetic and weights are the file's, in eight bits; a run's rows are quantised with one scale for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ivr.speech.recognisers.moonshine_layers import Layers
from ivr.speech.recognisers.moonshine_weights import Weights

LAYERS = "/model/decoder/"


def decoding(weights: Weights) -> bytes:
    """A run over the rows ``tokens``, each in its ``places`` [rows] of its prefix. ``past.0``… and ``heard.0``…: keys
    and values of each layer, by turns, [heads, room or frames, a head's width]. ``mask`` [rows, room + rows]: 0 for
    what a row sees of the past and of this run, far below it else; ``within`` [rows or 1, frames]: the same for the
    audio; ``parts``: room and rows.

    -> ``scores`` [rows, vocabulary], log-probabilities of what comes next; ``grown``: keys and values of this run's."""
    g = Layers(weights)
    tokens, places = (g.input(name, np.int64, ("rows",)) for name in ("tokens", "places"))
    mask = g.input("mask", np.float32, ("rows", "seen"))
    parts = g.input("parts", np.int64, (2,))
    within = g.input("within", np.float32, ("hearers", "frames"))
    heads, head, sides = weights.heads, weights.head, range(2 * weights.layers)
    past = [g.input(f"past.{i}", np.float32, (heads, "room", head)) for i in sides]
    heard = [g.input(f"heard.{i}", np.float32, (heads, "frames", head)) for i in sides]
    turns = weights.constant(f"{LAYERS}rotary_emb/Expand", 0)
    angles = g.angles(places, turns)
    x = _embedded(g, weights, tokens)
    grown: list[str] = []
    for i in range(weights.layers):
        name = weights.layer(i)
        rows = g.normed(x, f"{name}/input_layernorm/LayerNormalization")
        q, k, v = g.regarding(rows, f"{name}/self_attn", angles, 2 * turns.size)
        said = _recalled(g, q, (k, v), past[2 * i : 2 * i + 2], mask, parts)
        x = g.node("Add", x, g.product(said, f"{name}/self_attn/o_proj"))
        grown += [k, v]
        rows = g.normed(x, f"{name}/post_attention_layernorm/LayerNormalization")
        q = g.headed(g.product(rows, f"{name}/encoder_attn/q_proj"), heads)
        share = g.node("Softmax", g.node("Add", g.likened(q, heard[2 * i]), within), axis=-1)
        listened = g.joined(g.node("MatMul", share, heard[2 * i + 1]))
        x = g.node("Add", x, g.product(listened, f"{name}/encoder_attn/o_proj"))
        rows = g.normed(x, f"{name}/final_layernorm/LayerNormalization")
        x = g.node("Add", x, _thought(g, weights, rows, f"{name}/mlp"))
    scores = g.product(g.normed(x, f"{LAYERS}norm/LayerNormalization"), "/proj_out")
    words = weights.matrix("/proj_out").values.shape[1]
    g.output("scores", g.node("LogSoftmax", scores, axis=-1), np.float32, ("rows", words))
    g.output("grown", g.node("Concat", *grown, axis=0), np.float32, (len(grown) * heads, "rows", head))
    return g.serialised()


def _embedded(g: Layers, weights: Weights, tokens: str) -> str:
    node = f"{LAYERS}embed_tokens/Gather"
    scale, zero = (weights.constant(f"{node}_output_0_DequantizeLinear", place) for place in (1, 2))
    table = g.constant(weights.constant(node, 0))
    bytes_ = g.node("Cast", g.node("Gather", table, tokens, axis=0), to=1)
    return g.node("Mul", g.node("Sub", bytes_, g.constant(zero.astype(np.float32))), g.constant(scale))


def _recalled(g: Layers, q: str, new: tuple[str, str], past: Sequence[str], mask: str, parts: str) -> str:
    """What the rows find in what was said before, in runs before and in this one."""
    likeness = g.node("Concat", g.likened(q, past[0]), g.likened(q, new[0]), axis=2)
    share = g.node("Softmax", g.node("Add", likeness, mask), axis=-1)
    before, now = g.split("Split", 2, share, parts, axis=2)
    return g.joined(g.node("Add", g.node("MatMul", before, past[1]), g.node("MatMul", now, new[1])))


def _thought(g: Layers, weights: Weights, rows: str, name: str) -> str:
    half = weights.matrix(f"{name}/fc1").values.shape[1] // 2
    value, gate = g.split("Split", 2, g.product(rows, f"{name}/fc1", bias=True), g.sizes(half, half), axis=1)
    return g.product(g.node("Mul", g.fused("QuickGelu", gate, alpha=1.0), value), f"{name}/fc2", bias=True)
