"""Synthesis process for espeak-ng: ``python -m ivr.softphone.espeak VOICE WORDS_PER_MINUTE < text > pcm``.

It writes 16-bit mono PCM after one line with the sample rate. The library (GPL) comes from ``espeakng-loader`` and is
loaded here only; it can crash its process without hurting anybody.
"""

from __future__ import annotations

import ctypes
import sys

import espeakng_loader

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: give the samples to the callback, return when done
_RATE = 1  # espeak_PARAMETER
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def synthesise(text: str, voice: str, words_per_minute: int) -> tuple[int, bytes]:
    """Return (sample rate, PCM). Raises ValueError for an unknown voice, RuntimeError when the engine fails."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 500, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        raise RuntimeError(f"espeak-ng did not start ({rate})")
    if library.espeak_SetVoiceByName(voice.encode()):
        raise ValueError(f"espeak-ng has no voice {voice}")
    library.espeak_SetParameter(_RATE, words_per_minute, 0)
    pcm = bytearray()

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, _: int | None) -> int:
        if samples and count > 0:
            pcm.extend(ctypes.string_at(samples, count * 2))
        return 0

    callback = _CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    data = text.encode("utf8") + b"\0"
    status = library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, _UTF8, None, None)
    if status:
        raise RuntimeError(f"espeak-ng failed ({status})")
    return rate, bytes(pcm)


def main() -> None:
    voice, words_per_minute = sys.argv[1], int(sys.argv[2])
    rate, pcm = synthesise(sys.stdin.buffer.read().decode("utf8"), voice, words_per_minute)
    sys.stdout.buffer.write(f"{rate}\n".encode() + pcm)


if __name__ == "__main__":
    main()
