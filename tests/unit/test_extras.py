"""Extras: how they come into an environment that has the source, and into one that has the wheel alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr import extras


def test_from_the_source() -> None:
    assert extras.installing("embedding").endswith("-m pip install '.[embedding]'")


def test_from_the_wheel_by_the_packages_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never by our own name, which is somebody else's in the registry."""
    monkeypatch.setattr(extras, "SOURCE", tmp_path / "pyproject.toml")
    assert extras.installing("embedding").endswith("-m pip install 'onnx>=1.16'")
    whole = extras.installing("demo")
    assert "'pyVoIP==1.6.8'" in whole and "'espeakng-loader>=0.2.4'" in whole and "'piper-tts>=1.2'" in whole
    assert "ivr[" not in whole and "'ivr" not in whole
