"""SIP softphone to call with or be called on, driven from asyncio. One call at a time."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from ivr.errors import DialFailed, TelephonyError, UnavailableError
from ivr.extras import installing
from ivr.softphone.events import KINDS, Answered, CallOver, Incoming, PhoneEvent, Ringing, TracedMessage
from ivr.softphone.g711 import Law, encode
from ivr.softphone.timing import Timeline
from ivr.softphone.tls_socket import PhoneTls
from ivr.softphone.trace import HeardSound, RtpPacket, Trace

T = TypeVar("T")
_URI = re.compile(r"^<?(?P<scheme>sips?):(?:(?P<user>[^@>;?]*)@)?(?P<host>[^:>;?@]+)(?::(?P<port>\d+))?[^>]*>?$")


class Softphone:
    """A telephone. Use ``async with Softphone.open(...)``, or ``Softphone.start(...)`` and ``close()``."""

    def __init__(self, process: asyncio.subprocess.Process, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.secure = False  # it speaks TLS
        self.messages: list[TracedMessage] = []
        self.troubles: list[str] = []  # SIP messages that pyVoIP could not digest
        self.trace = Trace(asyncio.get_running_loop().time())
        self.incoming: Incoming | None = None
        self.answered: Answered | None = None
        self.ended: CallOver | None = None
        self._process = process
        self._changed = asyncio.Condition()
        self._history: list[PhoneEvent] = []
        self._pending: dict[int, tuple[asyncio.Future[float], bool]] = {}
        self._listeners: set[asyncio.Queue[HeardSound | None]] = set()
        self._order = 0
        self._gone = ""
        self._up = False
        self._settled = False  # the end of an incoming call has been told
        self._reader = asyncio.create_task(self._read(), name=f"softphone {port}")

    # --- life ------------------------------------------------------------------------------------------------

    @classmethod
    async def start(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        own_ack: bool = False,
        tls: PhoneTls | None = None,
        srtp: bool = False,
    ) -> Self:
        """Start the process. ``host``: an address of this machine that the far end can reach; ``tls``: SIP goes by it;
        ``srtp``: it calls with nothing but SRTP, and takes it.

        Raises UnavailableError when the extra is not installed or the port is taken."""
        arguments = ["--host", host, "--port", str(port), *(["--own-ack"] if own_ack else [])]
        arguments += ["--tls", str(tls)] if tls is not None else []
        arguments += ["--srtp"] if srtp else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ivr.softphone.process", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
            start_new_session=True,  # Ctrl-C is ours: the phone hangs up when its stdin ends
        )
        assert process.stdout is not None and process.stderr is not None
        first = await process.stdout.readline()
        event = json.loads(first) if first else {"e": "broken"}
        if event["e"] != "ready":
            _, errors = await process.communicate()
            if "reason" in event:
                raise UnavailableError(f"the softphone did not start: {event['reason']}", remedy="choose a free port")
            text = errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise UnavailableError(f"the softphone did not start: {text}", remedy=installing("softphone"))
        made = cls(process, host, int(event["port"]))
        made.secure = tls is not None
        return made

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        own_ack: bool = False,
        tls: PhoneTls | None = None,
        srtp: bool = False,
    ) -> AsyncIterator[Self]:
        """Start and close the phone as a context."""
        phone = await cls.start(host=host, port=port, own_ack=own_ack, tls=tls, srtp=srtp)
        try:
            yield phone
        finally:
            await phone.close()

    async def close(self) -> None:
        """Hang up and end the process. Idempotent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
        await self._reader

    @property
    def uri(self) -> str:
        """The URI to call this phone at."""
        return f"sip:phone@{self.host}:{self.port}{';transport=tls' if self.secure else ''}"

    @property
    def pid(self) -> int:
        return self._process.pid

    # --- calls -----------------------------------------------------------------------------------------------

    async def call(
        self,
        uri: str,
        *,
        from_number: str = "",
        headers: Mapping[str, str] | None = None,
        codecs: tuple[Law, ...] = ("PCMU",),
    ) -> None:
        """Send the INVITE; ``wait_answered`` waits. Raises TelephonyError when a call is up or the URI is wrong."""
        match = _URI.match(uri)
        if not match:
            raise TelephonyError(f"not a SIP URI: {uri}", remedy="write it as sip:NAME@HOST:PORT")
        if by_tls(uri) != self.secure:
            raise TelephonyError(f"{uri} {'needs' if by_tls(uri) else 'is not'} TLS: start the phone so")
        if self._up:
            raise TelephonyError("this phone is in a call already", remedy="hang up first, or start another phone")
        self.forget()
        self._up = True
        await self._command(
            do="call",
            user=match["user"] or "",
            host=match["host"],
            port=int(match["port"] or (5061 if self.secure else 5060)),
            headers=dict(headers or {}),
            codecs=list(codecs),
            **{"from": from_number},
        )

    async def set_incoming(
        self,
        mode: Literal["answer", "ring", "busy"],
        *,
        after_s: float = 0.0,
        status: int = 486,
        reason: str = "Busy Here",
    ) -> None:
        """Choose what to do with INVITEs: answer after ``after_s``, ring until told, or refuse with ``status``."""
        await self._command(do="incoming", mode=mode, after_s=after_s, status=status, reason=reason)

    async def answer(self) -> None:
        await self._command(do="answer")

    async def refuse(self, status: int = 603, reason: str = "Decline") -> None:
        await self._command(do="refuse", status=status, reason=reason)

    async def hangup(self) -> None:
        """Send BYE, CANCEL or a refusal. ``wait_ended`` tells when it is over; nothing happens without a call."""
        await self._command(do="hangup")

    async def say(self, pcm: bytes) -> float:
        """Speak 16-bit 8 kHz audio, after what is being said; return the time its last packet left."""
        law: Law = self.answered.codec if self.answered else "PCMU"
        return await self._command(do="say", payload=base64.b64encode(encode(pcm, law)).decode("ascii"))

    async def press(self, keys: str, *, hold_ms: int = 100, gap_ms: int = 80) -> float:
        """Press keys by RFC 4733; return when the last has left. Raises TelephonyError where that is impossible."""
        return await self._command(do="press", keys=keys, hold_ms=hold_ms, gap_ms=gap_ms)

    async def hush(self) -> None:
        """Stop speaking."""
        await self._command(do="hush")

    # --- waiting ---------------------------------------------------------------------------------------------

    async def wait_ringing(self, timeout_s: float = 10.0) -> None:
        """Wait for ringing. Raises DialFailed when the call ended instead, TimeoutError."""
        await self._unless_over(lambda: any(isinstance(e, Ringing | Answered) for e in self._history), timeout_s)

    async def wait_incoming(self, timeout_s: float = 10.0) -> Incoming:
        """Wait for the INVITE that rings here, or rang last. Raises TimeoutError."""
        return await self._until(lambda: None if self._settled else self.incoming, timeout_s)

    async def wait_answered(self, timeout_s: float = 35.0) -> Answered:
        """Wait for the answer. Raises DialFailed when the call was refused or given up, TimeoutError.

        A phone that is called and whose last call's end ``wait_ended`` has told waits for the next call."""
        return await self._unless_over(lambda: None if self._settled else self.answered, timeout_s)

    async def wait_ended(self, timeout_s: float = 35.0) -> CallOver:
        """Wait for the end. Raises TimeoutError."""
        ended = await self._until(lambda: self.ended, timeout_s)
        self._settled = self.incoming is not None
        return ended

    async def wait_message(self, direction: str, start: str, timeout_s: float = 10.0) -> TracedMessage:
        """Wait for a SIP message that went "in" or "out" and starts so ("ACK ", "SIP/2.0 487"). Raises TimeoutError."""

        def arrived() -> TracedMessage | None:
            return next((m for m in self.messages if m.direction == direction and m.text.startswith(start)), None)

        return await self._until(arrived, timeout_s)

    async def _unless_over(self, happened: Callable[[], T | None], timeout_s: float) -> T:
        def happened_or_over() -> T | CallOver | None:
            return happened() or (None if self._settled else self.ended)

        found: T | CallOver = await self._until(happened_or_over, timeout_s)
        if isinstance(found, CallOver):
            raise DialFailed(found.status, found.reason)
        return found

    async def _until(self, happened: Callable[[], T | None], timeout_s: float) -> T:
        """Wait until ``happened`` returns something. Raises UnavailableError if the process ends, TimeoutError."""
        async with self._changed, asyncio.timeout(timeout_s):
            while not (found := happened()):
                if self._gone:
                    raise UnavailableError(self._gone)
                await self._changed.wait()
        return found

    async def events(self) -> AsyncIterator[PhoneEvent]:
        """Yield everything of the current call from its beginning, ending with CallOver."""
        seen = 0
        history = self._history
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: len(history) > seen or self._gone)  # noqa: B023 - awaited here
            if seen == len(history):
                return
            event = history[seen]
            seen += 1
            yield event
            if isinstance(event, CallOver):
                return

    async def listen(self) -> AsyncIterator[HeardSound]:
        """Yield what is heard from now on, by packet, until the call ends. Ten seconds are kept for slow readers."""
        queue: asyncio.Queue[HeardSound | None] = asyncio.Queue(500)
        if self.ended or self._gone:
            return
        self._listeners.add(queue)
        try:
            while (sound := await queue.get()) is not None:
                yield sound
        finally:
            self._listeners.discard(queue)

    # --- measurements ----------------------------------------------------------------------------------------

    @property
    def timeline(self) -> Timeline:
        """The timeline of the current or last call, for ``ivr.softphone.timing``."""
        return self.trace.timeline

    def save(self, path: Path) -> None:
        """Write the call as a stereo WAV: left what this phone said, right what it heard."""
        self.trace.save(path)

    # --- the other process -----------------------------------------------------------------------------------

    async def _command(self, **order: object) -> float:
        """Send an order and wait until it is carried out (speech and keys: until the last packet left)."""
        assert self._process.stdin is not None
        if self._gone:
            raise UnavailableError(self._gone)
        speaks = order["do"] in ("say", "press")
        if speaks and self.ended:
            raise TelephonyError(f"the call is over: {self.ended.reason}")
        self._order += 1
        number = self._order
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._pending[number] = (future, speaks)
        try:
            self._process.stdin.write(json.dumps({**order, "id": number}).encode() + b"\n")
            with suppress(ConnectionError):  # the reader finds out why
                await self._process.stdin.drain()
            return await future
        finally:
            self._pending.pop(number, None)

    async def _read(self) -> None:
        assert self._process.stdout is not None and self._process.stderr is not None
        errors = asyncio.create_task(self._process.stderr.read())
        while line := await self._process.stdout.readline():
            await self._take(json.loads(line))
        text = (await errors).decode(errors="replace").strip()
        await self._process.wait()
        self._gone = f"the softphone's process ended ({self._process.returncode}) {text[-500:]}".strip()
        self._call_over(UnavailableError(self._gone))
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, event: dict[str, Any]) -> None:
        kind = event.pop("e")
        if kind in ("sent", "heard"):
            await self._take_packet(event, sent=kind == "sent")
        elif kind == "sip":
            async with self._changed:
                self.messages.append(TracedMessage(event["t"], event["direction"], event["text"]))
                self._changed.notify_all()
        elif kind == "trouble":
            self.troubles.append(event["reason"])
        elif kind in ("done", "failed"):
            future, _ = self._pending.get(event["id"], (None, False))
            if future and not future.done():
                if kind == "done":
                    future.set_result(event["t"])
                else:
                    future.set_exception(TelephonyError(event["reason"]))
        else:
            at = event.pop("t")
            await self._happened(KINDS[kind](at=at, **event))

    async def _take_packet(self, event: dict[str, Any], *, sent: bool) -> None:
        with suppress(ValueError):
            packet = RtpPacket.from_bytes(base64.b64decode(event["packet"]), event["t"])
            keys = len(self.trace.heard.keys)
            sound = self.trace.add(packet, sent=sent)
            if len(self.trace.heard.keys) > keys:
                await self._happened(self.trace.heard.keys[-1])
            if sound is not None and not sent:
                for queue in self._listeners:
                    if queue.full():
                        queue.get_nowait()
                    queue.put_nowait(sound)

    async def _happened(self, event: PhoneEvent) -> None:
        if isinstance(event, Incoming):
            self.forget()
            self._up = True
            self.incoming = event
        elif isinstance(event, Answered):
            self.answered = event
            self.trace.event_type = event.event_type
        elif isinstance(event, CallOver):
            self.ended = event
            self.trace.ended_at = event.at
            self._up = False
            self._call_over(TelephonyError(f"the call is over: {event.reason}"))
        async with self._changed:
            self._history.append(event)
            self._changed.notify_all()

    def _call_over(self, error: TelephonyError | UnavailableError) -> None:
        for future, speaks in self._pending.values():
            if not future.done() and (speaks or isinstance(error, UnavailableError)):
                future.set_exception(error)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    def forget(self) -> None:
        """Drop the last call, so that the ``wait_`` methods wait for the next one. Done by itself as it begins."""
        self.trace = Trace(asyncio.get_running_loop().time())
        self.incoming = self.answered = self.ended = None
        self._settled = False
        self._history = []


def is_uri(text: str) -> bool:
    """Whether this phone can call it."""
    return _URI.match(text) is not None


def by_tls(uri: str) -> bool:
    """Whether it is called by TLS."""
    return uri.lower().lstrip("<").startswith("sips:") or ";transport=tls" in uri.lower()


def local_address(host: str) -> str:
    """Return our address from which ``host`` is reached. Raises UnavailableError for an unknown host."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise UnavailableError(f"cannot reach {host}: {error.strerror or error}") from error
