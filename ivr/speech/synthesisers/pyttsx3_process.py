"""The subprocess around pyttsx3: texts in, WAV files out, over the frames of ``ivr.workers``.

Run as ``python -m ivr.speech.synthesisers.pyttsx3_process DATA_DIRECTORY FD``. It ends when its socket does.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from ivr.workers.blocking import Channel
from ivr.workers.child import inherited
from ivr.workers.frames import FIRST, REQUEST, Life, Refusal, asked

SAY = FIRST
_WORDS_A_MINUTE = 165
_TRIES = 3
_WAV_HEADER = 44


def order(voice: str, text: str) -> bytes:
    """The body of SAY, a request that is answered with a WAV file; with nothing when espeak wrote none."""
    return f"{voice}\n{text}".encode()


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


def _said(engine: Any, text: str, path: Path) -> bytes:
    """A WAV file; empty when nothing was written."""
    for _ in range(_TRIES):  # a long-lived engine sometimes writes an empty file
        path.unlink(missing_ok=True)
        engine.save_to_file(text, str(path))
        engine.runAndWait()
        if path.is_file() and path.stat().st_size > _WAV_HEADER:
            return path.read_bytes()
    return b""


def main() -> int:
    channel = Channel(inherited())
    try:
        engine = _engine(sys.argv[1])
    except (ImportError, OSError, RuntimeError) as error:
        channel.send(Life.REFUSED, 0, REQUEST.pack(0) + Refusal.of(error).pack())
        return 1
    voices = _voices(engine)
    channel.send(Life.READY)
    with tempfile.TemporaryDirectory(prefix="ivr-espeak-") as folder:
        while (received := channel.receive()) is not None:
            asking, body = asked(received[2])
            voice, _, text = body.decode().partition("\n")
            if voice.partition("+")[0].lower() not in voices:
                unknown = Refusal("LookupError", f"no voice {voice!r}", "use one of its voice ids")
                channel.send(Life.REFUSED, 0, REQUEST.pack(asking) + unknown.pack())
                continue
            engine.setProperty("voice", voice)
            engine.setProperty("rate", _WORDS_A_MINUTE)
            wav = _said(engine, text, Path(folder) / "out.wav")
            channel.send(Life.REPLY, 0, REQUEST.pack(asking) + wav)
    return 0


if __name__ == "__main__":
    sys.exit(main())
