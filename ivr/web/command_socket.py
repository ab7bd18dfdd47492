"""Command WebSocket (RFC 6455): an open page of somebody who works here, told what it shows and obeyed, within bounds.

A page sends text, one JSON object a message: ``{"id": NUMBER, "do": COMMAND, …}``. It is told ``{"kind": "done", "id",
…}`` or ``{"kind": "refused", "id", "why"}`` to each, in the order in which they end. MOST_UNDER_WAY at once and
COMMANDS_S a second are obeyed, COMMANDS_AT_ONCE in a burst; what is more is refused, and so is what can't be read
(``id`` is null where there was none) or is longer than LONGEST_MESSAGE. The page stays open, but for a message of more
than MOST_BYTES (1009). Each page has bounds of its own, and one message of it is looked at a turn of the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo
from typing import Any, Protocol

import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from ivr.errors import IvrError
from ivr.limits.throttle import Budgets
from ivr.web.bodies import object_of
from ivr.web.formats import dumps
from ivr.web.rules import account_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MOST_UNDER_WAY = 16
COMMANDS_S, COMMANDS_AT_ONCE = 20.0, 60.0  # whoever types keys of a telephone fast has ten a second
LONGEST_MESSAGE = 32 * 1024  # characters
MOST_BYTES = 8 * LONGEST_MESSAGE  # what is taken off the wire at all
MOST_UNSENT = 200
OBEYED_S = 10.0  # what a page asked for before it was gone is done, and that takes no longer
LONGEST_NAME = 40  # of a command
LONGEST_TEXT = 4000
LONGEST_SDP = 20_000
LARGEST = 2**31 - 1  # what a database's integer holds
LONGEST_WHY = 120  # bytes of a close frame (RFC 6455 section 5.5)

Told = Mapping[str, Any]
NOTHING: Told = {}

OPEN: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("command_sockets", set)


class Asked:
    """What came with a command. Each raises ValueError where it is missing or no such thing."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def given(self, name: str) -> bool:
        """Whether it came, and is not null."""
        return self._values.get(name) is not None

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str:
        """ "" where it was left out."""
        value = self._values.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError(f"{name} is a text of at most {longest} characters")
        return value

    def texts(self, name: str, most: int) -> list[str]:
        values = self._values.get(name)
        if not isinstance(values, list) or len(values) > most or not all(isinstance(each, str) for each in values):
            raise ValueError(f"{name} is a list of at most {most} texts")
        return values

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false")
        return value

    def number(self, name: str) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
            raise ValueError(f"{name} is a number")
        return value

    def moment(self, name: str, zone: tzinfo | None = None) -> datetime | None:
        """None where it was left empty. ``zone``: of one that comes without an offset."""
        text = self.text(name, 40)
        if not text:
            return None
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is None:
            raise ValueError(f"{name} is a moment with its offset")
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


class Commands(Protocol):
    """What a page may ask for."""

    async def obey(self, do: str, asked: Asked) -> Told:
        """What is to be told beside that it is done. Raises IvrError for what can't be done, ValueError for what is no
        command."""


