"""Confusions: which phrases of a flow would be taken for something else, were they not listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.understanding.classifier import NONE, Confusion
from ivr.dialogue.understanding.grammar import RISK, UNIVERSALS

MOST = 30


def of_flow(library: FlowLibrary, flow: str, confusions: Sequence[Confusion]) -> list[Confusion]:
    """Those that can happen in the flow: between its intents, and with what is understood everywhere."""
    own = frozenset(library.flows[flow].intents)
    everywhere = {*UNIVERSALS, "yes", "no", NONE, *(f"{RISK}{name}" for name in library.universals.risks)}
    here = own | everywhere
    return [c for c in confusions if {c.intent, c.taken_for} <= here and (own & {c.intent, c.taken_for})]


def report(found: Sequence[Confusion], most: int = MOST) -> Iterator[str]:
    """Lines: the pairs by count, the phrases, and the strange sentences that would be asked about."""
    phrases = [c for c in found if c.intent != NONE]
    strange = [c for c in found if c.intent == NONE]
    if not found:
        yield "no phrase would be taken for anything else"
        return
    if phrases:
        yield "pairs of intents, by how many phrases of the first would be taken for the second:"
        for (intent, other), count in Counter((c.intent, c.taken_for) for c in phrases).most_common():
            yield f"  {count:3}  {intent} -> {_named(other)}"
        yield ""
        yield "phrases that would be taken for something else, were they not listed, the surest first:"
        yield from (f"  {c.chance:4.0%}  “{c.phrase}” ({c.intent}) -> {_named(c.taken_for)}" for c in phrases[:most])
        if len(phrases) > most:
            yield f"        and {len(phrases) - most} more"
    if strange:
        yield ""
        yield "sentences that mean nothing here and would be asked about:"
        yield from (f"  {c.chance:4.0%}  “{c.phrase}” -> {c.taken_for}" for c in strange[:most])
    yield ""
    yield "examples: of the first intent, or not: of the second, keep them apart"


def _named(intent: str) -> str:
    return "not understood" if intent == NONE else intent
