"""Sentence embedding: what a sentence means as a vector, and the classifier fitted on a flow's phrases with it.

The one room on the line's side that computes with numpy and onnxruntime: a sentence takes about a millisecond, less
than the way to another process. Only ``loading`` and ``installation`` are for others; they load neither at once.
"""
