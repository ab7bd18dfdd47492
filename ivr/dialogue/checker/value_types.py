"""Value types as the checker knows them: which values a variable of each type can have, and what they are said as.

One table a question, so that a new type is a line in each; a type that is in none is taken to be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.model import Flow

WHOLE = frozenset({"number", "ordinal", "money", "duration"})
"""Types whose values are whole numbers."""

SAID_AS: Mapping[str, frozenset[str]] = {
    "number": frozenset({"number", "ordinal", "plural", "digits", "money", "spell", "label"}),
    "ordinal": frozenset({"number", "ordinal", "plural", "digits", "spell", "label"}),
    "money": frozenset({"money", "number", "label"}),
    "duration": frozenset({"duration", "number", "plural", "label"}),
    "code": frozenset({"code", "spell", "label"}),
    "digits": frozenset({"digits", "number", "ordinal", "plural", "spell", "label"}),
    "phone": frozenset({"phone", "digits", "spell", "label"}),
    "date": frozenset({"date", "label"}),
    "time": frozenset({"time", "label"}),
    "date_range": frozenset({"label"}),
    "boolean": frozenset({"label"}),
    "choice": frozenset({"spell", "label"}),
    "title": frozenset({"spell", "label"}),
}
"""Filters that mean something for a type; what isn't here (text, lists of actions) may be anything."""

USUAL: Mapping[str, str] = {
    "number": "number", "ordinal": "ordinal", "money": "money", "digits": "digits", "date": "date",
    "time": "time", "duration": "duration", "code": "code",
}  # fmt: skip
"""The filter that says a type best; without one the name by itself does."""

FACTS: Mapping[str, str] = {"hours.open": "boolean", "wait.position": "number", "wait.minutes": "number"}
"""Types of the line's own facts, where they are one."""


_ALIKE = (  # types that pass for one another
    {"number", "ordinal", "money"}, {"digits", "number", "text"}, {"digits", "phone", "text"},
    {"code", "digits", "text"}, {"duration", "number"},
    {"choice", "text", "boolean"}, {"title", "text"},
)  # fmt: skip


def passes_for(given: str, wanted: str) -> bool:
    return given == wanted or wanted == "text" or any(given in alike and wanted in alike for alike in _ALIKE)


def literal_fits(value: object, wanted: str) -> bool:
    """Whether a value that stands in the file can be one of a type; so it is taken to be where the type isn't known."""
    text = str(value)
    match wanted:
        case "number" | "ordinal" | "money" | "duration":
            return not isinstance(value, bool) and re.fullmatch(r"-?\d+(\.0)?", text) is not None
        case "digits":
            return not isinstance(value, bool) and text.isascii() and text.isdigit()
        case "date":
            try:
                return bool(date.fromisoformat(text[:10]))
            except ValueError:
                return False
        case "boolean":
            return isinstance(value, bool)
    return True


def type_of(findings: Findings, flow: Flow, name: str) -> str:
    """The type of a variable or fact; "" where it isn't known."""
    if name in flow.slots:
        return flow.slots[name].type
    if (part := flow.parts.get(name)) is not None:
        return part.type
    company = findings.library.company
    if company is not None and name in company.facts:
        return company.facts[name].type
    return FACTS.get(name, "")
