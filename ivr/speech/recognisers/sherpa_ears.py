"""Ears of sherpa-onnx: a model of any family that a folder may hold, loaded, and what it writes of an utterance.

One thread each, so that a loaded one may be forked. The library prints what is wrong with a model and ends the process:
``ivr.speech.recognisers.sherpa`` tries each in a process of its own first.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ivr.dialogue.spoken.language import primary
from ivr.speech.model_folder import TOKENIZER, TOKENS, Family, ModelFolder
from ivr.speech.recognisers.hotwords import Hotwords, hotwords
from ivr.speech.recognisers.moonshine_pieces import pieces
from ivr.speech.worker.engines import Cancelled, Samples

RATE = 16000
_CHUNK = RATE // 3  # samples of a streaming model between looks at ``cancelled``
_TAIL = np.zeros(2 * RATE // 3, np.float32)  # a streaming model writes its last word when it has heard what comes after
_BIASED = {"decoding_method": "modified_beam_search"}  # the one that takes hotwords
_SENSE_VOICE = frozenset(("zh", "en", "ja", "ko", "yue"))


@dataclass(frozen=True, slots=True)
class Written:
    """A transcript, and the log-probability of each of its tokens, from models that tell."""

    text: str
    log_probs: tuple[float, ...] = ()


class Ear(Protocol):
    @property
    def hotwords(self) -> Hotwords | None:
        """How it takes them; None: it doesn't."""

    def write(self, samples: Samples, expected: str, cancelled: Callable[[], bool]) -> Written:
        """``samples``: 16 kHz, half a second at least. ``expected``: hotwords as spelt. Raises Cancelled."""


@dataclass(frozen=True, slots=True)
class OfflineEar:
    """Hears an utterance in one piece, and can't be stopped in the middle."""

    recogniser: Any
    hotwords: Hotwords | None

    def write(self, samples: Samples, expected: str, cancelled: Callable[[], bool]) -> Written:
        if cancelled():
            raise Cancelled
        stream = self.recogniser.create_stream(expected or None)
        stream.accept_waveform(RATE, samples)
        self.recogniser.decode_stream(stream)
        if cancelled():
            raise Cancelled
        return Written(stream.result.text.strip(), tuple(stream.result.ys_log_probs))


@dataclass(frozen=True, slots=True)
class StreamingEar:
    recogniser: Any
    hotwords: Hotwords | None

    def write(self, samples: Samples, expected: str, cancelled: Callable[[], bool]) -> Written:
        stream = self.recogniser.create_stream(expected or None)
        for at in range(0, len(samples), _CHUNK):
            if cancelled():
                raise Cancelled
            stream.accept_waveform(RATE, samples[at : at + _CHUNK])
            self._decode(stream)
        stream.accept_waveform(RATE, _TAIL)
        stream.input_finished()
        self._decode(stream)
        if cancelled():
            raise Cancelled
        result = self.recogniser.get_result_all(stream)
        return Written(result.text.strip(), tuple(result.ys_probs))

    def _decode(self, stream: Any) -> None:
        while self.recogniser.is_ready(stream):
            self.recogniser.decode_stream(stream)


def ear(model: ModelFolder, language: str) -> Ear:
    """Loaded. Raises RuntimeError for what the library tells of; for the rest it ends the process."""
    with tempfile.TemporaryDirectory(prefix="ivr-sherpa-") as folder:  # what it reads while it loads
        return _ear(model, language, Path(folder))


def _ear(model: ModelFolder, language: str, made: Path) -> Ear:
    import sherpa_onnx  # an extra

    offline, streaming = sherpa_onnx.OfflineRecognizer, sherpa_onnx.OnlineRecognizer
    files = {part: str(file) for part, file in model.files.items() if part not in (TOKENS, TOKENIZER)}
    if (tokens := model.files.get(TOKENS)) is None:
        tokens = made / "tokens.txt"
        tokens.write_text(tokens_of(model.files[TOKENIZER].read_bytes()), encoding="ascii")
    common: dict[str, Any] = {"tokens": str(tokens), "num_threads": 1}
    spelling: Hotwords | None = None
    if model.family in (Family.TRANSDUCER, Family.STREAMING_TRANSDUCER):
        spelling = hotwords(tokens, tokens.parent)
        if spelling is not None:
            vocabulary = made / "bpe.vocab"
            vocabulary.write_text(spelling.pieces, encoding="utf-8")
            common |= {
                **_BIASED,
                "modeling_unit": spelling.unit,
                "bpe_vocab": str(vocabulary) if spelling.pieces else "",
            }
    match model.family:
        case Family.TRANSDUCER:
            return OfflineEar(offline.from_transducer(**files, **common), spelling)
        case Family.NEMO_TRANSDUCER:
            return OfflineEar(offline.from_transducer(**files, **common, model_type="nemo_transducer"), None)
        case Family.STREAMING_TRANSDUCER:
            return StreamingEar(streaming.from_transducer(**files, **common), spelling)
        case Family.NEMO_CTC:
            return OfflineEar(offline.from_nemo_ctc(**files, **common), None)
        case Family.STREAMING_NEMO_CTC:
            return StreamingEar(streaming.from_nemo_ctc(**files, **common), None)
        case Family.ZIPFORMER_CTC:
            return OfflineEar(offline.from_zipformer_ctc(**files, **common), None)
        case Family.STREAMING_ZIPFORMER_CTC:
            return StreamingEar(streaming.from_zipformer2_ctc(**files, **common), None)
        case Family.SENSE_VOICE:
            named = primary(language) if primary(language) in _SENSE_VOICE else "auto"
            return OfflineEar(offline.from_sense_voice(**files, **common, language=named), None)
        case Family.PARAFORMER:
            return OfflineEar(offline.from_paraformer(paraformer=files["model"], **common), None)
        case Family.WHISPER:
            return OfflineEar(offline.from_whisper(**files, **common, language=primary(language)), None)
        case Family.MOONSHINE:
            return OfflineEar(offline.from_moonshine(**files, **common), None)
        case Family.MERGED_MOONSHINE:
            merged = {"encoder": files["encoder"], "decoder": files["merged_decoder"]}
            return OfflineEar(offline.from_moonshine_v2(**merged, **common), None)


def tokens_of(tokenizer: bytes) -> str:
    """Moonshine's tokenizer as tokens.txt."""
    return "".join(f"{base64.b64encode(piece).decode()} {number}\n" for number, piece in enumerate(pieces(tokenizer)))
