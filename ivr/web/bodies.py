"""Request bodies and addresses as strangers send them: what cannot be read, or holds what is no text, is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NoReturn

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONGEST_NAME = 255  # bytes
DEEPEST = 20  # levels of JSON; what we are sent has two
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # what no database and no UTF-8 takes


def is_text(text: str) -> bool:
    """Neither NUL nor half of a surrogate pair in it."""
    return _NO_TEXT.search(text) is None


@web.middleware
async def readable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses an address that no page and no record can have: 400, or 404 for names longer than a file system's; and
    a packed body (RFC 9110, section 8.4): 415."""
    if request.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise web.HTTPUnsupportedMediaType(text="send the body as it is, without Content-Encoding")
    asked = request.rel_url
    if any(len(name.encode(errors="replace")) > LONGEST_NAME for name in asked.path.split("/")):
        raise web.HTTPNotFound
    if not all(map(is_text, (asked.path, *asked.query, *asked.query.values()))):
        raise web.HTTPBadRequest(text="the address is no text")
    return await handler(request)


async def form(request: web.Request) -> Mapping[str, str]:
    """Fields of a form; files are left out. Raises HTTPBadRequest, HTTPRequestEntityTooLarge."""
    try:
        posted = await request.post()
    except web.HTTPException:
        raise
    except Exception as error:  # the parsers of charsets, encodings and parts raise whatever they stumble over
        raise web.HTTPBadRequest(text="the form cannot be read") from error
    fields = {name: value for name, value in posted.items() if isinstance(value, str)}
    if not all(map(is_text, (*fields, *fields.values()))):
        raise web.HTTPBadRequest(text="the form is no text")
    return fields


def taking(request: web.Request, most: int) -> web.Request:
    """The same request, of whose body ``most`` bytes are taken: where what is sent is long by its nature. Before it is
    read."""
    return request.clone(client_max_size=most)


async def json_object(request: web.Request, usage: str) -> Mapping[str, Any]:
    """The JSON object that was sent. ``usage``: what to send instead, for HTTPBadRequest. Raises
    HTTPRequestEntityTooLarge."""
    try:
        found = object_of(await request.text())
    except web.HTTPException:
        raise
    except Exception as error:  # as above
        raise web.HTTPBadRequest(text=usage) from error
    return found


def object_of(text: str) -> Mapping[str, Any]:
    """One JSON object (RFC 8259), of text that is text and numbers that are numbers. Raises ValueError."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    if not all(map(is_text, _texts(found, DEEPEST))):
        raise ValueError("not text")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _texts(value: object, deepest: int) -> Iterator[str]:
    if deepest < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _texts(item, deepest - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, deepest - 1)