class CommandSocket:
    """One open page. ``by``: whose. ``now``: monotonic, in seconds."""

    def __init__(self, ws: web.WebSocketResponse, by: str, now: Callable[[], float] = time.monotonic) -> None:
        self.response = ws
        self._by = by
        self._budget = Budgets(COMMANDS_S, COMMANDS_AT_ONCE, now)
        self._unsent: asyncio.Queue[tuple[str, int]] = asyncio.Queue(MOST_UNSENT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._too_many = 0
        self.beside(self._send())

    @property
    def silent(self) -> bool:
        """Whether it ended because the page answered no ping."""
        return isinstance(self.response.exception(), TimeoutError)

    def beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` as long as the page is open."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def tell(self, told: Told, *, close: int = 0) -> None:
        """Returns at once; what is told is sent in its order. ``close``: with what code the page is closed then."""
        try:
            self._unsent.put_nowait((dumps(told), close))
        except asyncio.QueueFull:  # it reads nothing any more: the heartbeat will notice
            return

    async def written(self) -> None:
        """Until all that was told is on its way: whoever waits for it tells a slow page the newest, not all."""
        await self._unsent.join()

    async def close(self, code: int, why: str) -> None:
        reason = why.encode()[:LONGEST_WHY].decode(errors="ignore").encode()
        await self.response.close(code=code, message=reason)

    async def serve(self, commands: Commands) -> None:
        """Obey the page until it is gone."""
        async for message in self.response:
            if message.type is WSMsgType.ERROR:  # too big, no WebSocket, or silent
                return
            number: object = None
            try:
                values = _values(message)
                number = _id(values)
                do = _do(values)
                self._admit()
            except (IvrError, ValueError) as error:
                await self._say(_refused(number, error))
            else:
                task = self.beside(self._obey(commands, number, do, Asked(values)))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(0)  # the others' turn, however much of this page's waits to be read

    async def end(self) -> None:
        """The page is gone: what ran beside it ends, and what it asked for is done: half a transfer is none."""
        beside = self._tasks - self._under_way
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        while not self._unsent.empty():  # nobody reads the answers
            self._unsent.get_nowait()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=OBEYED_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._too_many:
            log.warning("page.commands_refused", account=self._by, commands=self._too_many)

    def _admit(self) -> None:
        """Raises IvrError for one command too many."""
        if len(self._under_way) >= MOST_UNDER_WAY:
            self._too_many += 1
            raise IvrError(f"{MOST_UNDER_WAY} commands of this page are under way: wait until one is done")
        if not self._budget.take(self._by):
            self._too_many += 1
            raise IvrError(f"too many commands: this page may send {COMMANDS_S:.0f} a second")

    async def _obey(self, commands: Commands, number: object, do: str, asked: Asked) -> None:
        try:
            told: Told = {**await commands.obey(do, asked), "kind": "done", "id": number}
        except (IvrError, ValueError, OverflowError) as error:
            told = _refused(number, error)
        except Exception:
            log.exception("command.failed", command=do)
            told = _refused(number, IvrError("something inside failed; the log says what"))
        await self._say(told)

    async def _say(self, told: Told) -> None:
        """An answer: a page that doesn't read its answers isn't read either."""
        if not self.response.closed:
            await self._unsent.put((dumps(told), 0))

    async def _send(self) -> None:
        while True:
            text, close = await self._unsent.get()
            try:
                if not self.response.closed:
                    await self.response.send_str(text)
                    if close:
                        await self.response.close(code=close)
            except ConnectionError:
                pass  # who reads from it notices, and nobody waits for it meanwhile
            finally:
                self._unsent.task_done()


@asynccontextmanager
async def opened(
    request: web.Request, heartbeat_s: float, now: Callable[[], float] = time.monotonic
) -> AsyncIterator[CommandSocket]:
    """The page that asks for it, until it is gone or ``hang_up``. A ping goes out after ``heartbeat_s`` without a sign
    of life, and half of it is left for an answer. Raises HTTPBadRequest."""
    ws = web.WebSocketResponse(heartbeat=heartbeat_s, max_msg_size=MOST_BYTES)
    if not ws.can_prepare(request):
        raise web.HTTPBadRequest(text="this is a WebSocket")
    await ws.prepare(request)
    open_now = request.app[OPEN]
    open_now.add(ws)
    socket = CommandSocket(ws, account_of(request).name, now)
    try:
        yield socket
    except ConnectionError:  # the page is gone
        pass
    finally:
        open_now.discard(ws)
        await socket.end()


async def hang_up(app: web.Application) -> None:
    """Close every page: the service stops."""
    open_now = app[OPEN]
    for ws in tuple(open_now):
        await ws.close(code=WSCloseCode.GOING_AWAY)


def _values(message: WSMessage) -> Mapping[str, Any]:
    """Raises ValueError."""
    if message.type is not WSMsgType.TEXT:
        raise ValueError("send text, not bytes")
    if len(message.data) > LONGEST_MESSAGE:
        raise ValueError(f"a message has at most {LONGEST_MESSAGE} characters")
    try:
        return object_of(message.data)
    except ValueError as error:
        raise ValueError(f'send {{"id": NUMBER, "do": COMMAND, …}} ({error})') from error


def _id(values: Mapping[str, Any]) -> int | None:
    """Raises ValueError."""
    return Asked(values).number("id") if values.get("id") is not None else None


def _do(values: Mapping[str, Any]) -> str:
    """Raises ValueError."""
    do = values.get("do")
    if not isinstance(do, str) or not 0 < len(do) <= LONGEST_NAME:
        raise ValueError("do names the command")
    return do


def _refused(number: object, error: Exception) -> Told:
    why = str(error) if isinstance(error, IvrError) else f"not understood: {error}"
    return {"kind": "refused", "id": number, "why": why}
