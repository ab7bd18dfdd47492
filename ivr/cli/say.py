"""`ivr say`: hear a sentence as callers would, as a WAV file."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.errors import ConfigError
from ivr.media.wav import wav_file
from ivr.speech.service import WorkerSpeechService

EPILOG = """\
examples:
  ivr say "Casablanca is at the top of your queue now." --out casablanca.wav
  ivr say "Casablanca está en primer lugar." --language es-ES --out casablanca.es.wav
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "say", "synthesise a sentence into a WAV file", EPILOG, handle)
    add_config(parser)
    parser.add_argument("text")
    parser.add_argument("--language", default="en-US")
    parser.add_argument("--voice", default="", help="a voice of the synthesiser; default: the language's")
    parser.add_argument("--out", type=Path, default=Path("say.wav"), metavar="FILE", help="default: say.wav")


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    if not arguments.text.strip():
        raise ConfigError("there is nothing to say", remedy="name a sentence")

    async def run() -> bytes:
        service = WorkerSpeechService(config.speech)
        await service.start_speaking()
        try:
            return (await service.render(arguments.text, arguments.language, arguments.voice)).pcm
        finally:
            await service.stop()

    pcm = asyncio.run(run())
    arguments.out.write_bytes(wav_file(pcm))
    print(f"{arguments.out}: {len(pcm) / 16000:.1f} s, 8 kHz")
    return 0
