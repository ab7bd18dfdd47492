"""An agent's phone: it is rung by the line, shows who is coming and why, and talks."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from urllib.parse import unquote

from ivr.errors import ConfigError, DialFailed
from ivr.softphone.events import Incoming
from ivr.softphone.phone import Softphone
from ivr.softphone.script import (
    Caller,
    Show,
    Step,
    Transcriber,
    TranscriptLine,
    add_steps,
    converse,
    kept,
    steps_of,
    voice_for,
)
from ivr.softphone.tls_socket import add_tls, tls_of
from ivr.softphone.voices import CallerVoice

SHOWN = {  # what a hand-over's headers say, by the words an agent has for it
    "x-ivr-reason": "reason",
    "x-ivr-also": "also",
    "x-ivr-priority": "priority",
    "x-ivr-call-id": "call",
    "x-ivr-context": "everything so far",
    "user-to-user": "user-to-user",
}
FOREVER_S = 10 * 365 * 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ivr answer`."""
    parser.add_argument(
        "address",
        nargs="?",
        default="127.0.0.1:5090",
        metavar="HOST:PORT",
        help="where to be rung (default: %(default)s)",
    )
    add_steps(parser)
    parser.add_argument("--after", type=float, default=1.0, metavar="SECONDS", help="ring so long before answering")
    parser.add_argument("--busy", action="store_true", help="refuse every call with 486 Busy Here")
    parser.add_argument("--once", action="store_true", help="stop after one call")
    parser.add_argument("--leave", action="store_true", help="hang up after the last step")
    add_tls(parser)


async def run_answer(options: argparse.Namespace, *, show: Show, transcriber: Transcriber | None = None) -> int:
    """Answer calls one after the other until cancelled; return 0, or 1 when the call of ``--once`` went wrong.

    Raises ConfigError, UnavailableError (the port is taken, the softphone isn't installed)."""
    host, _, port = options.address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"not HOST:PORT: {options.address}", remedy="write it like 127.0.0.1:5090")
    steps = steps_of(options)
    voice = await voice_for(options, steps)
    tls = tls_of(options) if options.tls_certificate is not None else None
    async with Softphone.open(host=host, port=int(port), tls=tls, srtp=options.srtp) as phone:
        await phone.set_incoming("busy" if options.busy else "answer", after_s=options.after)
        show(TranscriptLine(0.0, "call", f"waiting for calls at {phone.uri}; Ctrl-C ends"))
        while True:
            incoming = await phone.wait_incoming(FOREVER_S)
            for text in told(incoming):
                show(TranscriptLine(0.0, "call", text))
            went_well = await _take(phone, options, steps, voice, show, transcriber)
            if options.once:
                return 0 if went_well else 1


async def _take(
    phone: Softphone,
    options: argparse.Namespace,
    steps: list[Step],
    voice: CallerVoice | None,
    show: Show,
    transcriber: Transcriber | None,
) -> bool:
    try:
        await phone.wait_answered(FOREVER_S)
    except DialFailed as error:
        show(TranscriptLine(0.0, "call", f"not answered: {error}"))
        await phone.wait_ended()
        return bool(options.busy)
    agent = Caller(phone, voice, show, transcriber, who="agent")
    async with kept(phone, options.record, show), agent.in_call():
        complaint = await converse(agent, steps, stay=not options.leave)
        if complaint and phone.ended is None:
            agent.tell("call", complaint)
    return not complaint


def told(incoming: Incoming) -> list[str]:
    """Who rings and what the line says of them, a line each."""
    shown = [f"rung by {incoming.caller or 'somebody'}"]
    return shown + [f"  {words}: {value}" for words, value in _context(incoming.headers)]


def _context(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [(words, headers[name]) for name, words in SHOWN.items() if headers.get(name)]
    return [(words, unquote(value) if words in ("reason", "also") else value) for words, value in found]
