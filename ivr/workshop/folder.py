"""Folders of flow files, or single files in them, as a designer names them on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ivr.company import Company, company_of
from ivr.config import Config
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.errors import ConfigError, FlowError


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
