"""The subprocess around pyttsx3: JSON orders on standard input, JSON answers on the real standard output.

Run as ``python -m ivr.speech.synthesisers.pyttsx3_process DATA_DIRECTORY``. It ends when its input does.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

_TRIES = 3
_WAV_HEADER = 44


def _answer(out: TextIO, **values: Any) -> None:
    out.write(json.dumps(values) + "\n")
    out.flush()


def _engine(data: str) -> Any:
    """pyttsx3's espeak driver; the library must be loaded globally before pyttsx3 looks for it."""
    os.environ["ESPEAK_DATA_PATH"] = data
    try:
        loader = importlib.import_module("espeakng_loader")
        if Path(loader.get_data_path()).samefile(data):
            ctypes.CDLL(loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)
    except ImportError:
        pass  # the system's library: pyttsx3 finds it by its name
    return importlib.import_module("pyttsx3").init("espeak")


def _voices(engine: Any) -> frozenset[str]:
    """What may be asked for: espeak takes any name, and speaks English when it does not know it."""
    names: set[str] = set()
    for voice in engine.getProperty("voices"):
        names |= {voice.id, voice.id.rpartition("/")[2], *(str(tag).strip("\0").lower() for tag in voice.languages)}
    return frozenset(names)


def _save(engine: Any, order: dict[str, Any]) -> bool:
    path = Path(order["path"])
    for _ in range(_TRIES):  # a long-lived engine sometimes writes an empty file
        path.unlink(missing_ok=True)
        engine.save_to_file(order["text"], str(path))
        engine.runAndWait()
        if path.is_file() and path.stat().st_size > _WAV_HEADER:
            return True
    return False


def main() -> int:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # pyttsx3 prints: not into our answers
    try:
        engine = _engine(sys.argv[1])
    except (ImportError, OSError, RuntimeError) as error:
        _answer(out, ready=False, error=str(error))
        return 1
    voices = _voices(engine)
    _answer(out, ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["voice"].partition("+")[0].lower() not in voices:
            _answer(out, id=order["id"], ok=False, voice_unknown=True)
            continue
        engine.setProperty("voice", order["voice"])
        engine.setProperty("rate", order["rate"])
        _answer(out, id=order["id"], ok=_save(engine, order))
    return 0


if __name__ == "__main__":
    sys.exit(main())
