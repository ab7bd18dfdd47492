"""Examples: a prompt's {slots} filled with something that could be said there, so that it can be read and heard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow, VariableSpec
from ivr.dialogue.flows.wording import SLOT, Wordings, filtered, labelled, names_in
from ivr.workshop.tell.samples import Samples, sample_code

_DAY = date(2026, 7, 4)
_TIME = "15:30"
_NUMBER = 3
_AMOUNT = 12
_MINUTES = 30
_CODE = "BK1234"
_DIGITS = "5035550142"
_NUMBERS = frozenset({"ordinal", "number", "plural"})
_COUNTED = ("position", "minutes", "number", "count", "size", "minimum", "maximum")  # how a fact of ours is called


def example(library: FlowLibrary, owner: str, text: str, language: str, names: Sequence[str] = ()) -> str:
    """``text`` as a caller may hear it. ``names``: out of the company's vocabularies."""
    if "{" not in text:
        return text
    flow = next((f for n, f in library.flows.items() if n == owner or owner in f.use), None)

    told = list(dict.fromkeys(names_in(text)))

    def fill(match: re.Match[str]) -> str:
        name, chosen, argument = match.group(1).strip(), (match.group(2) or "").strip(), match.group(3) or ""
        value = _value(library, flow, name, chosen, language, (*names[told.index(name) :], *names))
        return filtered(value, chosen, argument, language) if chosen else labelled(value, language)

    return SLOT.sub(fill, text)


def _value(
    library: FlowLibrary, flow: Flow | None, name: str, chosen: str, language: str, names: Sequence[str]
) -> object:
    spec = flow.slots.get(name) if flow is not None else None
    fact = library.company.facts.get(name) if library.company is not None else None
    kind = spec.type if spec is not None else str(getattr(fact, "type", ""))
    if chosen in _NUMBERS or kind in ("number", "ordinal") or (spec is None and name.endswith(_COUNTED)):
        return max(spec.minimum or 1, _NUMBER) if spec is not None else _NUMBER
    if chosen == "phone" or kind == "phone":
        return "6175550134"
    if chosen == "digits":
        return _DIGITS[: _length(spec)]
    if chosen == "money" or kind == "money":
        return _AMOUNT
    if chosen == "date" or kind == "date":
        return _DAY
    if spec is None and flow is not None and name in flow.parts:  # of a range
        return _DAY if flow.parts[name].type == "date" else _NUMBER
    if chosen == "time" or kind == "time":
        return (spec.earliest if spec is not None else "") or _TIME
    if chosen == "duration" or kind == "duration":
        return max(spec.minimum or 1, _MINUTES) if spec is not None else _MINUTES
    if chosen == "code" or kind == "code":
        return (sample_code(spec) if spec is not None else "") or _CODE
    if chosen == "list":
        return list(names[:3]) or [_told(name)]
    if flow is not None and spec is not None:
        return Samples(flow, Wordings(library, language, flow.persona), names).value(name)
    return _told(name)


def _length(spec: VariableSpec | None) -> int:
    return spec.length if spec is not None and isinstance(spec.length, int) else len(_DIGITS)


def _told(name: str) -> str:
    """A fact by its name: member.first_name is "first name"."""
    return name.rpartition(".")[2].replace("_", " ")
