"""What is offered of sherpa-onnx, an extra, by what lies in its folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.cli.models import handle_list
from ivr.config import SpeechConfig, load_config
from ivr.speech import vendors
from ivr.speech.vendors import Offer, recogniser_for, recogniser_offers
from ivr.speech.worker.prefork import build_recognisers
from tests.unit.speech.protobuf_bytes import onnx_bytes


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = vendors.package
    monkeypatch.setattr(vendors, "package", lambda name: Path("/") if name == "sherpa_onnx" else found(name))
    monkeypatch.setattr(vendors, "version", lambda name: "1.0")


def sense_voice(folder: Path, kind: str = "sense_voice_ctc") -> None:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx_bytes({"model_type": kind}))
    (folder / "tokens.txt").write_text("x 0\n")


def offers(root: Path, recogniser: str = "auto") -> dict[str, Offer]:
    config = SpeechConfig.model_validate(
        {"recogniser": recogniser, "vosk_models": root / "none", "sherpa_models": root}
    )
    return {offer.name: offer for offer in recogniser_offers(config)}


@pytest.mark.usefixtures("installed")
def test_a_language_whose_model_lies_there_is_served(tmp_path: Path) -> None:
    sense_voice(tmp_path / "ja")
    found = offers(tmp_path)
    assert found["sherpa"] == Offer("sherpa", "1.0", ("ja",))
    assert recogniser_for(list(found.values()), "ja-JP") == "sherpa"
    assert recogniser_for(list(found.values()), "en-US") == "moonshine"


@pytest.mark.usefixtures("installed")
def test_what_else_lies_there_is_told(tmp_path: Path) -> None:
    sense_voice(tmp_path / "ja")
    sense_voice(tmp_path / "de", "a voice")
    offer = offers(tmp_path)["sherpa"]
    assert offer.languages == ("ja",) and "'a voice'" in offer.detail and "choose another" in offer.detail


@pytest.mark.usefixtures("installed")
def test_a_folder_that_may_not_be_read_is_told_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sense_voice(tmp_path / "ja")
    sense_voice(tmp_path / "de")
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "de":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    offer = offers(tmp_path)["sherpa"]
    assert offer.languages == ("ja",) and f"{tmp_path / 'de'}: Permission denied (let " in offer.detail
    assert [r.languages for r in build_recognisers("sherpa", tmp_path, tmp_path)] == [("ja",)]


def test_without_a_model_it_is_told_only_to_who_asks_for_it(tmp_path: Path) -> None:
    assert "sherpa" not in offers(tmp_path)
    asked = offers(tmp_path, "sherpa")
    assert list(asked) == ["sherpa"] and f"no folder under {tmp_path}" in asked["sherpa"].detail


def test_without_the_package_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sense_voice(tmp_path / "ja")
    monkeypatch.setattr(vendors, "find_spec", lambda name: None)
    config = SpeechConfig(recogniser="sherpa", sherpa_models=tmp_path)
    (offer,) = recogniser_offers(config)
    assert offer.languages == () and "pip install '.[sherpa]'" in offer.detail


def test_it_is_loaded_for_languages_that_nobody_else_hears(tmp_path: Path) -> None:
    for language in ("en", "ja"):
        sense_voice(tmp_path / language)
    built = build_recognisers("auto", tmp_path / "none", tmp_path)
    assert [(each.name, tuple(each.languages)) for each in built] == [("moonshine", ("en",)), ("sherpa", ("ja",))]
    built = build_recognisers("sherpa", tmp_path / "none", tmp_path)
    assert [(each.name, tuple(each.languages)) for each in built] == [("sherpa", ("en",)), ("sherpa", ("ja",))]


def test_the_list_of_models_tells_how_each_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sense_voice(tmp_path / "models" / "ja")
    sense_voice(tmp_path / "models" / "de", "a voice")
    (tmp_path / "config.toml").write_text("[speech]\n")
    assert load_config(tmp_path / "config.toml").speech.sherpa_models == tmp_path / "models"
    handle_list(argparse.Namespace(config=tmp_path / "config.toml"))
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert "installed" in lines["ja"] and lines["ja"].endswith(" SenseVoice") and lines["ja"].startswith("sherpa-onnx ")
    assert "unusable" in lines["de"] and "'a voice'" in lines["de"]
