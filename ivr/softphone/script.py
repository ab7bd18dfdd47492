"""Scripted caller: it says sentences, presses keys and waits for prompts, led by what is heard.

``run_call`` is `ivr call`; ``Caller`` is the same for programs (the demo, the wire tests).
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from ivr.errors import ConfigError, DialFailed, TelephonyError
from ivr.softphone.phone import Softphone, by_tls, is_uri, local_address
from ivr.softphone.prompt_detection import HeardPiece, PromptDetector
from ivr.softphone.timing import key_silences, responses, speech_silences, summary
from ivr.softphone.tls_socket import add_tls, tls_of
from ivr.softphone.voices import DEFAULT_CACHE, CallerVoice, available_voices

Transcriber = Callable[[bytes], Awaitable[str]]
LONGEST_TALK_S = 86_400.0
_TRAILING_S = 0.04  # of silence that a caller's voice ends with


Who = Literal["caller", "agent", "line", "call"]


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One line of the live transcript. ``at``: seconds since the call was answered."""

    at: float
    who: Who
    text: str

    def __str__(self) -> str:
        return f"{self.at:7.2f} s  {self.who:<6}  {self.text}"


Show = Callable[[TranscriptLine], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a caller does. ``act``: "say" or "press" (``what``: the sentence or keys), "interrupt" (wait until the
    line starts to talk), "wait" (until it has talked and then been quiet)."""

    act: str
    what: str = ""


class Caller:
    """A voice on a phone in an answered call. Every method raises TelephonyError once the far end has hung up."""

    def __init__(
        self,
        phone: Softphone,
        voice: CallerVoice | None,
        show: Show | None = None,
        transcriber: Transcriber | None = None,
        who: Who = "caller",
    ) -> None:
        self.who = who
        self.phone = phone
        self.voice = voice
        self.heard: list[tuple[HeardPiece, str]] = []
        self._show = show
        self._transcriber = transcriber
        self._now = asyncio.get_running_loop().time
        self._pieces: asyncio.Queue[HeardPiece | None] = asyncio.Queue()
        self._listening = PromptDetector(self._now, self._pieces.put_nowait)

    @classmethod
    @asynccontextmanager
    async def calling(
        cls,
        phone: Softphone,
        uri: str,
        voice: CallerVoice | None,
        *,
        from_number: str = "",
        show: Show | None = None,
        transcriber: Transcriber | None = None,
        ring_timeout_s: float = 35.0,
    ) -> AsyncIterator[Self]:
        """Call, hand over the caller once answered, hang up at the end. Raises DialFailed, TimeoutError."""
        await phone.call(uri, from_number=from_number)
        await phone.wait_answered(ring_timeout_s)
        caller = cls(phone, voice, show, transcriber)
        srtp = phone.answered.srtp if phone.answered else ""
        caller.tell("call", f"answered by {uri}" + (f", encrypted: {srtp}" if srtp else ""))
        async with caller.in_call():
            yield caller

    @asynccontextmanager
    async def in_call(self) -> AsyncIterator[None]:
        """Hear and write down what is heard, from the answer on; hang up at the end."""
        hearing = asyncio.create_task(self._hear())
        writing = asyncio.create_task(self._write())
        try:
            yield
        finally:
            await self.phone.hangup()
            ended = await self.phone.wait_ended(5)
            await hearing
            await writing
            self.tell("call", f"ended by {ended.by}: {ended.reason}")

    def tell(self, who: Who, text: str, at: float | None = None) -> None:
        if self._show:
            answered = self.phone.answered.at if self.phone.answered else self._now()
            self._show(TranscriptLine(max(0.0, (self._now() if at is None else at) - answered), who, text))

    async def say(self, text: str) -> float:
        """Speak ``text``; return the time its last packet left. Raises ConfigError for a caller without a voice."""
        if self.voice is None:
            raise ConfigError("this caller has no voice", remedy="give it a CallerVoice, or let it press keys")
        pcm = await self.voice.speak_soon(text)
        self.tell(self.who, f"says “{text}”")
        ended = await self.phone.say(pcm)
        self._listening.acted(ended - _TRAILING_S)
        return ended

    async def press(self, keys: str) -> float:
        """Press keys; return the time the last had left."""
        self.tell(self.who, f"presses {' '.join(keys)}")
        self._listening.acted(self._now())
        return await self.phone.press(keys)

    async def prompt_begin(self, timeout_s: float = 15.0) -> float:
        return await self._listening.prompt_begin(timeout_s)

    async def prompt_end(self, quiet_s: float = 0.9, timeout_s: float = 60.0) -> None:
        await self._listening.prompt_end(quiet_s, timeout_s)

    async def follow(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step.act:
                case "say":
                    await self.say(step.what)
                case "press":
                    await self.press(step.what)
                case "interrupt":
                    await self.prompt_begin()
                case "wait":
                    await self.prompt_end()

    async def _hear(self) -> None:
        async for sound in self.phone.listen():
            self._listening.hear(sound)
        self._listening.over()
        self._pieces.put_nowait(None)

    async def _write(self) -> None:
        while (piece := await self._pieces.get()) is not None:
            text = await self._transcriber(piece.pcm) if self._transcriber else ""
            self.heard.append((piece, text))
            self.tell("line", f"says “{text}”" if text else f"talks for {piece.end - piece.start:.1f} s", piece.start)


# --- `ivr call` ------------------------------------------------------------------------------------------------


class _StepAction(argparse.Action):
    """It keeps --say, --press and their like in the order they were given."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        steps: list[Step] = getattr(namespace, "steps", None) or []
        kind = (option or "").lstrip("-")
        if kind == "press" and not re.fullmatch(r"[0-9*#A-Da-d]+", values):
            parser.error(f"--press {values}: keys are 0 to 9, * and #")
        if kind in ("say", "press") and (not steps or steps[-1].act in ("say", "press")):
            steps.append(Step("wait"))
        steps.append(Step(kind, values or ""))
        namespace.steps = steps


def add_steps(parser: argparse.ArgumentParser) -> None:
    """Add the options for what is said and keyed, with which voice, and where it is kept."""
    step: dict[str, Any] = {"action": _StepAction, "default": argparse.SUPPRESS}
    parser.add_argument("--say", metavar="TEXT", help="say this when the prompt has ended (repeatable)", **step)
    parser.add_argument("--press", metavar="KEYS", help="press these keys when the prompt has ended", **step)
    parser.add_argument("--interrupt", nargs=0, help="the next --say or --press interrupts the prompt", **step)
    parser.add_argument("--wait", nargs=0, help="wait for one more prompt to end", **step)
    parser.add_argument(
        "--voice", default="", help="joe, espeak:VOICE or hibari, with @SPEED (default: joe where it is)"
    )
    parser.add_argument("--srtp", action="store_true", help="encrypt the audio (SRTP, with keys in the SDP: RFC 4568)")
    parser.add_argument("--record", type=Path, metavar="WAV", help="stereo: left this phone, right what it heard")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help=argparse.SUPPRESS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ivr call`."""
    parser.add_argument("uri", help="whom to call, e.g. sip:line@127.0.0.1:5060, or sips:… by TLS")
    add_steps(parser)
    parser.add_argument("--stay", action="store_true", help="after the last step stay until the line hangs up")
    parser.add_argument("--from", dest="from_number", default="", help="the number to call from")
    parser.add_argument("--host", default="", help="our address (default: the one that reaches the line)")
    add_tls(parser)


async def run_call(options: argparse.Namespace, *, show: Show, transcriber: Transcriber | None = None) -> int:
    """Make the call that ``options`` (from ``add_arguments``) describe; return 0, or 1 when it went wrong.

    Cancelled (Ctrl-C), it hangs up and keeps what was recorded. Raises ConfigError for what is no SIP URI."""
    if not is_uri(options.uri):
        raise ConfigError(f"not a SIP URI: {options.uri}", remedy="write it as sip:NAME@HOST:PORT")
    steps = steps_of(options)
    host = re.sub(r"^<?sips?:(?:[^@]*@)?|[:;>].*$", "", options.uri)
    tls = tls_of(options, secure=options.uri.lower().startswith("sips:")) if by_tls(options.uri) else None
    voice = await voice_for(options, steps)
    async with Softphone.open(host=options.host or local_address(host), tls=tls, srtp=options.srtp) as phone:
        try:
            async with (
                kept(phone, options.record, show),
                Caller.calling(
                    phone, options.uri, voice, from_number=options.from_number, show=show, transcriber=transcriber
                ) as caller,
            ):
                complaint = await converse(caller, steps, options.stay)
                if complaint:
                    caller.tell("call", complaint)
        except (DialFailed, TimeoutError) as error:
            show(TranscriptLine(0.0, "call", f"not answered: {error or 'nobody answered in time'}"))
            return 1
        for text in measured(phone):
            show(TranscriptLine(0.0, "call", text))
    return 1 if complaint else 0


def steps_of(options: argparse.Namespace) -> list[Step]:
    return [*getattr(options, "steps", [])]


async def voice_for(options: argparse.Namespace, steps: Sequence[Step]) -> CallerVoice | None:
    """The voice, with every sentence spoken ahead: nobody waits on the telephone while it is loaded."""
    sentences = {step.what for step in steps if step.act == "say"}
    if not sentences:
        return None
    voice = CallerVoice(options.voice or next(iter(available_voices()), "joe"), options.cache)
    for sentence in sentences:
        await voice.speak_soon(sentence)
    return voice


@asynccontextmanager
async def kept(phone: Softphone, recording: Path | None, show: Show) -> AsyncIterator[None]:
    """Save an answered call's recording however the call ends."""
    try:
        yield
    finally:
        if recording is not None and phone.answered is not None:
            phone.save(recording)
            show(TranscriptLine(0.0, "call", f"recorded in {recording}"))


async def converse(caller: Caller, steps: Sequence[Step], stay: bool) -> str:
    """Follow the steps; return what went wrong, "" when nothing did. Once every step is done the line may hang up."""
    try:
        await caller.follow(steps)
        try:
            await (caller.phone.wait_ended(LONGEST_TALK_S) if stay else caller.prompt_end())
        except TelephonyError:
            if caller.phone.ended is None:
                raise
    except (TelephonyError, TimeoutError) as error:
        return str(error) or "the line did not hang up"
    return ""


def measured(phone: Softphone) -> list[str]:
    """Return the call's waiting times in words; empty when nothing could be measured."""
    timeline = phone.timeline
    kinds = {
        "speech end to answer": [r.seconds for r in responses(timeline) if r.seconds is not None],
        "key to silence": [s.seconds for s in key_silences(timeline) if s.seconds is not None],
        "speech onset to silence": [s.seconds for s in speech_silences(timeline) if s.seconds is not None],
    }
    return [
        f"{kind}: p50 {found.p50:.2f} s, p95 {found.p95:.2f} s, worst {found.worst:.2f} s ({found.count})"
        for kind, values in kinds.items()
        if (found := summary(values))
    ]
