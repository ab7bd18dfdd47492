"""The encoder: a sentence as a unit vector, by all-MiniLM-L6-v2 in int8 on onnxruntime, one thread."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime

from ivr.embedding.conversion import LONGEST, WIDTH, Floats
from ivr.embedding.wordpiece import WordPieces

MOST_KEPT = 512  # vectors: a sentence is often asked about more than once


class Encoder:
    """The files that ``conversion`` wrote, loaded. ``key`` identifies them: the same key, the same vectors.

    Raises OSError for missing files; onnxruntime's own errors for broken ones."""

    def __init__(self, folder: Path, key: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        options.log_severity_level = 3
        self.key, self.width = key, WIDTH
        self._session = onnxruntime.InferenceSession(
            str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._pieces = WordPieces((folder / "vocabulary.txt").read_text("utf-8").split("\n"))
        self._words = np.load(folder / "words.npy", mmap_mode="r")
        self._scales = np.load(folder / "scales.npy")
        self._places = np.load(folder / "places.npy")

        self._of = lru_cache(maxsize=MOST_KEPT)(self._encoded)

    def __call__(self, text: str) -> Floats:
        """The unit vector of ``text``, [384], not to be written to. Deterministic."""
        return self._of(text)

    def _encoded(self, text: str) -> Floats:
        ids = self._pieces(text, LONGEST)
        embedded = self._words[ids] * self._scales[ids] + self._places[: len(ids)]
        found: Floats = self._session.run(None, {"x": embedded[None].astype(np.float32)})[0][0]
        length = np.float32(max(float(np.linalg.norm(found)), 1e-9))
        vector = np.asarray(found / length, np.float32)
        vector.flags.writeable = False
        return vector
