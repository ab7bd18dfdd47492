"""Recordings, played: messages and conversations as WAV, any range of them (RFC 9110 section 14), each access audited.

Supervisors hear all, agents the conversations that they were in and the message that is before them.
"""

from __future__ import annotations

from aiohttp import web

from ivr.errors import RecordingUnreadable
from ivr.ports import Account, OpenPlayer, RecordingRow
from ivr.web.backend import BACKEND, in_time
from ivr.web.rules import account_of, may, needs

GONE = "there is no such recording, or it was deleted"


def may_hear(request: web.Request, account: Account, row: RecordingRow) -> bool:
    if may(request, "recordings:read", "supervisor") or account.name in row.agents:
        return True
    seats = request.app[BACKEND].seats
    seat = seats.of(account.name) if seats is not None else None
    return seat is not None and seat.plays(row.name)


@needs("agent", "supervisor", scope="recordings:read")
async def play(request: web.Request) -> web.StreamResponse:
    recordings = request.app[BACKEND].recordings
    name = request.match_info["name"]
    row = None if recordings is None else await in_time(recordings.find(name))
    if recordings is None or row is None:
        raise web.HTTPNotFound(text=GONE)
    account = account_of(request)
    if not may_hear(request, account, row):
        raise web.HTTPForbidden(text="only supervisors and the agent who has it, or had that call, may hear it")
    try:
        player = await in_time(recordings.open(name, account.name))
    except RecordingUnreadable as error:
        raise web.HTTPConflict(text=f"the recording can't be read: {error}") from error
    if player is None:
        raise web.HTTPNotFound(text=GONE)
    try:
        return await _streamed(request, player)
    finally:
        await player.close()


async def _streamed(request: web.Request, player: OpenPlayer) -> web.StreamResponse:
    size = player.size
    try:
        asked = request.http_range
    except ValueError as error:
        raise _unsatisfiable(size) from error
    start, stop = asked.start, size if asked.stop is None else min(asked.stop, size)
    if start is None:
        start = 0
    elif start < 0:
        start = max(0, size + start)
    if start >= stop:
        raise _unsatisfiable(size)
    partial = "Range" in request.headers
    response = web.StreamResponse(status=206 if partial else 200)
    response.content_type = "audio/wav"
    response.content_length = stop - start
    response.headers["Accept-Ranges"] = "bytes"
    if partial:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    await response.prepare(request)
    if request.method != "HEAD":
        async for piece in player.read(start, stop):
            await response.write(piece)
    await response.write_eof()
    return response


def _unsatisfiable(size: int) -> web.HTTPRequestRangeNotSatisfiable:
    return web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})


ROUTES = (web.get("/desk/recordings/{name}", play),)
