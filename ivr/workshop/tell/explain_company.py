"""Explanation of the company file in plain words: what is known about callers, what services do, what callers say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivr.dialogue.flows.company_file import CompanyFile, ServiceAction, VocabularySpec
from ivr.dialogue.flows.library import FlowLibrary
from ivr.workshop.tell.explain import Explanation

NAME = "company"  # as the file is called


def explain_company(library: FlowLibrary, company: CompanyFile) -> Explanation:
    sections = {
        "What may be known about a caller": [*_facts(company)],
        "What its services do": [_action(library, name, action) for name, action in company.actions.items()],
        "What callers may say": [_vocabulary(library, name, spec) for name, spec in company.vocabularies.items()],
    }
    return Explanation(f"{company.company}, the company. {' '.join(company.about.split())}".strip(), sections)


def _listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _facts(company: CompanyFile) -> Iterator[str]:
    for fact, spec in company.facts.items():
        brought = [name for name, action in company.actions.items() if fact in action.facts]
        blank = (", or blank" if spec.blank else "") + (", secret" if spec.secret else "")
        about = f" {' '.join(spec.about.split())}" if spec.about else ""
        yield f"{fact}: {spec.type}{blank}" + (f", brought by {_listed(brought)}" if brought else "") + f".{about}"


def _action(library: FlowLibrary, name: str, action: ServiceAction) -> str:
    signature = library.signatures[name]
    users = [
        f"{flow}.{sid}" for flow, each in library.flows.items() for sid, s in each.states.items() if s.action == name
    ]
    told = [f"{name}: {action.method} {action.path} of the service {action.service}"]
    if action.parameters:
        given = [f"{p}{' (secret)' if spec.secret else ''}" for p, spec in action.parameters.items()]
        told.append(f"it is given {_listed(given)}")
    ends = [f"{outcome} ({', '.join(statuses)})" for outcome, statuses in action.outcomes.items()]
    told.append(f"it ends in {_listed(['ok', *ends])}, or fails")
    told += [f"it brings {_listed([*action.facts])}"] if action.facts else []
    told += [f"it brings the vocabularies {_listed([*action.vocabularies])}"] if action.vocabularies else []
    told += [f"the caller must be {action.needs}"] if action.needs else []
    told += [f"after ok the caller is {action.gives}"] if action.gives else []
    told.append(
        {"none": "it changes nothing", "reversible": "it changes something that can be undone"}.get(
            signature.risk, "what it does can't be undone, so it is always confirmed"
        )
    )
    told.append(
        f"{_listed(users)} use it" if len(users) > 1 else f"{users[0]} uses it" if users else "no state uses it"
    )
    return "; ".join(told) + "."


def _vocabulary(library: FlowLibrary, name: str, spec: VocabularySpec) -> str:
    if spec.service:
        return f"{name}: what {spec.service} answers at {spec.path}, asked again every {spec.refresh:g} s."
    terms = library.vocabularies.get(name, ())
    few = ", ".join(term.label for term in terms[:5]) + (", …" if len(terms) > 5 else "")
    return f"{name}: {len(terms)} of {spec.file or 'the company file'} ({few})."
