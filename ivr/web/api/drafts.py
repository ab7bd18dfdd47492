"""Drafts of the flows: begun, edited file by file without overwriting anybody, checked, compared, and published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ivr.dialogue.flows.schema import flow_schema
from ivr.errors import FlowError
from ivr.web.backend import BACKEND, DraftConflict, Drafts, NoDraft
from ivr.web.bodies import json_object, taking
from ivr.web.formats import dumps, json_response
from ivr.web.rules import author_of, needs

MOST_BYTES = 5_000_000  # two texts of a flow file, as JSON
MOST_UNSAVED = 20
MOST_NUMBERS = 100
SAVE = 'send {"text": TEXT or null, "digest": DIGEST, "was": TEXT or null}'
CHECK = 'send {"files": {NAME: TEXT}}, or {}'
PUBLISH = 'send {"why": TEXT, "digest": DIGEST}'
CANARY = 'send {"why": TEXT, "digest": DIGEST, "percent": 10, "numbers": []}'
END = 'send {"why": TEXT}'


class _Refusals:
    """What a draft refuses, as answers: 404, 409 with what stands there now."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case NoDraft():
                raise web.HTTPNotFound(text="there is no such draft (any more)") from error
            case DraftConflict():
                told = dumps({"error": str(error), "there": error.there})
                raise web.HTTPConflict(text=told, content_type="application/json") from error
            case FlowError():
                raise web.HTTPConflict(text=str(error)) from error


def _drafts(request: web.Request) -> Drafts:
    drafts = request.app[BACKEND].drafts
    if drafts is None:
        raise web.HTTPNotFound
    return drafts


async def _asked(request: web.Request, usage: str) -> Mapping[str, Any]:
    return await json_object(taking(request, MOST_BYTES), usage)


@needs("designer", scope="flows:read")
async def schema(_: web.Request) -> web.Response:
    """JSON Schema (2020-12) of the flow files, for editors."""
    return json_response(flow_schema())


@needs("designer", scope="flows:read")
async def drafts(request: web.Request) -> web.Response:
    return json_response({"drafts": list(await _drafts(request).all())})


@needs("designer", scope="flows:publish")
async def begin(request: web.Request) -> web.Response:
    return json_response({"id": await _drafts(request).begin(author_of(request))})


@needs("designer", scope="flows:read")
async def draft(request: web.Request) -> web.Response:
    """Every file with its digest and state: same, changed, new, gone."""
    with _Refusals():
        return json_response(await _drafts(request).get(request.match_info["draft"]))


@needs("designer", scope="flows:publish")
async def drop(request: web.Request) -> web.Response:
    with _Refusals():
        await _drafts(request).drop(request.match_info["draft"], author_of(request))
    return json_response({})


@needs("designer", scope="flows:read")
async def file(request: web.Request) -> web.Response:
    with _Refusals():
        return json_response(await _drafts(request).file(request.match_info["draft"], request.match_info["name"]))


@needs("designer", scope="flows:publish")
async def save(request: web.Request) -> web.Response:
    """``text``: null where the file goes. ``digest``: of the text that was edited, and ``was`` that text: where others
    saved meanwhile, both are put together, or 409 says what they made of the same lines. ``settles``: the digest of the
    folder's text that this one takes account of."""
    asked = await _asked(request, SAVE)
    text, was = asked.get("text", 0), asked.get("was")
    digest, settles = asked.get("digest", ""), asked.get("settles", "none")
    if not (_text_or_none(text) and _text_or_none(was) and isinstance(digest, str) and isinstance(settles, str)):
        raise web.HTTPBadRequest(text=SAVE)
    name, which = request.match_info["name"], request.match_info["draft"]
    by = author_of(request)
    with _Refusals():
        return json_response(
            await _drafts(request).save(which, name, by, text, digest=digest, was=was, settles=settles)
        )


@needs("designer", scope="flows:read")
async def check(request: web.Request) -> web.Response:
    """The checker's findings. ``files``: texts that aren't saved yet."""
    unsaved = (await _asked(request, CHECK)).get("files", {})
    if not isinstance(unsaved, dict) or len(unsaved) > MOST_UNSAVED:
        raise web.HTTPBadRequest(text=CHECK)
    if not all(isinstance(text, str) for text in unsaved.values()):
        raise web.HTTPBadRequest(text=CHECK)
    with _Refusals():
        found = await _drafts(request).check(request.match_info["draft"], unsaved)
    return json_response({"findings": list(found)})


@needs("designer", scope="flows:read")
async def diff(request: web.Request) -> web.Response:
    """What callers would notice, beside what is live; ``digest`` is for who publishes exactly that."""
    with _Refusals():
        return json_response(await _drafts(request).diff(request.match_info["draft"]))


@needs("designer", scope="flows:publish")
async def publish(request: web.Request) -> web.Response:
    """``unwritten``: why the folder has not got it; "" where it has, and the draft is over."""
    asked = await _asked(request, PUBLISH)
    why, digest = _reason(asked, PUBLISH), asked.get("digest")
    if not isinstance(digest, str):
        raise web.HTTPBadRequest(text=PUBLISH)
    with _Refusals():
        return json_response(
            await _drafts(request).publish(request.match_info["draft"], author_of(request), why, digest)
        )


@needs("designer", scope="flows:publish")
async def canary(request: web.Request) -> web.Response:
    asked = await _asked(request, CANARY)
    why, digest = _reason(asked, CANARY), asked.get("digest")
    percent, numbers = asked.get("percent", 0), asked.get("numbers", [])
    if not isinstance(digest, str) or type(percent) is not int or not isinstance(numbers, list):
        raise web.HTTPBadRequest(text=CANARY)
    if len(numbers) > MOST_NUMBERS or not all(isinstance(number, str) for number in numbers):
        raise web.HTTPBadRequest(text=CANARY)
    which = request.match_info["draft"]
    with _Refusals():
        return json_response(await _drafts(request).try_out(which, author_of(request), why, digest, percent, numbers))


@needs("designer", scope="flows:publish")
async def end_canary(request: web.Request) -> web.Response:
    why = _reason(await _asked(request, END), END)
    with _Refusals():
        return json_response({"version": await _drafts(request).end_canary(author_of(request), why)})


def _reason(asked: Mapping[str, Any], usage: str) -> str:
    why = asked.get("why")
    if not isinstance(why, str) or not why.strip():
        raise web.HTTPBadRequest(text=f"{usage}: why is for who comes after you")
    return why.strip()


def _text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


ROUTES = (
    web.get("/api/flow-schema", schema),
    web.get("/api/drafts", drafts),
    web.post("/api/drafts", begin),
    web.get("/api/drafts/{draft}", draft),
    web.delete("/api/drafts/{draft}", drop),
    web.get("/api/drafts/{draft}/files/{name}", file),
    web.put("/api/drafts/{draft}/files/{name}", save),
    web.post("/api/drafts/{draft}/check", check),
    web.get("/api/drafts/{draft}/diff", diff),
    web.post("/api/drafts/{draft}/publish", publish),
    web.post("/api/drafts/{draft}/canary", canary),
    web.delete("/api/flows/canary", end_canary),
)
