"""Which process loads what: nothing heavy on the line's side, nothing of the line's in the media process."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENGINES = ("ivr.media.process", "ivr.speech.recognisers", "ivr.speech.synthesisers", "ivr.speech.worker")


def loaded_by(module: str) -> set[str]:
    """What a fresh interpreter has loaded after importing ``module``."""
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_line_loads_no_engine_and_no_numpy() -> None:
    loaded = loaded_by("ivr.service")
    assert not loaded & {"numpy", "onnxruntime", "soxr", "vosk", "hibari", "pyttsx3"}
    assert [name for name in sorted(loaded) if name.startswith(ENGINES)] == []


@pytest.mark.parametrize("heavy", ["asyncio", "pydantic", "structlog", "ivr.config", "ivr.ports"])
def test_the_media_process_starts_light(heavy: str) -> None:
    assert heavy not in loaded_by("ivr.media.process.ticker")


def test_a_softphone_starts_light() -> None:
    """Tests and benches begin them by the hundred."""
    assert not loaded_by("ivr.softphone.process") & {"pydantic", "phonenumbers", "ivr.config", "ivr.ports"}
