"""The test harness of a sub-flow: a flow that calls it, so that it can be tried alone and its end be seen."""

from __future__ import annotations

from ivr.company import Company
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.errors import FlowError
from ivr.events import CALLER_ID
from ivr.workshop.folder import Folder, library_of

TRIAL = "trial"

_FLOW = """\
flow: trial
start: {start}
states:
{who}  try: {{call: {flow}, on: {{{edges}}}}}
{ends}
"""


def entry_of(folder: Folder, flow: str) -> tuple[FlowLibrary, str]:
    """The library to run, and the flow to enter, for trying ``flow``. Raises FlowError when there is none such."""
    library = library_of(folder)
    if flow not in library.flows:
        raise FlowError(f"there is no flow {flow} in {folder.path}", remedy=f"one of {', '.join(library.flows)}")
    results = list(dict.fromkeys(s.result for s in library.flows[flow].states.values() if s.result))
    if not results or TRIAL in library.flows:
        return library, flow
    edges = ", ".join(f"{result}: over_{result}" for result in results)
    ends = "\n".join(f"  over_{result}: {{end: returned {result}}}" for result in results)
    start, who = _who(folder.company, library)
    text = _FLOW.format(start=start, who=who, flow=flow, edges=edges, ends=ends)
    loaded = load_library({**folder.sources, f"{TRIAL}.yaml": text}, folder.company.all_signatures)
    return (loaded.library, TRIAL) if loaded.library is not None else (library, flow)


def _who(company: Company, library: FlowLibrary) -> tuple[str, str]:
    """The state that identifies the caller first, where the company can; "try" and nothing where it can't."""
    identify = _identifying(library) or company.identify
    if not identify:
        return "try", ""
    on = ", ".join(f"{outcome}: try" for outcome in library.signatures[identify].all_outcomes)
    return "who", f"  who: {{action: {identify}, on: {{{on}}}}}\n"


def _identifying(library: FlowLibrary) -> str:
    """The company file's action that tells who calls by itself: it wants nothing of a flow, and brings their id."""
    actions = library.company.actions if library.company is not None else {}
    found = (
        name
        for name, action in actions.items()
        if CALLER_ID in action.facts and not any(spec.required for spec in action.parameters.values())
    )
    return next(found, "")
