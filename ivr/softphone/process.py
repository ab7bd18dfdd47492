"""Softphone process: ``python -m ivr.softphone.process --host 127.0.0.1 --port 0``.

It speaks JSON lines: orders on stdin ({"do": "call", ...}), events on stdout ({"e": "ringing", "t": ...}); bytes are
base64. It ends with its parent: the end of stdin hangs up and exits, whatever way the parent went.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import queue
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any

from ivr.softphone.pyvoip_phone import DirectPhone
from ivr.softphone.tls_socket import PhoneTls

Order = Mapping[str, Any]


class EventWriter:
    """It writes events from any thread; a slow reader never holds up a packet."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="events", daemon=True)
        self._writer.start()

    def __call__(self, kind: str, **attributes: object) -> None:
        self._lines.put({"e": kind, "t": time.monotonic(), **attributes})

    def _write(self) -> None:
        while (event := self._lines.get()) is not None:
            line = memoryview(json.dumps(event, default=_base64).encode() + b"\n")
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                os._exit(0)  # nobody reads any more: the parent is gone

    def close(self) -> None:
        self._lines.put(None)
        self._writer.join(1.0)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"cannot be sent: {type(value).__name__}")


def _obey(phone: DirectPhone, order: Order) -> None:
    """Do what ``order`` says. Raises KeyError, ValueError, RuntimeError or OSError when it cannot be done."""
    call = phone.current
    audio = call.audio if call else None
    match order["do"]:
        case "call":
            server = (order["host"], order["port"])
            phone.dial(order["user"], server, order["from"], order["headers"], order["codecs"])
        case "hangup":
            phone.hangup()
        case "answer":
            phone.answer()
        case "refuse":
            phone.refuse(order["status"], order["reason"])
        case "incoming":
            phone.answer_after_s = order["after_s"]
            phone.refusal = (order["status"], order["reason"])
            phone.incoming = order["mode"]
        case what if audio is None:
            raise RuntimeError(f"no call is up, so it cannot {what}")
        case "say":
            audio.microphone.say(order["id"], base64.b64decode(order["payload"]))
        case "press":
            audio.keys.press(order["id"], order["keys"], order["hold_ms"], order["gap_ms"])
        case "hush":
            audio.microphone.hush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="ivr.softphone.process")
    parser.add_argument("--host", default="127.0.0.1", help="our address, an IP literal: it goes into the SDP")
    parser.add_argument("--port", type=int, default=0, help="SIP port; 0 takes a free one")
    parser.add_argument("--own-ack", action="store_true", help="send ACKs exactly as pyVoIP writes them")
    parser.add_argument("--tls", type=PhoneTls.of, help="SIP by TLS: JSON with the fields of PhoneTls")
    parser.add_argument("--srtp", action="store_true", help="call with nothing but SRTP, and take it")
    options = parser.parse_args()
    outlet = EventWriter(os.dup(1))
    os.dup2(2, 1)  # pyVoIP prints to stdout
    warnings.simplefilter("ignore")
    try:
        phone = DirectPhone(options.host, options.port, outlet, options.own_ack, options.tls, srtp=options.srtp)
    except OSError as error:
        outlet("broken", reason=f"cannot listen on {options.host}:{options.port}: {error.strerror}")
        outlet.close()
        sys.exit(1)
    outlet("ready", port=phone.sip.myPort)
    for line in sys.stdin.buffer:
        order: Order = json.loads(line)
        try:
            _obey(phone, order)
            if order["do"] not in ("say", "press"):  # those report when their last packet has left
                outlet("done", id=order["id"])
        except (KeyError, ValueError, RuntimeError, OSError) as error:
            outlet("failed", id=order["id"], reason=str(error))
    phone.hangup()
    outlet.close()
    os._exit(0)  # pyVoIP's threads don't end by themselves


if __name__ == "__main__":
    main()
