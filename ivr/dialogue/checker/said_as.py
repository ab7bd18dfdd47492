"""Formatted values: a slot's filter fits the type of what it says, in every language."""

from __future__ import annotations

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.spoken_texts import spoken_texts
from ivr.dialogue.checker.value_types import SAID_AS, USUAL, type_of
from ivr.dialogue.flows.wording import FILTERS, slots_in


def check_said_as(findings: Findings) -> None:
    flows = findings.library.flows
    for said in spoken_texts(findings):
        if said.flow not in flows:
            continue
        for name, chosen, stray in slots_in(said.text):
            kind = "" if stray else type_of(findings, flows[said.flow], name)
            if chosen in FILTERS and kind in SAID_AS and chosen not in SAID_AS[kind]:
                better = f"{{{name}|{USUAL[kind]}}}" if kind in USUAL else f"{{{name}}}"
                why = f"{name} is a {kind}, and is said as if it were {_article(chosen)}: callers hear nonsense"
                findings.add("wrong-filter", said.place, why, f"write {better}", text=said.text)


def _article(chosen: str) -> str:
    return f"{'an' if chosen[0] in 'aeiou' else 'a'} {chosen}"
