"""The configuration that the line serves with, without its secrets."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND
from ivr.web.formats import json_response
from ivr.web.rules import needs


@needs("ops", scope="admin")
async def configuration(request: web.Request) -> web.Response:
    """``keys``: "sip.max_calls" and the like, with what counts now; of a secret only where it is kept."""
    return json_response({"keys": request.app[BACKEND].configuration()})


ROUTES = (web.get("/api/config", configuration),)
