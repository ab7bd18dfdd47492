"""Value types as the checker knows them: which values a variable of each type can have, and what they are said as.

One table a question, so that a new type is a line in each; a type that is in none is taken to be anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.model import Flow

WHOLE = frozenset({"number", "ordinal", "money"})
"""Types whose values are whole numbers."""

SAID_AS: Mapping[str, frozenset[str]] = {
    "number": frozenset({"number", "ordinal", "plural", "digits", "money", "spell", "label"}),
    "ordinal": frozenset({"number", "ordinal", "plural", "digits", "spell", "label"}),
    "money": frozenset({"money", "number", "label"}),
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
    "time": "time",
}  # fmt: skip
"""The filter that says a type best; without one the name by itself does."""

FACTS: Mapping[str, str] = {"hours.open": "boolean", "wait.position": "number", "wait.minutes": "number"}
"""Types of the line's own facts, where they are one."""


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
