"""The calls in progress, the last ones, and one call's whole story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from markupsafe import Markup

from ivr.events import CALLER_NAME
from ivr.web.access import wants_html
from ivr.web.api import BACKEND, from_store, handoff_json
from ivr.web.console.events import row
from ivr.web.console.page import moment, number, page, table

RECENT = 50

_OVERVIEW = Markup("""\
<section aria-labelledby="live-title">
<h1 id="live-title">Live calls <span id="live-count" class="count" aria-live="polite">{count}</span></h1>
<div class="scroll" tabindex="0" role="region" aria-labelledby="live-title"><table id="live" class="calls">
<thead><tr><th scope="col">Caller</th><th scope="col">State</th><th scope="col">Version</th>\
<th scope="col">Language</th><th scope="col">Since</th></tr></thead>
<tbody>{live}</tbody>
</table></div>
<p id="nobody" class="empty"{hidden}>Nobody is on the line.</p>
</section>
<section aria-labelledby="past-title">
<h2 id="past-title">Ended calls</h2>
{past}
</section>
""")


async def overview(request: web.Request) -> web.Response:
    calls = request.app[BACKEND].calls
    live = [row(request, call) for call in await from_store(calls.recent(500, True))]
    past = await from_store(calls.recent(RECENT, False))
    content = _OVERVIEW.format(
        count=len(live),
        live=Markup("").join(_live(call) for call in live),
        hidden=Markup(" hidden") if live else "",
        past=_past(request, past),
    )
    return page(request, "Calls", content)


def _live(call: Mapping[str, Any]) -> Markup:
    return Markup(
        '<tr data-call="{0}"><td><a href="/calls/{0}">{1}</a></td><td>{2}</td><td><code>{3}</code></td><td>{4}</td>'
        "<td>{5}</td></tr>"
    ).format(
        call["call_id"],
        call["caller"],
        call["outcome"] or call["state"],
        call["flow_version"],
        call["language"],
        moment(call["started_at"]),
    )


def _past(request: web.Request, calls: Sequence[Mapping[str, Any]]) -> Markup:
    rows = Markup("").join(
        Markup(
            '<tr><td><a href="/calls/{0}">{1}</a></td><td>{2}</td><td><code>{3}</code></td><td>{4}</td>'
            "<td>{5}</td></tr>"
        ).format(
            call["call_id"],
            number(request, call.get("caller")),
            call.get("outcome", ""),
            call.get("flow_version", ""),
            _lasted(call),
            moment(call.get("started_at")),
        )
        for call in calls
    )
    if not rows:
        return Markup('<p class="empty">No call has ended yet.</p>')
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="past-title"><table class="calls"><thead><tr>'
        '<th scope="col">Caller</th><th scope="col">Outcome</th><th scope="col">Version</th><th scope="col">Lasted</th>'
        '<th scope="col">Began</th></tr></thead><tbody>{}</tbody></table></div>'
    ).format(rows)


def _lasted(call: Mapping[str, Any]) -> str:
    seconds = (call.get("canonical") or {}).get("seconds")
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}" if isinstance(seconds, int | float) else ""


# -- one call --------------------------------------------------------------------------------------------------------


async def detail(request: web.Request) -> web.Response:
    call_id = request.match_info["call_id"]
    call = await from_store(request.app[BACKEND].calls.get(call_id))
    if call is None:
        gone = Markup("<h1>No such call</h1><p>Nothing is known about <code>{}</code>.</p>").format(call_id)
        return page(request, "No such call", gone, status=404)
    live = bool(call.get("live"))
    facts = {k: v for k, v in (call.get("facts") or {}).items() if not k.startswith("call.")}
    canonical = call.get("canonical") or {}
    content = Markup("""\
<nav class="crumbs" aria-label="Breadcrumb"><a href="/calls">Calls</a></nav>
<h1>{caller} <span class="tag{tag}">{state}</span></h1>
<div id="call" class="columns" data-call="{call_id}" data-live="{live}">
<section aria-labelledby="story"><h2 id="story">What was said and done</h2>{story}</section>
<aside>
<section class="card"><h2>Call</h2>{about}</section>
{handoff}
<section class="card"><h2>Slots</h2>{slots}</section>
<section class="card"><h2>Known facts</h2>{facts}</section>
{numbers}
</aside>
</div>
""").format(
        caller=number(request, call.get("caller")),
        tag=" live" if live else "",
        state="live" if live else call.get("outcome") or "ended",
        call_id=call_id,
        live="yes" if live else "no",
        story=story(call.get("transcript") or call.get("entries") or ()),
        about=table(_about(request, call), ""),
        handoff=_handoff_card(call.get("handoff")),
        slots=table((call.get("slots") or {}).items(), "Nothing was filled."),
        facts=table(sorted(facts.items()), "Nothing is known."),
        numbers=Markup('<section class="card"><h2>Numbers</h2>{}</section>').format(table(canonical.items(), ""))
        if canonical
        else "",
    )
    return page(request, "Call", content)


def _about(request: web.Request, call: Mapping[str, Any]) -> list[tuple[str, Any]]:
    state = str(call.get("state", ""))
    flow, _, name = state.partition(".")
    version = call.get("flow_version", "")
    called = str(call.get("called", ""))
    link = Markup('<a href="/flows/{}#state-{}-{}">{}</a>').format(flow, flow, name, state) if name else state
    return [
        (label, shown)
        for label, shown in (
            ("Call id", Markup("<code>{}</code>").format(call["call_id"])),
            ("Called", number(request, called) if called.isdigit() else called),
            ("Began", moment(call.get("started_at"))),
            ("Ended", moment(call.get("ended_at"))),
            ("State", link),
            ("Flow version", version and Markup("<code>{}</code>").format(version)),
            ("Language", call.get("language", "")),
        )
        if shown
    ]


def _handoff_card(context: Mapping[str, Any] | None) -> Markup:
    if not context:
        return Markup("")
    pairs = [(k.capitalize(), context.get(k)) for k in ("reason", "skill", "priority")]
    pairs.append(("Tried", ", ".join(context.get("tried") or ()) or "nothing"))
    return Markup('<section class="card"><h2>Hand-over</h2>{}</section>').format(table(pairs, ""))


WHO = {"prompt": "Line", "heard": "Caller", "key": "Caller", "action": "Action", "handoff": "Hand-over"}


def story(entries: Sequence[Mapping[str, Any]]) -> Markup:
    """A call's timeline: what was said by whom, with what the line did about it between."""
    lines = Markup("").join(_line(entry) for entry in entries)
    return Markup('<ol class="story">{}</ol>').format(lines) if lines else Markup('<p class="quiet">Nothing yet.</p>')


