"""Answers of a company's own HTTP service: what of the JSON becomes values, facts and vocabularies, and what it means.

Places are JSON pointers ("/hold/id", RFC 6901) or dotted ("hold.id", "$.items[0].name").
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from ivr.actions.registry import Invocation
from ivr.dialogue.flows.signature import FAILED
from ivr.dialogue.spoken.clock import clock_time, minutes_of_iso
from ivr.dialogue.spoken.date_spans import span_of
from ivr.dialogue.spoken.phone import phone_number
from ivr.events import ActionResult, Term

REFUSED = "refused"
ANY_REFUSAL = "4xx"
OURS = frozenset({401, 403, 405, 407, 415})  # a 4xx about the request or its credentials: no answer to the caller
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
MOST_TERMS = 20_000

_POINTER_STEP = re.compile(r"[^.\[\]]+")


class Incomplete(ValueError):
    """A success without everything that was asked of it. ``missing``: by name; ``values``: what is there."""

    def __init__(self, missing: Sequence[str], values: Mapping[str, object]) -> None:
        super().__init__(f"the answer lacks {', '.join(missing)}")
        self.missing, self.values = list(missing), values


def refusal(status: int, outcomes: Mapping[str, Sequence[str]] | None, refused: Sequence[object]) -> str:
    """What a status other than 2xx means: an outcome that was declared for it, REFUSED, or FAILED.

    ``outcomes``: statuses by outcome; None: ``refused`` are those that mean no, every 4xx where that is empty."""
    about_the_caller = status // 100 == 4 and status not in TRANSIENT | OURS
    if outcomes is None:
        said_no = status in {int(str(code)) for code in refused} if refused else about_the_caller
        return REFUSED if said_no else FAILED
    declared = next((name for name, statuses in outcomes.items() if str(status) in statuses), "")
    anything = next((name for name, statuses in outcomes.items() if ANY_REFUSAL in statuses), FAILED)
    return declared or (anything if about_the_caller else FAILED)


def values_of(payload: Any, returns: Mapping[str, object]) -> dict[str, object]:
    """What there is of it: nothing that is blank."""
    found = {name: find(payload, str(place)) for name, place in returns.items()}
    return {name: value for name, value in found.items() if value is not None and str(value).strip()}


def read(payload: Any, invocation: Invocation) -> ActionResult:
    """A success. Raises Incomplete."""
    wanted: Mapping[str, str] = invocation.get("returns", {})
    types: Mapping[str, str] = invocation.get("types", {})
    values, missing = values_of(payload, wanted), []
    for name in wanted:
        try:
            if name in types:
                values[name] = fitted(values.get(name), types[name])
            elif name not in values:
                missing.append(name)
        except ValueError:
            values.pop(name, None)
            missing.append(name)
    facts: dict[str, object] = {}
    for name, spec in invocation.get("facts", {}).items():
        value = find(payload, str(spec["at"]))
        if spec["blank"] and (value is None or not str(value).strip()):
            facts[name] = ""
            continue
        try:
            facts[name] = fitted(value, spec["type"])
        except ValueError:
            missing.append(name)
    vocabularies = {}
    for name, places in invocation.get("vocabularies", {}).items():
        try:
            vocabularies[name] = terms(payload, places)
        except ValueError:
            missing.append(name)
    if missing:
        raise Incomplete(sorted(missing), values)
    return ActionResult("ok", values, facts, vocabularies)


def fitted(value: object, kind: str) -> object:
    """A JSON value as one of a declared type: text, number, digits, phone, date (its day in ISO 8601), time (HH:MM),
    boolean, money (cents), duration (minutes). Raises ValueError: it is not there, or another thing."""
    if value is None or isinstance(value, list | dict) or (isinstance(value, str) and not value.strip()):
        raise ValueError("nothing is there")
    match kind:
        case "boolean":
            if not isinstance(value, bool):
                raise ValueError("no boolean")
            return value
        case "number" | "ordinal" | "money" | "duration":
            return _whole(value)
        case "digits":
            text = str(value)
            if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
                raise ValueError("no digits")
            return text
        case "phone":
            return phone_number(value)
        case "date":
            return date.fromisoformat(str(value)[:10]).isoformat()
        case "date_range":
            return span_of(str(value)).text
        case "time":
            return clock_time(minutes_of_iso(value))
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _whole(value: object) -> int:
    if isinstance(value, bool):
        raise ValueError("no number")
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer():
            raise ValueError("no whole number")
        return int(value)
    if isinstance(value, int):
        return value
    text = str(value).strip()
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("no whole number")
    return int(text)


def terms(payload: Any, places: Mapping[str, str]) -> tuple[Term, ...]:
    """A vocabulary, as ``TermsAt`` says where; of two with one id the first counts. Raises ValueError: it is none."""
    items = find(payload, places["list"])
    if not isinstance(items, list):
        raise ValueError("no list")
    if len(items) > MOST_TERMS:
        raise ValueError(f"more than {MOST_TERMS:,} terms")
    found: dict[str, Term] = {}
    for item in items:
        term = _term(item, places)
        found.setdefault(term.id, term)
    return tuple(found.values())


def _term(item: object, places: Mapping[str, str]) -> Term:
    named = [find(item, places[part]) for part in ("id", "label")]
    if any(isinstance(name, list | dict | bool) or name is None or not str(name).strip() for name in named):
        raise ValueError("a term without id or label")
    said = find(item, places["spoken"]) if places["spoken"] else None
    return Term(str(named[0]), str(named[1]).strip(), tuple(dict.fromkeys(_ways(said))))


def _ways(said: object) -> Iterator[str]:
    for way in said if isinstance(said, list) else str(said or "").split(";"):
        if text := str(way).strip():
            yield text


def find(payload: Any, place: str) -> Any:
    """What ``place`` points at; None when there is nothing."""
    if place.startswith("/"):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in place[1:].split("/")]
    else:
        steps = _POINTER_STEP.findall(place.removeprefix("$"))
    for step in steps:
        if isinstance(payload, Mapping):
            payload = payload.get(step)
        elif isinstance(payload, list) and step.isdecimal():
            payload = payload[int(step)] if int(step) < len(payload) else None
        else:
            return None
    return payload
