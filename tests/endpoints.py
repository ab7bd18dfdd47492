"""Recognisers and voices elsewhere, as their public protocols say, over real sockets on this machine.

Strict about what a client must send, and as unpleasant as they are told to be: slow, dead, huge, garbage, redirecting.
"""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import BodyPartReader, WSMsgType, web
from aiohttp.test_utils import TestServer

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = "sk-local-0123456789"
MODEL = "whisper-test"
_SPOKEN_RATE = 24000


class OpenAiServer:
    """POST /v1/audio/transcriptions and /v1/audio/speech. ``hears`` turns PCM and form fields into a text; ``will``
    answers in its place, once each, then the last for good. Bodies that the API would refuse get 400."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.url = ""
        self.forms: list[Mapping[str, str]] = []
        self.heard: list[bytes] = []  # PCM
        self.spoken: list[Mapping[str, Any]] = []
        self.elsewhere = 0  # requests to any other path
        self.hears: Callable[[bytes, Mapping[str, str]], Awaitable[str]] = _silence
        self.speaks: Callable[[Mapping[str, Any]], Awaitable[bytes]] = _tone
        self._instead: list[Answer] = []

    def will(self, *answers: Answer) -> None:
        self._instead = list(answers)

    @property
    def requests(self) -> int:
        return len(self.heard) + len(self.spoken)

    async def _special(self, request: web.Request) -> web.StreamResponse | None:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": {"message": f"Incorrect API key: {self.key}"}}, status=401)
        if not self._instead:
            return None
        return await (self._instead.pop(0) if len(self._instead) > 1 else self._instead[0])(request)

    async def transcriptions(self, request: web.Request) -> web.StreamResponse:
        fields: dict[str, str] = {}
        pcm: bytes | None = None
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            if part.name == "file":
                with wave.open(io.BytesIO(bytes(await part.read(decode=True)))) as file:
                    assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
                    pcm = file.readframes(file.getnframes())
                assert part.filename and part.filename.endswith(".wav")
            else:
                fields[str(part.name)] = (await part.read(decode=True)).decode()
        self.forms.append(fields)
        self.heard.append(pcm or b"")
        if (special := await self._special(request)) is not None:
            return special
        if pcm is None or fields.get("model") != MODEL or fields.get("response_format") not in ("json", "verbose_json"):
            return web.json_response({"error": {"message": "bad request"}}, status=400)
        text = await self.hears(pcm, fields)
        if fields["response_format"] == "json":
            return web.json_response({"text": text})
        segment = {"id": 0, "text": f" {text}", "avg_logprob": -0.3, "no_speech_prob": 0.02}
        return web.json_response({"task": "transcribe", "language": "english", "text": text, "segments": [segment]})

    async def speech(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.spoken.append(body)
        if (special := await self._special(request)) is not None:
            return special
        if body.get("model") != MODEL or not body.get("voice") or not body.get("input"):
            return web.json_response({"error": {"message": "bad request"}}, status=400)
        pcm = await self.speaks(body)
        if body.get("response_format") == "pcm":
            return web.Response(body=pcm, content_type="audio/pcm")
        return web.Response(body=wav(pcm), content_type="audio/wav")

    async def _astray(self, request: web.Request) -> web.StreamResponse:
        self.elsewhere += 1
        return web.json_response({"text": "you should not have come here"})

    @classmethod
    @asynccontextmanager
    async def running(cls, key: str = "", port: int = 0) -> AsyncIterator[OpenAiServer]:
        """``port``: one that it had before."""
        made = cls(key)
        app = web.Application()
        app.router.add_post("/v1/audio/transcriptions", made.transcriptions)
        app.router.add_post("/v1/audio/speech", made.speech)
        app.router.add_route("*", "/{tail:.*}", made._astray)
        async with _served(app, port) as port:
            made.url = f"http://127.0.0.1:{port}/v1"
            yield made


class VoskWebSocketServer:
    """As alphacep's asr_server.py: a message with "config" configures, chunks are answered one by one, the literal
    ``{"eof" : 1}`` ends. ``results``: what comes of the chunk with that number (from 0); the rest are partial.
    ``greets``: with so many messages that nobody asked for; ``stays``: it neither closes nor reads after its answer."""

    def __init__(self) -> None:
        self.url = ""
        self.configs: list[Mapping[str, Any]] = []
        self.heard: list[bytes] = []
        self.keys: list[str] = []
        self.chunks: list[int] = []  # of each connection
        self.final: object = {"text": ""}
        self.results: Mapping[int, object] = {}
        self.instead: Answer | None = None
        self.slow_s = 0.0
        self.breaks_after: int | None = None
        self.greets = 0
        self.stays = False

    async def socket(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization", ""))
        if self.instead is not None:
            return await self.instead(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        pcm, number, configured = b"", 0, False
        async for message in socket:
            if message.type is WSMsgType.TEXT and "config" in message.data:
                self.configs.append(json.loads(message.data)["config"])
                configured = True
                for _ in range(self.greets):
                    await socket.send_str(_json({"partial": ""}))
                continue
            assert configured, "audio of an unknown rate"
            await asyncio.sleep(self.slow_s)
            if message.data == '{"eof" : 1}':
                self.heard.append(pcm)
                self.chunks.append(number)
                await socket.send_str(_json(self.final))
                if self.stays:
                    await asyncio.Event().wait()
                break
            assert message.type is WSMsgType.BINARY and message.data
            if number == self.breaks_after:
                assert request.transport is not None
                request.transport.abort()
                break
            pcm += message.data
            await socket.send_str(_json(self.results.get(number, {"partial": "mo"})))
            number += 1
        return socket

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[VoskWebSocketServer]:
        made = cls()
        app = web.Application()
        app.router.add_get("/", made.socket)
        async with _served(app) as port:
            made.url = f"ws://127.0.0.1:{port}"
            yield made


@asynccontextmanager
async def _served(app: web.Application, port: int = 0) -> AsyncIterator[int]:
    server = TestServer(app, port=port or None)
    await server.start_server(shutdown_timeout=0.1)
    try:
        assert server.port is not None
        yield server.port
    finally:
        await server.close()


def _json(answer: object) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


async def _silence(_pcm: bytes, _fields: Mapping[str, str]) -> str:
    return ""


async def _tone(body: Mapping[str, Any]) -> bytes:
    """A tenth of a second a word, as loud as speech."""
    half = b"\x00\x20" * 40 + b"\x00\xe0" * 40
    return half * (_SPOKEN_RATE // 800) * max(1, len(str(body["input"]).split()))


def wav(pcm: bytes, rate: int = _SPOKEN_RATE) -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return written.getvalue()


# -- answers that nobody wants ------------------------------------------------------------------------------------


def status(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": f"no, {KEY}"}}, status=code, headers=headers)

    return answer


def body(content: bytes, content_type: str = "application/json") -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=content_type)

    return answer


def redirect(to: str) -> Answer:
    return status(307, {"Location": to})


async def dead(request: web.Request) -> web.StreamResponse:
    """The connection is torn."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def never(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def huge(request: web.Request) -> web.StreamResponse:
    """More than anybody wants, for as long as it is taken."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(4096):
        await response.write(b" " * 65536)
    return response
