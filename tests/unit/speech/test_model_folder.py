"""Folders of models for sherpa-onnx as they are published, and what isn't one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ivr.errors import SpeechUnavailable
from ivr.speech.model_folder import TOKENIZER, Family, model_in, models_in
from tests.unit.speech.protobuf_bytes import onnx_bytes

STREAMING = {"decode_chunk_len": "32", "T": "45"}


def folder(root: Path, files: Mapping[str, Mapping[str, str]], *others: str) -> Path:
    """``files``: ONNX files and their metadata."""
    root.mkdir(parents=True, exist_ok=True)
    for name, metadata in files.items():
        (root / name).write_bytes(onnx_bytes(metadata))
    for name in others:
        (root / name).write_text("x 0\n")
    return root


def named(*names: str, **metadata: str) -> dict[str, Mapping[str, str]]:
    return dict.fromkeys(names, metadata)


ZIPFORMER = ("encoder-epoch-99-avg-1.onnx", "decoder-epoch-99-avg-1.onnx", "joiner-epoch-99-avg-1.onnx")
NEMO = ("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx")
MOONSHINE = ("preprocess.onnx", "encode.int8.onnx", "uncached_decode.int8.onnx", "cached_decode.int8.onnx")
WHISPER = ("tiny.en-encoder.int8.onnx", "tiny.en-decoder.int8.onnx")


@pytest.mark.parametrize(
    ("files", "family"),
    [
        (named(*ZIPFORMER, model_type="zipformer2"), Family.TRANSDUCER),
        (named(*ZIPFORMER, model_type="zipformer2", **STREAMING), Family.STREAMING_TRANSDUCER),
        (named(*ZIPFORMER, model_type="lstm", **STREAMING), Family.STREAMING_TRANSDUCER),
        (named(*NEMO, model_type="EncDecRNNTBPEModel"), Family.NEMO_TRANSDUCER),
        (
            named(*NEMO, model_type="EncDecHybridRNNTCTCBPEModel", window_size="65", chunk_shift="56"),
            Family.STREAMING_TRANSDUCER,
        ),
        (named("model.onnx", model_type="EncDecCTCModelBPE"), Family.NEMO_CTC),
        (named("model.onnx", model_type="EncDecHybridRNNTCTCBPEModel", chunk_shift="8"), Family.STREAMING_NEMO_CTC),
        (named("model.int8.onnx", model_type="zipformer2_ctc"), Family.ZIPFORMER_CTC),
        (
            named("ctc-epoch-30-chunk-16.int8.onnx", model_type="zipformer2_ctc", **STREAMING),
            Family.STREAMING_ZIPFORMER_CTC,
        ),
        (named("model.int8.onnx", model_type="sense_voice_ctc"), Family.SENSE_VOICE),
        (named("model.int8.onnx", model_type="paraformer", lfr_window_size="7"), Family.PARAFORMER),
        (named(*MOONSHINE), Family.MOONSHINE),
    ],
)
def test_what_is_published_is_known(tmp_path: Path, files: dict[str, Mapping[str, str]], family: Family) -> None:
    found = model_in(folder(tmp_path / "en", files, "tokens.txt", "README.md"))
    assert found.family is family
    assert {file.name for file in found.files.values()} == {*files, "tokens.txt"}


def test_whisper_and_its_tokens_carry_the_size_in_their_names(tmp_path: Path) -> None:
    found = model_in(folder(tmp_path, named(*WHISPER, model_type="whisper-tiny.en"), "tiny.en-tokens.txt"))
    names = {part: file.name for part, file in found.files.items()}
    assert found.family is Family.WHISPER
    assert names == {"encoder": WHISPER[0], "decoder": WHISPER[1], "tokens": "tiny.en-tokens.txt"}


def test_moonshine_comes_with_tokens_or_with_its_own_tokenizer(tmp_path: Path) -> None:
    folder(tmp_path, {}, "encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
    found = model_in(tmp_path)
    assert found.family is Family.MERGED_MOONSHINE and found.files[TOKENIZER].name == "tokenizer.bin"
    (tmp_path / "tokens.txt").write_text("x 0\n")
    assert model_in(tmp_path).files["tokens"].name == "tokens.txt"


def test_the_light_one_is_taken_and_what_was_exported_together_stays_together(tmp_path: Path) -> None:
    parts = [
        f"{part}-epoch-99-avg-1-chunk-16-left-{left}" for left in (64, 128) for part in ("encoder", "decoder", "joiner")
    ]
    files = named(*(f"{part}{light}.onnx" for part in parts for light in ("", ".int8")), model_type="zipformer2")
    del files["joiner-epoch-99-avg-1-chunk-16-left-128.int8.onnx"]
    found = model_in(folder(tmp_path, files, "tokens.txt"))
    assert {part: file.name.partition("left-")[2] for part, file in found.files.items()} == {
        "encoder": "128.int8.onnx",
        "decoder": "128.int8.onnx",
        "joiner": "128.onnx",
        "tokens": "",
    }


def trouble(root: Path) -> str:
    with pytest.raises(SpeechUnavailable) as caught:
        model_in(root)
    return str(caught.value)


def test_what_was_looked_for_and_found_is_told(tmp_path: Path) -> None:
    assert "no such folder" in trouble(tmp_path / "none")
    assert "found nothing" in trouble(folder(tmp_path / "empty", {}))
    incomplete = trouble(folder(tmp_path / "half", named(*ZIPFORMER[1:], model_type="zipformer2"), "tokens.txt"))
    assert "looked for encoder, decoder and joiner (a transducer)" in incomplete
    assert f"found {ZIPFORMER[1]}, {ZIPFORMER[2]}, tokens.txt" in incomplete and "put all files" in incomplete
    (tmp_path / "packed" / "sherpa-onnx-zipformer-en").mkdir(parents=True)
    assert "found sherpa-onnx-zipformer-en/" in trouble(tmp_path / "packed") and "none in a folder below" in trouble(
        tmp_path / "packed"
    )
    many = trouble(folder(tmp_path / "many", {}, *(f"{n:02}.wav" for n in range(20))))
    assert "07.wav, 12 more" in many and "08.wav" not in many
    assert "lacks tokens.txt" in trouble(folder(tmp_path / "mute", named(*ZIPFORMER, model_type="zipformer2")))


def test_models_of_other_kinds_are_named(tmp_path: Path) -> None:
    kinds = named("encoder.int8.onnx", "decoder.int8.onnx", model_type="EncDecMultiTaskModel")
    assert "of the kind 'EncDecMultiTaskModel': not one of transducer, NeMo" in trouble(
        folder(tmp_path / "a", kinds, "tokens.txt")
    )
    assert "doesn't say of which kind" in trouble(folder(tmp_path / "b", named("model.onnx"), "tokens.txt"))
    streaming = named("model.onnx", model_type="paraformer", **STREAMING)
    assert "'paraformer', streaming" in trouble(folder(tmp_path / "c", streaming, "tokens.txt"))


def test_half_a_download_is_told(tmp_path: Path) -> None:
    folder(tmp_path, named(*ZIPFORMER, model_type="zipformer2"), "tokens.txt")
    encoder = tmp_path / ZIPFORMER[0]
    encoder.write_bytes(encoder.read_bytes()[:-9])
    assert "is no ONNX file, or not all of it" in trouble(tmp_path) and "fetch it again" in trouble(tmp_path)


def test_only_folders_with_onnx_files_are_models(tmp_path: Path) -> None:
    folder(tmp_path / "de", named("model.onnx"))
    folder(tmp_path / "es", {}, "final.mdl")
    (tmp_path / "fr.onnx").write_text("")
    assert models_in(tmp_path) == {"de": tmp_path / "de"} and models_in(tmp_path / "none") == {}
