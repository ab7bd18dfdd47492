"""Speech recognition by a Vosk server (alphacep/vosk-server), over its WebSocket protocol.

A message configures; every chunk of PCM is answered by one message ("partial", or the end of a segment); the end of
the stream is compared by its very characters, and answered by the rest. A connection serves one utterance.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any

import aiohttp

from ivr.config import SecondEarConfig
from ivr.speech.endpoints.connection import authorization, check_status, session, unasked
from ivr.speech.endpoints.failure import EndpointFailed

_RATE = 8000
_CHUNK = _RATE * 2 // 5  # bytes: 0.2 s, as its own clients send them
_LARGEST = 64 * 1024  # of one message
_EOF = '{"eof" : 1}'
_UNKNOWN = "[unk]"
_ALTERNATIVES = 3
_MOST_WORDS = 5000
_FAREWELL_S = 0.05  # a caller waits: whoever doesn't answer the close is hung up on


class VoskServer:
    """One server with its model."""

    def __init__(self, config: SecondEarConfig) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None

    async def transcribe(self, pcm: bytes, language: str, vocabulary: Collection[str]) -> tuple[str, ...]:
        """Transcripts of 8 kHz PCM, best first; none where nobody spoke. ``vocabulary``: the words it hears, where that
        is configured; others then are left out of what it writes. Raises EndpointFailed."""
        if self._session is None:
            self._session = session()
        settings: dict[str, Any] = {"sample_rate": _RATE, "words": 0, "max_alternatives": _ALTERNATIVES}
        if self._config.vocabulary and vocabulary:
            settings["phrase_list"] = [*sorted(vocabulary)[:_MOST_WORDS], _UNKNOWN]
        try:
            async with self._session.ws_connect(
                self._config.url,
                headers=authorization(self._config.api_key),
                max_msg_size=_LARGEST,
                timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL_S),
            ) as socket:
                await socket.send_json({"config": settings})
                chunks = [pcm[at : at + _CHUNK] for at in range(0, len(pcm), _CHUNK)]
                sending = asyncio.create_task(_send(socket, chunks))
                try:
                    answers = [await _answer(socket) for _ in range(len(chunks) + 1)]
                    while "partial" in answers[-1]:  # a chatty one: the last word is still to come
                        answers.append(await _answer(socket))
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
                return transcripts(answers)
        except aiohttp.WSServerHandshakeError as error:
            check_status(error.status, error.headers.get("Retry-After", "") if error.headers else "")
            raise EndpointFailed("it speaks no WebSocket there", refused=True, remedy="check url") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unasked(error) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _send(socket: aiohttp.ClientWebSocketResponse, chunks: list[bytes]) -> None:
    for chunk in chunks:
        await socket.send_bytes(chunk)
    await socket.send_str(_EOF)


async def _answer(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next message. Raises EndpointFailed for anything that isn't Vosk's."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise EndpointFailed("it broke off, or its answer is too large", remedy="see its log")
    try:
        found = json.loads(message.data)
    except (ValueError, RecursionError) as error:
        raise EndpointFailed("its answer is not JSON", remedy="check url") from error
    if not isinstance(found, dict) or not found.keys() & {"partial", "text", "alternatives"}:
        raise EndpointFailed("its answer is not a Vosk server's", remedy="check url")
    return found


def transcripts(answers: list[dict[str, Any]]) -> tuple[str, ...]:
    """What the answers of one stream say, best first: segments joined, the last one's alternatives told apart."""
    before: list[str] = []
    heard: list[str] = []
    for answer in answers:
        if "partial" in answer:
            continue
        if heard and heard[0]:
            before.append(heard[0])
        found = answer.get("alternatives", [answer])
        texts = [each.get("text", "") for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        heard = [_words(text) for text in texts if isinstance(text, str)]
    whole = (" ".join([*before, text]).strip() for text in heard or [""])
    return tuple(dict.fromkeys(text for text in whole if text))


def _words(text: str) -> str:
    return " ".join(word for word in text.split() if word != _UNKNOWN)
