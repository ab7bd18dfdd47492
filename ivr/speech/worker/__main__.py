"""A speech worker process: ``python -m ivr.speech.worker ROLE FD``, ROLE "listen" or "speak", FD an inherited socket.

The loop runs voice activity for all its calls; recognition and synthesis run in threads (the libraries release the
GIL), so that one call's recognition never delays another's voice activity. Everything comes and goes over the socket;
the worker ends when it closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from typing import Any

import structlog

from ivr.speech.framing import Message, Sound, encode_message, read_frame
from ivr.speech.worker.recognition import Hearing
from ivr.speech.worker.synthesis import Speaking

_NICENESS = 5  # media and the line go first
_SWITCH_S = 0.001  # Python threads yield to the voice-activity loop sooner than the default 5 ms


class Link:
    """The worker's end of the socket. ``send`` may only be called on the loop."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def send(self, session: int, head: dict[str, Any], blob: bytes = b"") -> None:
        if not self._writer.is_closing():
            self._writer.write(encode_message(session, head, blob))


def _log_over(link: Link, loop: asyncio.AbstractEventLoop) -> None:
    """Log lines go to the line, which owns the log."""

    def ship(_: object, method: str, event: Any) -> str:
        head = {"op": "log", "level": method, "event": {k: str(v) for k, v in event.items()}}
        loop.call_soon_threadsafe(link.send, 0, head)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, ship])


async def run(role: str, connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    link = Link(writer)
    _log_over(link, asyncio.get_running_loop())
    work = Hearing(link) if role == "listen" else Speaking(link)
    try:
        async with asyncio.TaskGroup() as tasks:
            beat = tasks.create_task(work.run())
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    frame = await read_frame(reader)
                    if isinstance(frame, Sound):
                        work.sound(frame)
                    elif frame.head["op"] == "ping":
                        link.send(0, {"op": "pong", "n": frame.head["n"]})
                    else:
                        work.message(frame)
            beat.cancel()
    finally:
        work.close()


__all__ = ["Link", "Message", "run"]


def main() -> int:
    role, fd = sys.argv[1], int(sys.argv[2])
    os.nice(_NICENESS)
    sys.setswitchinterval(_SWITCH_S)
    asyncio.run(run(role, socket.socket(fileno=fd)))
    os._exit(0)  # threads deep inside a model must not keep a worker alive that nobody listens to


if __name__ == "__main__":
    sys.exit(main())