def _line(entry: Mapping[str, Any]) -> Markup:
    kind = str(entry.get("kind", ""))
    text = _told(kind, entry)
    if not text:
        return Markup("")
    return Markup('<li class="{}"><span class="who">{}</span><span class="what">{}</span>{}</li>').format(
        kind if kind.isidentifier() else "other",
        WHO.get(kind, kind),
        text,
        Markup('<span class="when">{}</span>').format(moment(entry.get("at"))) if entry.get("at") else "",
    )


def _told(kind: str, entry: Mapping[str, Any]) -> str:
    match kind:
        case "prompt":
            return str(entry.get("text", ""))
        case "heard":
            meant = f" ({entry['intent']})" if entry.get("intent") else ""
            return f"“{entry.get('text', '')}”{meant}"
        case "key":
            return f"pressed {entry.get('key', '')}"
        case "action":
            outcome = f": {entry['outcome']}" if entry.get("outcome") else ""
            return f"{entry.get('action') or entry.get('name') or ''}{outcome}"
        case "handoff":
            return " ".join(str(entry[k]) for k in ("reason", "destination") if entry.get(k))
        case "state":
            return str(entry.get("to_state") or entry.get("state") or "")
        case "error":
            return " ".join(str(entry[k]) for k in ("part", "error", "detail") if entry.get(k))
    return ""


# -- what the agent opens ----------------------------------------------------------------------------------------------


async def handoff(request: web.Request) -> web.Response:
    """The context behind the URL an agent's phone got; the token in it is the only key. HTML for browsers."""
    if not wants_html(request):
        return await handoff_json(request)
    context = await from_store(request.app[BACKEND].context(request.match_info["token"]))
    if context is None:
        gone = Markup(
            "<h1>This hand-over has expired</h1><p>Links live for a day. Nothing is known under this one.</p>"
        )
        return page(request, "Expired", gone, framed=False, scripts=(), status=404)
    facts = {k: v for k, v in (context.get("facts") or {}).items() if not k.startswith("call.")}
    caller = context.get("caller") or {}
    phone = caller.get("number") if isinstance(caller, Mapping) else caller
    who = facts.get(CALLER_NAME) or phone or "Unknown caller"
    content = Markup("""\
<article class="handoff">
<p class="eyebrow">Call handed over to you</p>
<h1>{who}</h1>
<p class="reason">{reason} <span class="tag{urgent}">priority {priority}</span> <span class="tag">{skill}</span></p>
<div class="columns">
<section aria-labelledby="story"><h2 id="story">What they said already</h2>{story}</section>
<aside>
<section class="card"><h2>Tried so far</h2>{tried}</section>
<section class="card"><h2>What we know</h2>{facts}</section>
<section class="card"><h2>Call</h2>{about}</section>
</aside>
</div>
</article>
""").format(
        who=who,
        reason=str(context.get("reason", "")).replace("-", " ") or "no reason given",
        urgent=" urgent" if int(context.get("priority") or 0) >= 8 else "",
        priority=context.get("priority", ""),
        skill=context.get("skill", ""),
        story=story(context.get("transcript") or ()),
        tried=_listed(context.get("tried") or ()),
        facts=table(sorted(facts.items()), "Nothing is known about this caller."),
        about=table(
            [
                ("Call id", context.get("call_id")),
                ("Number", phone),
                ("Language", context.get("language")),
                ("Was at", f"{context.get('flow', '')}.{context.get('state', '')}".strip(".")),
            ],
            "",
        ),
    )
    return page(request, "Hand-over", content, framed=False, scripts=("console.js",))


def _listed(items: Sequence[object]) -> Markup:
    if not items:
        return Markup('<p class="quiet">Nothing yet.</p>')
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(i) for i in items))
