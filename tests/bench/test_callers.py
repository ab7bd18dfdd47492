"""What callers count, against an answering side that does what a test says; what processes take, by real ones."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.process_tree import memory_mb, settled
from tests.bench.talking_callers import FRAME, Plan, Sentence, talk

LOUD = b"\x00" * FRAME
QUIET = Sentence([b"\xff" * FRAME], 0)
WAITS_S = 0.4


@contextmanager
def answering(status: int) -> Iterator[str]:
    """HOST:PORT of a side that answers each INVITE so, after a moment, and then sends 25 loud frames a second."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
    ):
        for each in (sip, rtp):
            each.bind(("127.0.0.1", 0))
        sip.settimeout(0.04)
        over = threading.Event()
        thread = threading.Thread(target=_answer, args=(status, sip, rtp, over))
        thread.start()
        try:
            yield f"127.0.0.1:{sip.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def _answer(status: int, sip: socket.socket, rtp: socket.socket, over: threading.Event) -> None:
    heard = None
    while not over.is_set():
        try:
            text, source = sip.recvfrom(4096)
        except TimeoutError:
            if heard is not None:
                rtp.sendto(bytes(12) + LOUD, heard)
            continue
        if not text.startswith(b"INVITE"):
            continue
        kept = "".join(
            line + "\r\n" for line in text.decode().split("\r\n") if line.startswith(("Via", "From", "Call", "CSeq"))
        )
        to = "To: <sip:line@127.0.0.1>;tag=1\r\nContact: <sip:line@127.0.0.1>\r\n"
        port = re.search(rb"m=audio (\d+)", text)
        assert port is not None
        body = f"m=audio {rtp.getsockname()[1]} RTP/AVP 0\r\n" if status == 200 else ""
        over.wait(WAITS_S)
        sip.sendto(f"SIP/2.0 {status} Told\r\n{kept}{to}Content-Length: {len(body)}\r\n\r\n{body}".encode(), source)
        heard = ("127.0.0.1", int(port[1])) if status == 200 else None


def plan(line: str, seconds: float) -> Plan:
    return Plan(("", 0), 1, seconds, 1e9, 0.0, ("5035550101",), [QUIET], frozenset()).to(line)


def test_the_first_sound_counts_from_the_invite_and_packets_from_the_answer() -> None:
    with answering(200) as line:
        heard = talk(plan(line, 2.0))
    (first,) = heard.first_s
    assert heard.talked == 1 and first >= WAITS_S
    assert heard.call_seconds <= 2.0 - WAITS_S + 0.05
    assert 0 < heard.packets_a_second <= 30, "25 a second, less where this machine is late"


def test_who_is_refused_hears_nothing() -> None:
    with answering(503) as line:
        heard = talk(plan(line, 1.0))
    assert (heard.refused, heard.talked, heard.first_s, heard.packets_a_second) == ({503: 1}, 0, [], 0.0)


def test_memory_is_told_by_role_in_megabytes() -> None:
    assert 1.0 < memory_mb(os.getpid())["line"] < 4000.0
    assert memory_mb(2**22 + 1) == {}, "gone"


def test_who_does_nothing_has_settled_and_who_works_has_not() -> None:
    """A busy one is waited for as long as allowed."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        began = time.monotonic()
        asyncio.run(settled(busy.pid, timeout_s=1.5))
        took = time.monotonic() - began
        busy.kill()
    with subprocess.Popen(["sleep", "30"]) as idle:
        asyncio.run(settled(idle.pid, timeout_s=20.0))
        idle.kill()
    assert took >= 1.5
    assert time.monotonic() - began < 20.0
