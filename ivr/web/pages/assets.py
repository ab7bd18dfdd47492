"""The console's own style sheets, scripts and icon: these files, and nothing else that lies beside them."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parents[1] / "static"
FILES = {file.name: file for file in FOLDER.iterdir() if file.is_file()}


async def asset(request: web.Request) -> web.FileResponse:
    file = FILES.get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    return web.FileResponse(file, headers={"Cache-Control": "no-cache"})


ROUTES = (web.get("/static/{name}", asset),)
