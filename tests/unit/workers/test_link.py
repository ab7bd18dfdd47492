"""The link to a worker: frames of one turn of the loop go together, in order, also those before it is closed."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ivr.workers.frames import Splitter
from ivr.workers.link import Link


async def test_frames_of_one_turn_go_in_one_write_and_none_is_left_behind() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with theirs:
        link = Link(lambda *_: None)
        await link.take(ours)
        link.send(20, 1, b"first")
        with pytest.raises(BlockingIOError):
            theirs.recv(1)  # not yet
        link.send(21, 2, b"second")
        assert link.unsent == len(b"firstsecond")
        await asyncio.sleep(0)
        assert link.unsent == 0
        assert list(Splitter().feed(theirs.recv(1000))) == [(20, 1, b"first"), (21, 2, b"second")]
        link.send(22, 3, b"last")
        link.close()
        assert list(Splitter().feed(theirs.recv(1000))) == [(22, 3, b"last")]
