"""Prefork loads what it can: a recogniser that raises anything is told of, and the others are there."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ivr.speech.wire import Ready, Setup
from ivr.speech.worker.prefork import LARGEST, Prefork, parse


class Strange(Exception):
    """As onnxruntime raises them: none of the usual ones."""


class Recogniser:
    def __init__(self, name: str, error: Exception | None) -> None:
        self.name, self.languages, self.error = name, ("en",), error

    def load(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [Strange("the graph is another"), KeyError("a node"), MemoryError()])
def test_a_recogniser_that_cannot_be_loaded_is_told_of(error: Exception) -> None:
    wanted: list[Any] = [Recogniser("broken", error), Recogniser("whole", None)]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        prefork = Prefork(theirs, Setup(processes=0), lambda *_: wanted)
        prefork._load()
        told = [parse(ours.recv(LARGEST)) for _ in wanted]
    last = told[-1]
    assert isinstance(last, Ready) and last.complete
    assert [(engine.name, bool(engine.detail)) for engine in last.engines] == [("broken", True), ("whole", False)]
