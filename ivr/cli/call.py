"""`ivr call`: a softphone that phones any SIP URI, speaks or keys what it is told, and prints what it hears."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.errors import IvrError
from ivr.softphone.script import add_arguments, run_call
from ivr.speech.service import WorkerSpeechService

EPILOG = """\
examples:
  ivr call sip:line@127.0.0.1:5060 --say "move Casablanca to the top" --say "that's all"
  ivr call sip:line@127.0.0.1:5060 --interrupt --press 0 --record zero.wav
  ivr call sip:line@127.0.0.1:5060 --from 5035550101 --voice espeak:en-us+f3 --say "what's next"
  ivr call sips:line@line.example.com --tls-ca ca.pem --tls-certificate phone.pem --say "what's next"
What the line says is shown as a recogniser hears it on the telephone, with mistakes that the line didn't make.
Needs the softphone extra (pyVoIP, GPL) and for voices the demo extra: pip install '.[demo]' in the source's folder.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "call", "phone a SIP URI and talk to it", EPILOG, handle)
    add_config(parser)
    add_arguments(parser)
    parser.add_argument("--deaf", action="store_true", help="don't transcribe what is heard")


def handle(arguments: argparse.Namespace) -> int:
    return talk(arguments, run_call)


def talk(arguments: argparse.Namespace, run: Callable[..., Awaitable[int]]) -> int:
    """Run a softphone's command with what it hears written down, unless ``--deaf``; Ctrl-C hangs up and is 130."""
    try:
        return asyncio.run(_talk(arguments, run))
    except KeyboardInterrupt:
        return 130


async def _talk(arguments: argparse.Namespace, run: Callable[..., Awaitable[int]]) -> int:
    def show(line: object) -> None:
        print(line, flush=True)

    if arguments.deaf:
        return await run(arguments, show=show)
    speech = WorkerSpeechService(configuration(arguments).speech)
    await speech.start()
    nothing = SpeechGrammar("none", "en-US", ())

    async def transcribe(pcm: bytes) -> str:
        try:
            return (await speech.recognise(pcm, nothing)).transcript
        except IvrError:
            return ""

    try:
        return await run(arguments, show=show, transcriber=transcribe)
    finally:
        await speech.stop()
