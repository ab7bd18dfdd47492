"""Terms by ear: other ways to say one term of a company's vocabulary that sound like another term.

Two terms of one name are a note (confusable.py): people are called the same, and the line asks. A way to say a term is
the company's own choice, in the company file or its CSV.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.source import Place
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.spoken.similarity import sound
from ivr.events import Term

_FEW = 5  # findings a vocabulary


def check_alike_terms(findings: Findings) -> None:
    library = findings.library
    if library.company is None:
        return
    language = library.universals.language
    for name, terms in library.vocabularies.items():
        for count, (one, way, other) in enumerate(_alike(terms, language)):
            if count == _FEW:
                break
            why = f"“{way}” is a way to say {one.label}, and sounds like {other.label}, so callers are asked every time"
            remedy = "leave that way to one of them"
            findings.add("alike-terms", _place(findings, name, one), why, remedy, severity="warning", text=way)


def _alike(terms: tuple[Term, ...], language: str) -> Iterator[tuple[Term, str, Term]]:
    """(a term, its way, the term that it sounds like), each pair of terms once."""
    known: dict[str, Term] = {}
    for term in terms:
        known.setdefault(_sound(term.label, language), term)
    told: set[tuple[str, str]] = set()
    for term in terms:
        for way in term.spoken:
            other = known.setdefault(_sound(way, language), term)
            if other.id != term.id and (pair := (other.id, term.id)) not in told:
                told.add(pair)
                yield term, way, other


def _sound(text: str, language: str) -> str:
    return sound(" ".join(fold(text, language)), language)


def _place(findings: Findings, vocabulary: str, term: Term) -> Place:
    company = findings.library.company
    assert company is not None
    spec = company.vocabularies[vocabulary]
    return findings.company("vocabularies", vocabulary, *(("terms", term.id) if spec.terms else ("file",)))
