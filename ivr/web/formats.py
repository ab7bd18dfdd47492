"""Formats: how the console writes numbers, moments, durations, measures and names (template filters), and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web

from ivr.call_search import reason_of
from ivr.logs import mask_number
from ivr.record import Entered, Entry, Failed, HandedOver, Keyed, Performed, Prompted, Spoken, TakenOver, Understood

LONGEST_NUMBER = 16  # a plus and 15 digits (ITU-T E.164); a name in its place may be longer

# What a User-Agent holds, and what it means: the first that fits, since most claim to be others, too.
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "a Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def phone(number: object, *, mask: bool) -> str:
    """A caller's number, all but two digits hidden where ``mask`` is set; a name in a number's place stays."""
    text = str(number or "")
    if not text:
        return "withheld"
    return mask_number(text[-LONGEST_NUMBER:]) if mask else text


def moment(at: object) -> str:
    """An ISO 8601 moment for reading; the browser puts it into the reader's own time."""
    try:
        return datetime.fromisoformat(str(at)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return str(at)


def duration(seconds: object) -> str:
    """61.4 as 1:01, 3725 as 1:02:05; "" for what is no number."""
    if not isinstance(seconds, int | float):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def browser(program: str) -> str:
    """A ``User-Agent`` for reading: "Firefox on Windows"; what names neither, as it is."""
    with_what = next((name for mark, name in BROWSERS if mark in program), "")
    on_what = next((name for mark, name in SYSTEMS if mark in program), "")
    return f"{with_what} on {on_what}" if with_what and on_what else program


def value(item: object) -> str:
    """A slot or a fact for reading."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, str | int | float):
        return str(item)
    if isinstance(item, list | tuple) and all(isinstance(each, str) for each in item):
        return ", ".join(item) or "none"
    return "" if item is None else json.dumps(item, ensure_ascii=False, default=str)


def measure(item: object, name: str) -> str:
    """A number of the canonical line for reading, with the unit that its ``name`` tells."""
    if isinstance(item, bool) or not isinstance(item, int | float):
        return value(item)
    unit = "ms" if name.endswith("_ms") else "s" if name.startswith("seconds") or name.endswith("_s") else ""
    return f"{round(item, 1):,} {unit}" if unit else f"{item:,}"


def label(name: str) -> str:
    """``seconds_to_human`` as "Seconds to human", ``jitter_ms`` as "Jitter", ``waited_s`` as "Waited"."""
    words = name.removesuffix("_ms").removesuffix("_s").replace("_", " ")
    return words[:1].upper() + words[1:]


def reason(call: Mapping[str, Any]) -> str:
    """Why a human was wanted, for reading."""
    return reason_of(call).replace("-", " ")


def told(entry: Mapping[str, Any]) -> str:
    """One entry of a call's record or transcript as a line of its story; "" for what nobody needs to read."""
    match Entry.from_json(entry).what:
        case Prompted(text=text):
            return text
        case Understood(text=text, intent=intent):
            return f"“{text}” ({intent})" if intent else f"“{text}”"
        case Spoken(by=by, text=text, late=late):
            who = "" if by == "caller" else f"{by}: "
            return f"{who}“{text}”{' (written down late)' if late else ''}"
        case Keyed(key=key):
            return f"pressed {key or entry.get('text', '')}"  # a transcript has it as text
        case Performed(action=action, outcome=outcome):
            return ": ".join(filter(None, (action, outcome)))
        case HandedOver(reason=reason, destination=destination, encryption=encryption):
            sealed = f" (encrypted: {encryption})" if encryption not in ("", "none") else ""
            return " → ".join(filter(None, (reason, destination))) + sealed
        case Entered(state=state):
            return state
        case TakenOver(node=node, gap_s=gap_s):
            return f"taken over{f' from {node}' if node else ''}, {gap_s:.1f} s unheard"
        case Failed(part=part, error=error, detail=detail):
            return " ".join(filter(None, (part, error, detail)))
    return ""


def dumps(value: Any) -> str:
    """JSON that goes out as UTF-8, whatever was kept: halves of surrogate pairs are replaced."""
    return whole(json.dumps(value, ensure_ascii=False, default=str))


def whole(text: str) -> str:
    return text.encode(errors="replace").decode()


json_response = partial(web.json_response, dumps=dumps)
