"""Paraphrases: how well sentences that no phrase lists are understood, typed, at the reference flows' open question.

    python -m tests.bench.paraphrases [--wrong]

Sentences in tests/corpus/paraphrases.yaml, none of which anything was fitted to. "right" is asked about with the right
thing first, its titles too; "offered" as one of two; "person" is sent there unasked.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ivr.dialogue.engine.contract import Start
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.requests import named
from ivr.dialogue.engine.states.question import question
from ivr.dialogue.engine.variables import Asked, Frame
from ivr.dialogue.understanding.classifier import Classifiers
from ivr.dialogue.understanding.grammar import HUMAN, RISK, Interpretation
from ivr.dialogue.understanding.n_best import understand
from ivr.embedding.loading import rehearsing
from ivr.events import Cause, Recognition, Term
from tests.flows.reference import library

CORPUS = Path(__file__).parents[1] / "corpus" / "paraphrases.yaml"
GROUPS = ("requests", "threats", "near", "people", "nothing")


@dataclass(slots=True)
class Tally:
    """Outcomes of one group of sentences, and those that were not right, with what they were taken for."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def share(self, *outcomes: str) -> float:
        return sum(self.counts[outcome] for outcome in outcomes) / max(1, self.counts.total())


@lru_cache(maxsize=1)
def corpus() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(CORPUS.read_text("utf-8"))
    return found


def measure(language: str = "en-US", classifiers: Classifiers | None = None) -> dict[str, Tally]:
    """Every sentence once. Deterministic, given the weights."""
    call = _call(language, classifiers)
    grammar = question(call).grammar
    tallies = {group: Tally() for group in GROUPS}
    for group, tally in tallies.items():
        for each in corpus()[language][group]:
            text, intent, titles = (each, _wanted(group), []) if isinstance(each, str) else each
            began = time.process_time()
            found = understand(Recognition(Cause.SUCCESS, transcript=text), grammar, call.words.risks)
            tally.cpu_ms.append((time.process_time() - began) * 1000)
            outcome = _outcome(found, intent, titles)
            tally.counts[outcome] += 1
            if outcome != "right":
                meant = named(found.best.meaning.intent) if found.best is not None else "nothing"
                tally.wrong.append(f"{outcome}: {text} -> {meant}")
    return tallies


def _wanted(group: str) -> str:
    return {"threats": RISK, "people": HUMAN}.get(group, "")


def _outcome(found: Interpretation, intent: str, titles: Sequence[str]) -> str:
    best = found.best
    if best is None:
        return "nothing" if intent else "right"
    if not intent:
        return "asked" if not best.sure else "accepted"
    if intent == RISK:
        return "right" if best.meaning.intent.startswith(RISK) else "wrong"
    heard = [value.label.lower() for value in best.meaning.slots.values() if isinstance(value.value, str)]
    if named(best.meaning.intent) == intent and set(heard) >= {title.lower() for title in titles}:
        return "right"
    if best.leads_out and best.sure:
        return "person"
    offered = found.rival is not None and named(found.rival.meaning.intent) == intent
    return "offered" if offered else "wrong"


def _call(language: str, classifiers: Classifiers | None) -> Conversation:
    flows = library()
    words = {name: tuple(Term(text, text) for text in corpus()[name]) for name in ("queue", "discs", "catalogue")}
    call = Conversation(flows, Start("bench", language=language, vocabularies=words, classifiers=classifiers))
    open_question = next(name for name, state in flows.flows["main"].states.items() if len(state.choices) > 8)
    call.stack = [Frame("main", open_question, asked=[Asked(open_question)])]
    return call


def main() -> None:
    classifiers = rehearsing()
    for language in ("en-US", "es-ES"):
        for name, reader in (("by words alone", None), ("with the embedding", classifiers)):
            print(f"{language}, {name}:")
            for group, tally in measure(language, reader).items():
                if not tally.counts:
                    continue
                half = sorted(tally.cpu_ms)[len(tally.cpu_ms) // 2]
                told = ", ".join(f"{outcome} {count}" for outcome, count in tally.counts.most_common())
                print(f"  {group:9} n={tally.counts.total():3}  {told}  ({half:.1f} ms of CPU at p50)")
                if reader is not None and "--wrong" in sys.argv:
                    print("".join(f"      {line}\n" for line in tally.wrong), end="")


if __name__ == "__main__":
    main()
