"""Response headers: what every answer tells a browser to refuse, and caches not to keep, where it says nothing else."""

from __future__ import annotations

from aiohttp import hdrs, web

EVERYWHERE = {
    "Cache-Control": "no-store",  # callers, members and secrets are everywhere
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # "no-referrer" would make a form's Origin "null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",  # the desk's phone
}


async def guarded(_: web.Request, response: web.StreamResponse) -> None:
    """Adds EVERYWHERE; which server it is, and of what age, is nobody's business."""
    for name, value in EVERYWHERE.items():
        response.headers.setdefault(name, value)
    response.headers.popall(hdrs.SERVER, None)
