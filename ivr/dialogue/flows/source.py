"""Source files: text -> model, with a place in the file for everything in it, or findings that say all that is wrong.

Nothing here raises for what a file contains, and nothing takes longer than the file is long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from ivr.dialogue.flows.company_file import CompanyFile
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.model import Flow, FlowFile, Fragment, Universals, Wording
from ivr.dialogue.flows.model_errors import fault_of, listing, locate, nearest
from ivr.dialogue.flows.vocabulary_file import SUFFIX as VOCABULARY
from ivr.dialogue.flows.yaml_tree import MAX_BYTES, MAX_FAULTS, Fault, Path, Spot, read_tree

KINDS: Mapping[str, type[Flow] | type[Fragment] | type[Wording] | type[Universals] | type[CompanyFile]] = {
    "flow": Flow,
    "fragment": Fragment,
    "wording": Wording,
    "company": CompanyFile,
    "universals": Universals,
}
_YAML = (".yaml", ".yml")
_ROUNDS = 4  # of leaving out what is wrong, to say what else is


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file, from 1, and the text that stands there."""

    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Positions:
    """Where everything in one file stands, by the path the model has it under."""

    file: str
    root: Spot

    def value(self, *path: str | int) -> Place:
        """The value at ``path``, or of the nearest thing around it that the file has."""
        _, spot = locate(self.root, path)
        return Place(self.file, spot.line, spot.column, spot.text)

    def key(self, *path: str | int) -> Place:
        """The key at ``path`` (a state's name, say); a list's item has none, so its value."""
        _, spot = locate(self.root, path)
        return Place(self.file, spot.key_line, spot.key_column, spot.key) if spot.key_line else self.value(*path)

    def has(self, *path: str | int) -> bool:
        """Whether the file itself has exactly this path."""
        return len(locate(self.root, path)[0]) == len(path)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as read. ``model`` is None when there is any error.

    ``draft`` is then what is left without the wrong parts, so that the checker can say what else is wrong, and
    ``omitted`` the paths left out."""

    file: str
    model: FlowFile | None
    positions: Positions
    findings: tuple[Finding, ...] = ()
    draft: FlowFile | None = None
    kind: str = ""
    name: str = ""
    omitted: frozenset[Path] = field(default_factory=frozenset)

    @property
    def mutilated(self) -> frozenset[str]:
        """States of which something was left out."""
        return frozenset(str(path[1]) for path in self.omitted if len(path) > 1 and path[0] == "states")


def read_directory(path: FilePath | str) -> dict[str, str]:
    """What a directory's library is made of, file name -> text, sorted.

    Bytes that are not UTF-8 come as lone surrogates, which ``parse`` reports; of a file beyond the size limit only as
    much is read as shows that. Raises OSError."""
    return {entry.name: read_file(entry) for entry in library_files(path)}


def library_files(path: FilePath | str) -> list[FilePath]:
    """Flow files and vocabularies of a directory, sorted. Raises OSError."""
    return [entry for entry in _files(path) if is_of_library(entry.name)]


def source_files(path: FilePath | str) -> list[FilePath]:
    """Every file of a directory that somebody wrote as YAML, test scripts too, sorted. Raises OSError."""
    return [entry for entry in _files(path) if entry.suffix in _YAML]


def is_of_library(name: str) -> bool:
    """Whether a file of this name belongs to a library: test scripts (``*.test.yaml``) and mock services
    (``*.mock.yaml``) do not. Hidden ones are other programs' (an editor's, or what a Mac keeps beside each file as
    ``._name``)."""
    path = FilePath(name)
    written = path.suffix in (*_YAML, VOCABULARY)
    return written and not path.name.startswith(".") and not path.stem.endswith((".test", ".mock"))


def _files(path: FilePath | str) -> list[FilePath]:
    return [entry for entry in sorted(FilePath(path).iterdir()) if not entry.name.startswith(".") and entry.is_file()]


def read_file(path: FilePath) -> str:
    """One file's text as ``parse`` wants it. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1).decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def parse(name: str, text: str) -> Parsed:
    """Read one file. ``name`` is its file name; every fault is found, not just the first."""
    tree = read_tree(text)
    positions = Positions(name, tree.root)
    faults = list(tree.faults)
    kind, model_type = _kind(tree.data, tree.root, faults)
    model: FlowFile | None = None
    omitted: frozenset[Path] = frozenset()
    title = ""
    if model_type is not None:
        title = str(tree.data.get(kind)) if kind != "universals" else "universals"
        model, found, omitted = _validate(tree.data, model_type, tree.root)
        refused = {(f.line, f.column) for f in faults}
        faults += [f for f in found if (f.line, f.column) not in refused]
    findings = ordered(fault.finding(name) for fault in faults[:MAX_FAULTS])
    return Parsed(name, None if faults else model, positions, findings, model, kind, title, omitted)


def _kind(data: Any, root: Spot, faults: list[Fault]) -> tuple[str, type[BaseModel] | None]:
    remedy = "begin the file with flow: NAME, fragment: NAME, wording: FLOW, company: NAME or universals: true"
    if not isinstance(data, dict):
        if not faults:
            what = "the file is empty" if data is None else "the file is not a mapping of keys to values"
            faults.append(Fault("empty-file", root.line, root.column, root.text, what, remedy))
        return "", None
    kinds = [k for k in data if k in KINDS]
    if not kinds:
        first = next(iter(data), "")
        spot = root.inside.get(first, root)
        close = nearest(str(first), KINDS)
        at = (spot.key_line or 1, spot.key_column or 1, str(first))
        remedy = f"did you mean {close}:?" if close else remedy
        faults.append(Fault("unknown-kind", *at, "the file does not say what it is", remedy))
        return "", None
    if len(kinds) > 1:
        spot = root.inside[kinds[1]]
        why, remedy = f"the file says it is several things: {listing(kinds)}", "keep one and split the file"
        faults.append(Fault("unknown-kind", spot.key_line, spot.key_column, kinds[1], why, remedy))
    return kinds[0], KINDS[kinds[0]]


def _validate(data: Any, model: type[BaseModel], root: Spot) -> tuple[Any, list[Fault], frozenset[Path]]:
    """The model, or what is left of it after leaving out what is wrong, with all that was found on the way."""
    faults: list[Fault] = []
    omitted: set[Path] = set()
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data, by_alias=True, by_name=False), faults, frozenset(omitted)
        except ValidationError as error:
            wrong: set[Path] = set()
            for each in error.errors(include_url=False)[:MAX_FAULTS]:
                path, fault = fault_of(each, model, root)
                known = each["type"] == "missing" and (*path, str(each["loc"][-1])) in omitted
                if fault not in faults and not known:
                    faults.append(fault)
                wrong.add(path)
        except RecursionError:
            why = "the file is nested too deep"
            faults.append(Fault("too-deep", 1, 1, "", why, "use sub-flows instead of nesting"))
            break
        if () in wrong:
            break
        omitted |= wrong
        data = _without(data, wrong)
    return None, faults, frozenset(omitted)


def _without(data: Any, paths: set[Path], here: Path = ()) -> Any:
    """A copy of ``data``, which stands at ``here``, lacking ``paths``."""
    if isinstance(data, dict):
        return {k: _without(v, paths, (*here, k)) for k, v in data.items() if (*here, k) not in paths}
    if isinstance(data, list):
        return [_without(v, paths, (*here, i)) for i, v in enumerate(data) if (*here, i) not in paths]
    return data
