"""The flows: what is live since when, what was rejected and why, and each flow as a picture to talk to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from markupsafe import Markup

from ivr.errors import FlowError
from ivr.web.api import dumps, from_store, problem
from ivr.web.console.backend import CONSOLE
from ivr.web.console.page import csrf, moment, page

HISTORY = 20
BY = "console"

_OVERVIEW = Markup("""\
<h1>Flows <code class="tag">{version}</code>{canary}</h1>
{findings}
<ul class="flows">{flows}</ul>
<section aria-labelledby="history-title">
<h2 id="history-title">History</h2>
{history}
</section>
""")


async def overview(request: web.Request) -> web.Response:
    flows = request.app[CONSOLE].flows
    status = flows.status()
    canary = status.get("canary")
    content = _OVERVIEW.format(
        version=status["version"],
        canary=Markup(' <span class="tag">canary {} for {} %</span>').format(canary["version"], canary["percent"])
        if canary
        else "",
        findings=_findings(flows.findings(), flows.rejected_at()),
        flows=Markup("").join(
            Markup(
                '<li><a class="card" href="/flows/{0}"><strong>{0}</strong> <code>{1}</code>'
                '<span>{2}</span><span class="quiet">{3} states</span></a></li>'
            ).format(f.name, f.version, f.about, f.states)
            for f in flows.summaries()
        ),
        history=_history(request, await from_store(flows.history(HISTORY)), str(status["version"])),
    )
    return page(request, "Flows", content)


def _findings(findings: Sequence[Mapping[str, Any]], at: str) -> Markup:
    if not findings:
        return Markup("")
    items = Markup("").join(
        Markup(
            '<li class="finding"><p class="place"><code>{}{}</code> <span class="quiet">{}</span></p><p>{}</p>{}{}'
            '<p class="remedy">{}</p></li>'
        ).format(
            f.get("file", ""),
            f":{f['line']}:{f['column']}" if f.get("line") else "",
            f.get("code", ""),
            f.get("why", ""),
            Markup("<pre>{}</pre>").format(f["text"]) if f.get("text") else "",
            Markup('<p class="quiet">{}</p>').format(" → ".join(f["path"])) if f.get("path") else "",
            f.get("remedy", ""),
        )
        for f in findings
    )
    return Markup(
        '<section id="findings" class="findings" aria-labelledby="findings-title">'
        '<h2 id="findings-title">Why the newest files were rejected</h2><p class="quiet">{}</p><ol>{}</ol></section>'
    ).format(moment(at), items)


def _history(request: web.Request, steps: Sequence[Mapping[str, Any]], live: str) -> Markup:
    rows = []
    for step in steps:
        version = step["version"]
        back = Markup("")
        if version != live and step["kind"] in ("publish", "rollback"):
            back = Markup(
                '<form method="post" action="/flows/rollback"><input type="hidden" name="csrf" value="{}">'
                '<input type="hidden" name="version" value="{}"><button class="plain" aria-label="Go back to {}">'
                "Go back to this</button></form>"
            ).format(csrf(request), version, version)
        rows.append(
            Markup("<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
                moment(step["at"]), step["kind"], version, ", ".join(step["changed"]), step["by"], back
            )
        )
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="history-title"><table><thead><tr>'
        '<th scope="col">When</th><th scope="col">What</th><th scope="col">Version</th>'
        '<th scope="col">Flows changed</th><th scope="col">By</th><th scope="col"><span class="hidden">Action</span>'
        "</th></tr></thead><tbody>{}</tbody></table></div>"
    ).format(Markup("").join(rows))


async def roll_back(request: web.Request) -> web.Response:
    """A form of the page above."""
    version = str((await request.post()).get("version", ""))
    try:
        await from_store(request.app[CONSOLE].flows.roll_back(BY, version), passing=FlowError)
    except FlowError as error:
        return problem(409, str(error))
    raise web.HTTPSeeOther("/flows")


async def roll_back_json(request: web.Request) -> web.Response:
    """``{"version": VERSION}``, or {} for the one before the live one; what is live then."""
    try:
        body = await request.json()
        version = str(body.get("version", ""))
    except (ValueError, AttributeError):
        return problem(400, 'send {"version": VERSION} or {}')
    try:
        live = await from_store(request.app[CONSOLE].flows.roll_back("api", version), passing=FlowError)
    except FlowError as error:
        return problem(409, str(error))
    return web.json_response({"version": live})


async def as_json(request: web.Request) -> web.Response:
    """What is live, what was rejected and why."""
    flows = request.app[CONSOLE].flows
    body = {
        **flows.status(),
        "findings": list(flows.findings()),
        "flows": [
            {"flow": f.name, "version": f.version, "about": f.about, "states": f.states} for f in flows.summaries()
        ],
        "history": list(await from_store(flows.history(HISTORY))),
    }
    return web.json_response(body, dumps=dumps)


# -- one flow -------------------------------------------------------------------------------------------------------

_FLOW = Markup("""\
<nav class="crumbs" aria-label="Breadcrumb"><a href="/flows">Flows</a></nav>
<div class="title"><h1>{flow} <code class="tag">{version}</code></h1>
<p id="stale" class="note" role="status" hidden>A newer version is live. <a href="">Show it</a></p>
<nav class="others" aria-label="Other flows">{others}</nav></div>
<div class="workbench" data-flow="{flow}">
<section class="picture" aria-label="The flow as a picture">
<div class="tools"><button type="button" data-zoom="out" aria-label="Smaller">−</button>\
<button type="button" data-zoom="fit">Fit</button><button type="button" data-zoom="in" aria-label="Larger">+</button>\
<label><input type="checkbox" id="follow" checked> Follow the call</label>
<span id="on-it" class="quiet" role="status" aria-live="polite"></span></div>
<div class="canvas" id="canvas" tabindex="0" role="group" aria-label="Picture of the flow, scrollable">{svg}</div>
</section>
<section class="simulator" aria-labelledby="try">
<h2 id="try">Try it</h2>
<form id="dial" class="line"><label for="caller">From</label><input id="caller" value="5035550101" inputmode="tel" \
autocomplete="off"><label for="language" class="hidden">Language</label><select id="language">{languages}</select>\
<button class="primary">Call</button></form>
<ol id="talk" class="story talk" role="log" aria-live="polite" aria-label="Conversation"></ol>
<form id="say" class="line"><label for="words" class="hidden">Say</label><input id="words" \
placeholder="Say something, or type keys" autocomplete="off" maxlength="300" disabled>\
<button disabled>Say</button></form>
<div class="keypad" role="group" aria-label="Keypad">{keys}</div>
<div class="line wrap" role="group" aria-label="What else may happen"><button type="button" data-line="/silence" \
disabled>Silence</button><button type="button" data-line="/hangup" disabled>Hang up</button>\
<button type="button" data-line="/call" disabled>Call again</button></div>
<fieldset class="line wrap parts"><legend>Break</legend>{parts}</fieldset>
<div class="facts"><p><strong>State</strong> <code id="state">–</code></p>
<div><strong>Slots</strong><dl id="slots" class="pairs"></dl></div>
<div id="records"></div></div>
</section>
</div>
""")
PARTS = ("recogniser", "synthesiser", "store", "agent")


async def page_of(request: web.Request, flow: str) -> web.Response:
    backend = request.app[CONSOLE]
    nonce = secrets.token_urlsafe(12)
    svg = await backend.flows.picture(flow)
    summary = next(f for f in backend.flows.summaries() if f.name == flow)
    content = _FLOW.format(
        flow=flow,
        version=summary.version,
        others=Markup(" ").join(
            Markup('<a href="/flows/{0}"{1}>{0}</a>').format(
                f.name, Markup(' aria-current="page"') if f.name == flow else ""
            )
            for f in backend.flows.summaries()
        ),
        # the picture is ours; its style sheet is the only one on the page that isn't a file
        svg=Markup(svg.replace("<style>", f'<style nonce="{nonce}">', 1)),  # noqa: S704
        languages=Markup("").join(Markup("<option>{}</option>").format(tag) for tag in backend.languages),
        keys=Markup("").join(
            Markup('<button type="button" data-line="{0}" disabled>{0}</button>').format(key) for key in "123456789*0#"
        ),
        parts=Markup("").join(
            Markup('<label><input type="checkbox" data-part="{0}" disabled> {0}</label>').format(part) for part in PARTS
        ),
    )
    return page(request, flow, content, scripts=("console.js", "flow.js"), nonce=nonce)


async def flow_page(request: web.Request) -> web.Response:
    flow = request.match_info["flow"]
    try:
        return await page_of(request, flow)
    except FlowError as error:
        return page(request, "No such flow", Markup("<h1>No such flow</h1><p>{}</p>").format(str(error)), status=404)
