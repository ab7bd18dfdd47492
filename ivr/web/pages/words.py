"""The page of words: everything that the line says, heard, rewritten and saved by who writes words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from ivr.errors import FlowError, UnavailableError
from ivr.web.backend import BACKEND, Words
from ivr.web.bodies import json_object, taking
from ivr.web.formats import json_response
from ivr.web.query import DEEPEST, USUAL, address, given, number
from ivr.web.rendering import page
from ivr.web.rules import author_of, may, needs

NAMES = ("language", "persona", "owner", "status", "text")
STATUSES = ("missing", "out of date", "recording out of date", "ok", "shared")
USAGE = 'send {"changes": [{"key": KEY, "text": TEXT, "was": DIGEST, "of": DIGEST, "right": false}]}'
MOST_CHANGES = 2000
LONGEST_TEXT = 2000
LARGEST = 2_000_000  # bytes of a sheet or of changes: all that a line of five languages says, ten times over


def _words(request: web.Request) -> Words:
    words = request.app[BACKEND].words
    if words is None:
        raise web.HTTPNotFound
    return words


@needs("designer", "translator", scope="flows:read")
async def words(request: web.Request) -> web.Response:
    """``language``, ``persona``, ``owner``, ``status``, ``text``, ``page``."""
    asked, at = given(request, NAMES), number(request, "page", 1, DEEPEST)
    shown: dict[str, Any] = {"problem": "", "found": None, "pages": 1}
    try:
        found = await _words(request).search(asked, (at - 1) * USUAL, USUAL)
        shown |= {"found": found, "pages": max(1, -(-found.count // USUAL))}
    except FlowError as error:
        shown["problem"] = str(error)
    return page(
        request,
        "words.html",
        **shown,
        given=asked,
        at=at,
        statuses=STATUSES,
        editing=may(request, "flows:publish", "designer", "translator"),
        address=lambda **changes: address(asked, **changes),
    )


@needs("designer", "translator", scope="flows:read")
async def sheet(request: web.Request) -> web.Response:
    """The same texts as CSV."""
    with _refusing():
        text = await _words(request).sheet(given(request, NAMES))
    return web.Response(
        body=text.encode(),
        headers={"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="words.csv"'},
    )


@needs("designer", "translator", scope="flows:publish")
async def read_sheet(request: web.Request) -> web.Response:
    """What a sheet would change: nothing is written."""
    data = await taking(request, LARGEST).read()
    with _refusing():
        changes, told = await _words(request).read_sheet(data)
    return json_response({"changes": list(changes), "told": list(told)})


@needs("designer", "translator", scope="flows:publish")
async def save(request: web.Request) -> web.Response:
    """``{"changes": [...]}``: all of them, or none with 409 and why."""
    listed = (await json_object(taking(request, LARGEST), USAGE)).get("changes")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_CHANGES:
        raise web.HTTPBadRequest(text=USAGE)
    changes = [_change(each) for each in listed]
    with _refusing():
        told = await _words(request).save(author_of(request), changes)
    return json_response({"told": list(told)})


@needs("designer", "translator", scope="flows:publish")
async def undo(request: web.Request) -> web.Response:
    """The last save of who asks, taken back."""
    with _refusing():
        return json_response({"files": list(await _words(request).undo(author_of(request)))})


@needs("designer", "translator", scope="flows:read")
async def sound(request: web.Request) -> web.Response:
    """``key``, and ``text`` where it isn't saved yet: WAV, as callers hear it."""
    key, text = request.query.get("key", ""), request.query.get("text", "").strip()
    if len(text) > LONGEST_TEXT:
        raise web.HTTPBadRequest(text=f"text must have at most {LONGEST_TEXT:,} characters")
    try:
        with _refusing():
            wav = await _words(request).sound(key, text)
    except UnavailableError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    if wav is None:
        raise web.HTTPNotFound(text="there is no such text (any more)")
    return web.Response(body=wav, content_type="audio/wav", headers={"Cache-Control": "no-store"})


def _change(told: object) -> Mapping[str, Any]:
    match told:
        case {"key": str(key), "text": str(text), **rest}:
            was, of, right = rest.get("was", ""), rest.get("of", ""), rest.get("right", False)
            known = rest.keys() <= {"was", "of", "right"}
            if known and isinstance(was, str) and isinstance(of, str) and isinstance(right, bool):
                return {"key": key, "text": text, "was": was, "of": of, "right": right}
    raise web.HTTPBadRequest(text=USAGE)


@contextmanager
def _refusing() -> Iterator[None]:
    """What can't be done is a 409 that says why."""
    try:
        yield
    except FlowError as error:
        raise web.HTTPConflict(text=str(error)) from error


ROUTES = (
    web.get("/words", words),
    web.post("/words", save),
    web.get("/words/sheet", sheet),
    web.post("/words/sheet", read_sheet),
    web.post("/words/undo", undo),
    web.get("/words/sound", sound),
)
