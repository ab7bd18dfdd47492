"""The protocol between the line and its speech workers: every message in both directions, on ``workers.frames``.

A frame's number is the call's session, 0 where a message belongs to none. Audio, fifty times a second and call, has a
layout of its own; every other body is size:u32, JSON of that size, and a blob. SETUP says ``Setup``, READY ``Ready``.
``Recognise`` is answered with a ``RECOGNITION``, ``Render`` and ``Level`` with PCM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.events import EarEvent, Heard, RecogniserFailed, Recognition, SpeechEnded, SpeechStarted
from ivr.workers.frames import FIRST, Life, asked

AUDIO = FIRST  # the kind; the others are numbered in the order of ``_MESSAGES``
_AT = Struct("!d")  # time of the first sample
_SIZE = Struct("!I")  # of the JSON
Blob = Annotated[bytes, Field(exclude=True)]  # goes beside the JSON


@dataclass(frozen=True, slots=True)
class Setup:
    """What to load: recognisers (``recogniser`` and where their models are, as configured, ``processes`` that hear by
    them) or synthesisers (``preload``); and how ``nice`` to be to other programs."""

    recogniser: str = "auto"
    vosk_models: str = ""
    preload: tuple[str, ...] = ()
    processes: int = 1
    nice: int = 0
    sherpa_models: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """A recogniser that is loaded, or (``detail``) why it isn't."""

    name: str
    languages: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """What is loaded so far; ``complete``: nothing more will be."""

    engines: tuple[Engine, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Open:
    """A call's session begins. ``background``: after those that somebody waits for. ``unsure``: what was not surely
    recognised is told as Unsure, with its audio."""

    language: str
    background: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar, named by its ``key`` from now on: sent once (``KnownGrammars``). The blob: all of it."""

    key: str
    blob: Blob = b""


@dataclass(frozen=True, slots=True)
class Listen:
    """Detect utterances as ``ports.ListenRequest`` says; without a ``key``, stop."""

    key: str = ""
    hangover_s: float = 0.0
    max_utterance_s: float = 0.0
    early: bool = True
    private: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """A call's session ends."""


@dataclass(frozen=True, slots=True)
class Recognise:
    """A request: one finished utterance under a known grammar. The blob: PCM."""

    key: str
    blob: Blob = b""


@dataclass(frozen=True, slots=True)
class Render:
    """A request: synthesise ``text``."""

    engine: str
    text: str
    language: str
    voice: str


@dataclass(frozen=True, slots=True)
class Level:
    """A request: make a telephone prompt of a recording. The blob: a WAV file."""

    blob: Blob = b""


@dataclass(frozen=True, slots=True)
class Unsure:
    """``heard``, which the recogniser is unsure of. The blob: the utterance, PCM."""

    heard: Heard
    blob: Blob = b""


Message = Setup | Ready | Open | Grammar | Listen | Close | Recognise | Render | Level | Unsure | EarEvent
_MESSAGES: tuple[type[Message], ...] = (
    *(Open, Grammar, Listen, Close, Recognise, Render, Level),  # line to worker
    *(SpeechStarted, SpeechEnded, Heard, Unsure, RecogniserFailed),  # worker to line
)
_KINDS: dict[type[Message], int] = {Setup: Life.SETUP, Ready: Life.READY}
_KINDS |= {message: kind for kind, message in enumerate(_MESSAGES, AUDIO + 1)}
_BODIES: dict[int, TypeAdapter[Any]] = {kind: TypeAdapter(message) for message, kind in _KINDS.items()}
_REQUESTS = {_KINDS[message] for message in (Recognise, Render, Level)}
GRAMMAR, RECOGNITION = TypeAdapter(SpeechGrammar), TypeAdapter(Recognition)


def encode(message: Message) -> tuple[int, bytes]:
    """Kind and body; a request's without its number."""
    kind = _KINDS[type(message)]
    text = _BODIES[kind].dump_json(message)
    return kind, _SIZE.pack(len(text)) + text + getattr(message, "blob", b"")


def decode(kind: int, body: bytes) -> tuple[Message, int]:
    """The message of a frame, and a request's number (else 0). Raises KeyError for an unknown kind, ValueError for a
    body that is not of its kind."""
    asking, body = asked(body) if kind in _REQUESTS else (0, body)
    end = _SIZE.size + _SIZE.unpack_from(body)[0]
    message: Message = _BODIES[kind].validate_json(body[_SIZE.size : end])
    if isinstance(message, Grammar | Recognise | Level | Unsure):
        message = replace(message, blob=body[end:])
    return message, asking


def audio(at: float, pcm: bytes) -> bytes:
    """The body of AUDIO; ``at`` is the first sample's time."""
    return _AT.pack(at) + pcm


def parse_audio(body: bytes) -> tuple[float, bytes]:
    """(time of the first sample, PCM)."""
    return _AT.unpack_from(body)[0], body[_AT.size :]
