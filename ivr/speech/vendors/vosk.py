"""Vosk (recognition): any language whose model lies in ``<vosk_models>/<language>/``."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path


def version() -> str:
    """The wheel's."""
    return metadata.version("vosk")


def model_directories(root: Path) -> dict[str, Path]:
    """Language -> directory of a usable model."""
    if not root.is_dir():
        return {}
    return {d.name: d for d in sorted(root.iterdir()) if is_model(d)}


def is_model(directory: Path) -> bool:
    """Whether Vosk could load what lies there: it crashes on anything else."""
    return (directory / "am" / "final.mdl").is_file()
