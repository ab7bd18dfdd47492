"""A mock server: the answers of ``SERVICE.mock.yaml`` over HTTP, so that real calls can be made before the services are
there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from ivr.workshop.simulate.mock_services import SUFFIX, MockServices

LARGEST_BODY = 1024 * 1024  # bytes

Told = Callable[[str], None]


@asynccontextmanager
async def serving(
    mocks: MockServices, places: Mapping[str, str], host: str, port: int, told: Told
) -> AsyncIterator[int]:
    """The port it listens at, chosen by the system for 0. ``places``: where each service begins, "" or "/shop".
    ``told`` gets a line a request. Raises OSError where the address is taken."""
    app = web.Application(client_max_size=LARGEST_BODY)
    # The longest first: "" begins every path.
    for service, base in sorted(places.items(), key=lambda place: -len(place[1])):
        app.router.add_route("*", base + "/{path:.*}", _handler(mocks, service, base, told))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, shutdown_timeout=1).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _handler(mocks: MockServices, service: str, base: str, told: Told) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        path = request.path.removeprefix(base)
        asked = f"{service}: {request.method} {path}" + (f"?{request.query_string}" if request.query_string else "")
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            told(f"{asked} -> 400, its body is no JSON")
            return web.json_response({"error": "the body is no JSON"}, status=400)
        found = mocks.exchange(service, request.method, path, dict(request.query), body)
        if found is None:
            told(f"{asked} -> 501, nothing is said of it: say it in {service}{SUFFIX}")
            return web.json_response({"error": f"nothing is said of {request.method} {path}"}, status=501)
        if found.silent:
            told(f"{asked} -> silent")
            await asyncio.Event().wait()  # until the line gives up
        told(f"{asked} -> {found.status}")
        return web.json_response(found.answer if found.answer is not None else {}, status=found.status)

    return answer
