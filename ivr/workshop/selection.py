"""Selections: what one word on the command line names: a flow by its name, a file, a folder, or a state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.errors import ConfigError, FlowError
from ivr.workshop.folder import Folder, folders


@dataclass(frozen=True, slots=True)
class Selection:
    """``name``: the flow, or "flow.state"; "" for all of the folder."""

    folder: Folder
    name: str = ""


def select(what: str, default: Path, config: Config | None) -> Selection:
    """``what`` is looked for on disk first, then in the folder ``default``. Raises ConfigError."""
    path = Path(what)
    if path.is_dir():
        return Selection(folders([path], config)[0])
    if path.is_file():
        return Selection(folders([path.parent], config)[0], path.name.partition(".")[0])
    if path.suffix in (".yaml", ".yml") or "/" in what:
        raise ConfigError(f"{path}: no such file or folder", remedy="name a flow, a file, or a folder of flows")
    return Selection(folders([default], config)[0], what)


def flow_of(library: FlowLibrary, name: str) -> str:
    """Raises FlowError with the nearest name there is."""
    if name in library.flows:
        return name
    remedy = suggestion(name, library.flows, f"flows here: {listing(library.flows)}")
    raise FlowError(f"there is no flow {name}", remedy=remedy)


def state_of(library: FlowLibrary, name: str) -> tuple[str, str]:
    """ "flow.state", or a state's name where only one flow has it. Raises FlowError."""
    flow, dot, state = name.partition(".")
    if dot:
        flow_of(library, flow)
        if state not in library.flows[flow].states:
            known = library.flows[flow].states
            raise FlowError(
                f"{flow} has no state {state}", remedy=suggestion(state, known, f"states there: {listing(known)}")
            )
        return flow, state
    owners = [f.flow for f in library.flows.values() if name in f.states]
    if len(owners) == 1:
        return owners[0], name
    if owners:
        raise FlowError(
            f"several flows have a state {name}", remedy=f"write {' or '.join(f'{o}.{name}' for o in owners)}"
        )
    every = [*library.flows, *(f"{f.flow}.{s}" for f in library.flows.values() for s in f.states)]
    raise FlowError(f"there is no flow or state {name}", remedy=suggestion(name, every, "write FLOW or FLOW.STATE"))
