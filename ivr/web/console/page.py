"""What every page of the console has: the frame, escaping, and headers that let it load nothing but its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aiohttp import web
from markupsafe import Markup

from ivr.logs import mask_number
from ivr.web.access import GATE
from ivr.web.console.backend import CONSOLE

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_FRAME = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · ivr</title>
<link rel="stylesheet" href="/static/console.css">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
{scripts}
</head>
<body{body}>
{header}
<main id="main" tabindex="-1">
{content}
</main>
</body>
</html>
""")

_HEADER = Markup("""\
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<a class="brand" href="/calls"><svg aria-hidden="true" viewBox="0 0 24 24" width="22" height="22"><path d="M6.6 \
10.8a15 15 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.4 11.4 0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 \
3 4a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1c0 1.25.2 2.45.57 3.57a1 1 0 0 1-.25 1z"/></svg>ivr</a>
<nav aria-label="Console">{links}</nav>
<span id="link-state" class="quiet" role="status" aria-live="polite"></span>
{leave}
</header>
{banner}
""")


def page(
    request: web.Request,
    title: str,
    content: Markup,
    *,
    scripts: Iterable[str] = ("console.js",),
    framed: bool = True,
    status: int = 200,
    nonce: str = "",
) -> web.Response:
    """A whole page. ``framed`` pages have the navigation and the banner; others stand for themselves."""
    loaded = Markup("\n").join(Markup('<script src="/static/{}" defer></script>').format(name) for name in scripts)
    header, body = Markup(""), Markup("")
    if framed:
        header = _header(request)
        body = Markup(' data-revision="{}" data-csrf="{}"').format(revision(request), csrf(request))
    html = _FRAME.format(title=title, scripts=loaded, header=header, content=content, body=body)
    return web.Response(
        text=str(html),
        content_type="text/html",
        status=status,
        headers={
            "Content-Security-Policy": POLICY.format(nonce=nonce or secrets.token_urlsafe(12)),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",  # "no-referrer" would make a form's Origin "null"
            "Cache-Control": "no-store",
        },
    )


def _header(request: web.Request) -> Markup:
    links = Markup("").join(
        Markup('<a href="{}"{}>{}</a>').format(
            path, Markup(' aria-current="page"') if request.path.startswith(path) else "", name
        )
        for path, name in (("/calls", "Calls"), ("/flows", "Flows"))
    )
    leave = Markup("")
    if request.app[GATE].token:
        leave = Markup(
            '<form method="post" action="/logout"><input type="hidden" name="csrf" value="{}">'
            '<button class="plain">Log out</button></form>'
        ).format(csrf(request))
    return _HEADER.format(links=links, leave=leave, banner=_banner(request))


def _banner(request: web.Request) -> Markup:
    text = banner_text(request)
    return Markup(
        '<div id="banner" class="banner" role="alert"{}><span>{}</span> <a href="/flows#findings">{}</a></div>'
    ).format("" if text else Markup(" hidden"), text, "See what is wrong")


def banner_text(request: web.Request) -> str:
    """What everybody should know; "" when all is well."""
    status = request.app[CONSOLE].flows.status()
    count = status["rejected_findings"]
    if count:
        what = "1 finding" if count == 1 else f"{count} findings"
        return f"The newest flow files were rejected ({what}). Version {status['version']} keeps serving."
    if status["held"]:
        return f"The newest flow files wait: {status['held']}. Version {status['version']} keeps serving."
    return ""


def revision(request: web.Request) -> str:
    """Changes whenever a page about flows would look different."""
    status = request.app[CONSOLE].flows.status()
    return "-".join(str(status[k]) for k in ("version", "canary", "reloads", "rejections", "rejected_findings", "held"))


def csrf(request: web.Request) -> str:
    session = request.app[GATE].session(request)
    return session.csrf if session is not None else ""


def number(request: web.Request, value: object) -> str:
    """A telephone number as this console shows it."""
    text = str(value or "")
    if not text:
        return "withheld"
    return mask_number(text) if request.app[CONSOLE].mask else text


def moment(text: object) -> Markup:
    """An ISO moment; the browser puts it into the reader's own time."""
    if not text:
        return Markup("")
    try:
        shown = datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        shown = str(text)
    return Markup('<time datetime="{}">{}</time>').format(text, shown)


def value(item: object) -> str:
    """A slot or a fact for reading."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, str | int | float):
        return str(item)
    return "" if item is None else json.dumps(item, ensure_ascii=False, default=str)


def table(pairs: Iterable[tuple[str, Any]], empty: str) -> Markup:
    rows = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, item if isinstance(item, Markup) else value(item))
        for name, item in pairs
    )
    return Markup('<dl class="pairs">{}</dl>').format(rows) if rows else Markup('<p class="quiet">{}</p>').format(empty)
