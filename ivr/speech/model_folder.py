"""Model folders for sherpa-onnx: of which family a model is, and which file is which, as published ones lie there.

The names of the files tell their parts, the metadata inside what made them. Loads nothing: sherpa-onnx ends its process
on what it cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ivr.errors import SpeechUnavailable
from ivr.speech.protobuf import onnx_metadata

TOKENS, TOKENIZER = "tokens", "tokenizer"
_ENDINGS = frozenset((".onnx", ".ort"))
_LIGHT = ".int8"  # preferred: a third of the time, nearly as good
_PARTS = (  # what of a name tells the part; the first that fits
    ("joiner", "joiner"),
    ("preprocess", "preprocessor"),
    ("uncached", "uncached_decoder"),
    ("cached", "cached_decoder"),
    ("merged", "merged_decoder"),
    ("decode", "decoder"),
    ("encode", "encoder"),
    ("model", "model"),
    ("ctc", "model"),
)
_PART_NAMES = re.compile(r"joiner|preprocess(or)?|uncached|cached|merged|decoder?|encoder?|model|ctc")
_LAYOUTS = (
    frozenset(("encoder", "decoder", "joiner")),
    frozenset(("encoder", "merged_decoder")),
    frozenset(("preprocessor", "encoder", "uncached_decoder", "cached_decoder")),
    frozenset(("encoder", "decoder")),
    frozenset(("model",)),
)
_LOOKED_FOR = (
    "encoder, decoder and joiner (a transducer), encoder and decoder (Whisper), model (CTC, SenseVoice, Paraformer), "
    "encoder_model and decoder_model_merged, or preprocess, encode, uncached_decode and cached_decode (Moonshine), "
    "as .onnx or .ort"
)
_SHOWN = 8  # files in an error
_STREAMING = frozenset(("decode_chunk_len", "chunk_shift"))  # only streaming models have such metadata


class Family(StrEnum):
    TRANSDUCER = "transducer"
    NEMO_TRANSDUCER = "NeMo transducer"
    STREAMING_TRANSDUCER = "streaming transducer"
    NEMO_CTC = "NeMo CTC"
    STREAMING_NEMO_CTC = "streaming NeMo CTC"
    ZIPFORMER_CTC = "Zipformer CTC"
    STREAMING_ZIPFORMER_CTC = "streaming Zipformer CTC"
    SENSE_VOICE = "SenseVoice"
    PARAFORMER = "Paraformer"
    WHISPER = "Whisper"
    MOONSHINE = "Moonshine"
    MERGED_MOONSHINE = "Moonshine, merged decoder"


_BY_TYPE = (  # how the metadata's model_type of a model in one file begins; offline, streaming
    ("EncDec", (Family.NEMO_CTC, Family.STREAMING_NEMO_CTC)),
    ("zipformer2_ctc", (Family.ZIPFORMER_CTC, Family.STREAMING_ZIPFORMER_CTC)),
    ("sense_voice", (Family.SENSE_VOICE, None)),
    ("paraformer", (Family.PARAFORMER, None)),
)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """``files``: a part's name -> its file. ``TOKENS`` is among them, or ``TOKENIZER``, Moonshine's own."""

    family: Family
    files: Mapping[str, Path]


def models_in(root: Path) -> dict[str, Path]:
    """Language -> what may be a model: ``root/<language>/`` with ONNX files in it, or that can't be read."""
    return {folder.name: folder for folder in sorted(root.glob("*")) if folder.is_dir() and _may_hold_one(folder)}


def _may_hold_one(folder: Path) -> bool:
    try:
        return bool(_graphs(folder))
    except SpeechUnavailable:
        return True


def _graphs(folder: Path) -> list[Path]:
    """Raises SpeechUnavailable for a folder that can't be read."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix in _ENDINGS)
    except OSError as error:
        raise SpeechUnavailable(
            f"{folder}: {error.strerror}", remedy="let the service's user read it and what is in it"
        ) from error


def model_in(folder: Path) -> ModelFolder:
    """Raises SpeechUnavailable, saying what was looked for and what is there."""
    parts = _parts(_graphs(folder)) if folder.is_dir() else {}
    if not parts:
        raise SpeechUnavailable(
            f"{folder} holds no model for sherpa-onnx: looked for {_LOOKED_FOR}, found {_contents(folder)}",
            remedy="put all files of a published model's folder there, none in a folder below it",
        )
    words = _words(folder, merged="merged_decoder" in parts)
    if not words:
        raise SpeechUnavailable(
            f"{folder} lacks tokens.txt: found {_contents(folder)}",
            remedy="it comes with the model: copy it there, too",
        )
    return ModelFolder(_family(parts), {**parts, **words})


def _parts(graphs: list[Path]) -> dict[str, Path]:
    """The parts of the first layout that is whole; those that were exported together have the rest of their names in
    common."""
    together: dict[str, dict[str, Path]] = {}
    for file in graphs:
        stem = file.stem.lower()
        light = stem.endswith(_LIGHT)
        part = next((part for word, part in _PARTS if word in stem), None)
        if part is not None:
            parts = together.setdefault(_PART_NAMES.sub("", stem.removesuffix(_LIGHT)).strip("-_."), {})
            if light or part not in parts:
                parts[part] = file
    for layout in _LAYOUTS:
        for _, parts in sorted(together.items()):
            if layout <= parts.keys():
                return {part: parts[part] for part in layout}
    return {}


def _words(folder: Path, *, merged: bool) -> dict[str, Path]:
    found = [file for file in (folder / "tokens.txt", *sorted(folder.glob("*-tokens.txt"))) if file.is_file()]
    if found:
        return {TOKENS: found[0]}
    tokenizer = folder / "tokenizer.bin"
    return {TOKENIZER: tokenizer} if merged and tokenizer.is_file() else {}


def _family(parts: Mapping[str, Path]) -> Family:
    if "merged_decoder" in parts:
        return Family.MERGED_MOONSHINE
    if "preprocessor" in parts:
        return Family.MOONSHINE
    file = parts.get("model") or parts["encoder"]
    about = _metadata(file)
    kind, streaming = about.get("model_type", ""), not _STREAMING.isdisjoint(about)
    found: Family | None = None
    if "joiner" in parts:
        offline = Family.NEMO_TRANSDUCER if kind.startswith("EncDec") else Family.TRANSDUCER
        found = Family.STREAMING_TRANSDUCER if streaming else offline
    elif "model" in parts:
        either = next((families for begins, families in _BY_TYPE if kind.startswith(begins)), (None, None))
        found = either[streaming]
    elif kind.startswith("whisper"):
        found = Family.WHISPER
    if found is None:
        what = f"a model of the kind {kind!r}" if kind else "a model that doesn't say of which kind it is"
        raise SpeechUnavailable(
            f"{file} is {what}{', streaming' if streaming else ''}: not one of {', '.join(Family)}",
            remedy="choose another of the published models",
        )
    return found


def _metadata(file: Path) -> dict[str, str]:
    if file.suffix == ".ort":  # another format, which says nothing of the kind
        return {}
    try:
        return onnx_metadata(file)
    except (ValueError, OSError) as error:
        raise SpeechUnavailable(
            f"{file} is no ONNX file, or not all of it: {error}", remedy="fetch it again"
        ) from error


def _contents(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in folder.iterdir())
    more = len(names) - _SHOWN
    return ", ".join([*names[:_SHOWN], *([f"{more} more"] if more > 0 else [])]) or "nothing"
