"""Folders of flow files, and what one word on the command line names in them: a flow, a file, a folder, or a state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ivr.company import Company, company_of
from ivr.config import Config
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.source import read_directory
from ivr.errors import ConfigError, FlowError
from ivr.workshop.simulate.mock_services import MockServices, read_mocks


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a company's flows. ``chosen``: the files in it that were named; empty when all of it was."""

    path: Path
    sources: Mapping[str, str]
    company: Company
    chosen: frozenset[str] = frozenset()

    def own(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Those about the files that were named, with their whole paths."""
        return tuple(self.placed(f) for f in findings if not self.chosen or f.file in self.chosen)

    def placed(self, finding: Finding) -> Finding:
        """The same with the file's whole path, as editors and CI want it."""
        return replace(finding, file=str(self.path / finding.file))


def folders(paths: Sequence[Path], config: Config | None) -> list[Folder]:
    """``paths`` by folder: a flow only means something together with its siblings. Raises ConfigError."""
    company = company_of(config)
    whole: list[Path] = []
    single: dict[Path, set[str]] = {}
    for path in paths:
        if path.is_dir():
            whole.append(path)
        elif path.is_file():
            single.setdefault(path.parent, set()).add(path.name)
        else:
            raise ConfigError(f"{path}: no such file or folder", remedy="name a folder of flows, or a file in one")
    found = [Folder(path, _read(path), company) for path in dict.fromkeys(whole)]
    found += [
        Folder(path, _read(path), company, frozenset(names)) for path, names in single.items() if path not in whole
    ]
    return found


def _read(path: Path) -> Mapping[str, str]:
    try:
        return read_directory(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make the folder readable") from error


def library_of(folder: Folder) -> FlowLibrary:
    """The folder's flows, ready to run. Raises FlowError with every finding that forbids it."""
    loaded = load_library(folder.sources, folder.company.all_signatures)
    if loaded.library is None:
        text = "\n".join(folder.placed(f).render() for f in loaded.errors)
        raise FlowError(f"these flows can't run\n{text}", remedy=f"ivr flow check {folder.path}")
    return loaded.library


def mocks_of(path: Path) -> MockServices:
    """What the services answer in simulated calls. Raises ConfigError for a folder that can't be read, FlowError with
    every finding for files that are wrong."""
    try:
        read = read_mocks(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make the folder readable") from error
    if found := [replace(f, file=str(path / f.file)).render() for each in read for f in each.findings]:
        raise FlowError("these mock services can't be read\n" + "\n".join(found), remedy="mend the files")
    return MockServices.of(read)


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
            remedy = suggestion(state, known, f"states there: {listing(known)}")
            raise FlowError(f"{flow} has no state {state}", remedy=remedy)
        return flow, state
    owners = [f.flow for f in library.flows.values() if name in f.states]
    if len(owners) == 1:
        return owners[0], name
    if owners:
        remedy = f"write {' or '.join(f'{o}.{name}' for o in owners)}"
        raise FlowError(f"several flows have a state {name}", remedy=remedy)
    every = [*library.flows, *(f"{f.flow}.{s}" for f in library.flows.values() for s in f.states)]
    raise FlowError(f"there is no flow or state {name}", remedy=suggestion(name, every, "write FLOW or FLOW.STATE"))
