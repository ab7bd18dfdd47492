"""pyVoIP answering calls, as a peer of the line: ``python -m tests.bench.pyvoip_answers CALLERS_PORT CLIP.pcm``.

One process, pyVoIP's own phone as it ships but for REGISTER (nobody here is a registrar): it answers each call and says
the clip (16 bits, 8 kHz) over and over. Prints ``ready PORT`` once it takes calls, and goes on until it is killed.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone

from tests.wire.ports import free_port

HOST = "127.0.0.1"
_CHUNK_S = 1.0


def _done() -> bool:
    return True


class Answering:
    """``clip``: 8 bits unsigned, as pyVoIP wants it."""

    def __init__(self, callers_port: int, clip: bytes) -> None:
        self._clip = clip
        self.phone = VoIPPhone(
            HOST,
            callers_port,
            "line",
            "",
            myIP=HOST,
            callCallback=self.answer,
            sipPort=free_port(HOST),
            rtpPortLow=40000,
            rtpPortHigh=49999,
        )
        self.listens = threading.Event()
        receive = self.phone.sip.recv_loop

        def receive_loop() -> None:  # pyVoIP begins with it a second after its start
            self.listens.set()
            receive()

        for name, instead in (("register", _done), ("deregister", _done), ("recv_loop", receive_loop)):
            setattr(self.phone.sip, name, instead)

    def answer(self, call: VoIPCall) -> None:
        """In a thread of the call's own, which pyVoIP starts a second after the INVITE."""
        call.answer()
        at = 0
        size = round(_CHUNK_S * 8000)
        while call.state is CallState.ANSWERED:
            call.write_audio((self._clip + self._clip)[at : at + size])
            at = (at + size) % len(self._clip)
            time.sleep(_CHUNK_S)


def main() -> int:
    pcm = np.frombuffer(Path(sys.argv[2]).read_bytes(), "<i2").astype(np.int32)
    answering = Answering(int(sys.argv[1]), ((pcm >> 8) + 128).astype(np.uint8).tobytes())
    answering.phone.start()
    answering.listens.wait()
    print(f"ready {answering.phone.sip.myPort}", flush=True)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
