"""Moonshine's encoder as a graph of our own, made of the weights in its file: from samples to what a decoder hears.

The file's graph pads every head to a multiple of eight, works out shapes at each step and multiplies unsigned bytes.
Arithmetic and weights here are the file's; the decoder's keys and values of the audio are made in the same run.
"""

from __future__ import annotations

import numpy as np

from ivr.speech.recognisers.moonshine_layers import EPSILON, Layers
from ivr.speech.recognisers.moonshine_weights import Matrix, Weights

LAYERS = "/"
_STRIDES = (64, 3, 2)  # of the three convolutions


def encoding(weights: Weights, decoder: Weights) -> bytes:
    """``samples`` [1, 1, samples] at 16 kHz -> ``heard``: keys and values of the audio for each layer of the decoder,
    by turns, [2 x layers x heads, frames, a head's width]."""
    g = Layers(weights)
    x = _framed(g, weights, g.input("samples", np.float32, (1, 1, "samples")))
    turns = weights.constant("/rotary_emb/Expand", 0)
    frames = g.node("Gather", g.node("Shape", x), g.constant(np.array(0, np.int64)))
    zero, one = (g.constant(np.array(n, np.int64)) for n in (0, 1))
    angles = g.angles(g.node("Range", zero, frames, one), turns)
    for i in range(weights.layers):
        name = weights.layer(i)
        rows = g.normed(x, f"{name}/input_layernorm/LayerNormalization")
        q, k, v = g.regarding(rows, f"{name}/self_attn", angles, 2 * turns.size)
        share = g.node("Softmax", g.likened(q, k), axis=-1)
        x = g.node("Add", x, g.product(g.joined(g.node("MatMul", share, v)), f"{name}/self_attn/o_proj"))
        rows = g.normed(x, f"{name}/post_attention_layernorm/LayerNormalization")
        inner = g.fused("Gelu", g.product(rows, f"{name}/mlp/fc1", bias=True))
        x = g.node("Add", x, g.product(inner, f"{name}/mlp/fc2", bias=True))
    states = g.normed(x, "SkipLayerNormalization", (2, 3))
    names = [f"{decoder.layer(i)}/encoder_attn/{side}_proj" for i in range(decoder.layers) for side in "kv"]
    heard = g.multiplied(states, Matrix.beside(*map(decoder.matrix, names)))
    each = len(names) * decoder.heads
    g.output("heard", g.headed(heard, each), np.float32, (each, "frames", decoder.head))
    return g.serialised()


def _framed(g: Layers, weights: Weights, samples: str) -> str:
    """Samples to rows."""
    first, second, third = _STRIDES
    x = g.node("Tanh", g.node("Conv", samples, g.constant(weights.constant("/conv1/Conv", 1)), strides=(first,)))
    flat = g.node("Reshape", x, g.sizes(1, 1, -1))
    unit = (g.constant(np.full(1, value, np.float32)) for value in (1, 0))
    normed = g.node("InstanceNormalization", flat, *unit, epsilon=EPSILON)
    x = g.node("Reshape", normed, g.node("Shape", x))
    x = g.node("Mul", x, g.constant(weights.constant("/groupnorm/Mul", 1)))
    x = g.node("Add", x, g.constant(weights.constant("/groupnorm/Add", 1)))
    for name, stride in (("/conv2/Conv", second), ("/conv3/Conv", third)):
        kernel, bias = (g.constant(weights.constant(name, place)) for place in (1, 2))
        x = g.fused("Gelu", g.node("Conv", x, kernel, bias, strides=(stride,)))
    return g.node("Transpose", g.node("Reshape", x, g.sizes(weights.width, -1)), perm=(1, 0))
