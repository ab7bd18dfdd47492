"""Differences of the company file, in words: its facts, what its services do, its vocabularies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ivr.dialogue.flows.company_file import CompanyFile
from ivr.events import Term
from ivr.workshop.compare.change import Change, named

SECTION = "company"
SHOWN = 5  # terms
_NOUNS = {"facts": "fact", "actions": "action", "vocabularies": "vocabulary"}
_CARE = frozenset({"service", "method", "path", "risk", "needs", "gives", "undo", "type", "secret"})
_NOTES = {"about": "another note to colleagues"}


def company_changes(old: CompanyFile | None, new: CompanyFile | None) -> Iterator[Change]:
    if old is None and new is not None:
        yield Change(SECTION, "", "company-added", f"there is a company file now, of {new.company}")
    elif old is not None and new is None:
        yield Change(SECTION, "", "company-removed", f"the company file, of {old.company}, is gone", care=True)
    elif old is not None and new is not None and old.company != new.company:
        yield Change(SECTION, "", "company-renamed", f"the company is called {new.company}, was {old.company}")
    for part, noun in _NOUNS.items():
        was: Mapping[str, Any] = getattr(old, part) if old is not None else {}
        now: Mapping[str, Any] = getattr(new, part) if new is not None else {}
        for name in dict.fromkeys((*was, *now)):
            place = f"{noun} {name}"
            if name not in now:
                yield Change(SECTION, place, f"{noun}-removed", "is gone", care=True)
            elif name not in was:
                yield Change(SECTION, place, f"{noun}-added", f"is new: {_told(now[name].model_dump())}")
            else:
                yield from _changed(place, was[name].model_dump(), now[name].model_dump())


def _changed(place: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for key in now:
        if was[key] != now[key]:
            text = _NOTES.get(key) or f"{key} is {_told(now[key])}, was {_told(was[key])}"
            yield Change(SECTION, place, key, text, care=key in _CARE)


def _told(value: object) -> str:
    """What is said of it, without what is empty."""
    if isinstance(value, Mapping):
        said = (f"{key} {_told(each)}" for key, each in value.items() if each not in ("", None, (), {}, False))
        return "; ".join(said) or "nothing"
    return named(value)


def term_changes(name: str, old: tuple[Term, ...], new: tuple[Term, ...]) -> Iterator[Change]:
    """Of a vocabulary that stands in the files; told in numbers where it is many."""
    was, now = {term.id: term for term in old}, {term.id: term for term in new}
    for what, terms in (
        ("new", [now[each] for each in now if each not in was]),
        ("gone", [was[each] for each in was if each not in now]),
        ("said otherwise", [now[each] for each in now if each in was and was[each] != now[each]]),
    ):
        if terms:
            few = ", ".join(term.label for term in terms[:SHOWN])
            more = f" and {len(terms) - SHOWN} more" if len(terms) > SHOWN else ""
            yield Change(SECTION, f"vocabulary {name}", f"terms-{what.partition(' ')[0]}", f"{what}: {few}{more}")
