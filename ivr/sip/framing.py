"""SIP framing: where messages end on a stream (RFC 3261 section 18.3)."""

from __future__ import annotations

import re

from ivr.sip.message import MAX_MESSAGE

_CONTENT_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_PING = b"\r\n\r\n"


class FramingError(ValueError):
    """The stream cannot be followed any further; its connection must go. ``messages``: what came before, and what can
    be told of the broken one, so that its sender hears why."""

    def __init__(self, reason: str, *messages: bytes) -> None:
        super().__init__(reason)
        self.messages = messages


class StreamFramer:
    """It takes bytes and gives whole messages (section 18.3), which may come in parts or in a row, but not endless.
    ``pings`` counts keep-alives (RFC 5626) since last read."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._searched = 0
        self.pings = 0

    @property
    def pending(self) -> bool:
        """Whether part of a message is waiting for the rest."""
        return bool(self._buffer.strip())

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that ``data`` completed. Raises FramingError."""
        self._buffer += data
        messages: list[bytes] = []
        try:
            while message := self._next():
                messages.append(message)
        except FramingError as error:
            raise FramingError(str(error), *messages, *error.messages) from None
        return messages

    def _next(self) -> bytes | None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            if buffer[:4] == _PING:
                self.pings += 1
                del buffer[:4]
            elif bytes(buffer) in (b"\r\n", b"\r\n\r"):
                return None  # half a ping, perhaps: what follows will tell
            else:
                del buffer[:2]
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > self._limit:
                raise FramingError("header section too large")
            return None
        lengths = {bytes(value) for value in _CONTENT_LENGTH.findall(bytes(buffer[: end + 2]))}
        if len(lengths) > 1 or not all(value.isdigit() and len(value) <= 6 for value in lengths):
            raise FramingError("bad Content-Length", bytes(buffer[: end + 4]))
        total = end + 4 + (int(lengths.pop()) if lengths else 0)
        if total > self._limit:
            raise FramingError("message too large", bytes(buffer[: end + 4]))
        if len(buffer) < total:
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        self._searched = 0
        return message
