"""The two sides of a comparison: a folder, one file, a git revision, or a version that the line has kept."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.signature import ActionSignature
from ivr.dialogue.flows.source import is_of_library, parse, read_directory
from ivr.errors import ConfigError, FlowError

REVISION = "rev:"
_GIT_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Side:
    """``only``: the flow that a single file holds."""

    name: str
    sources: Mapping[str, str]
    only: frozenset[str] = field(default_factory=frozenset)

    def library(self, signatures: Mapping[str, ActionSignature]) -> FlowLibrary:
        """Raises FlowError with every finding that forbids it."""
        loaded = load_library(self.sources, signatures)
        if loaded.library is None:
            text = "\n".join(f.render() for f in loaded.errors)
            raise FlowError(
                f"{self.name} can't be read as flows\n{text}", remedy="ivr flow check says the same of files"
            )
        return loaded.library


def side_on_disk(path: Path) -> Side:
    """A folder; or a file, together with its siblings. Raises ConfigError."""
    try:
        if path.is_dir():
            return Side(str(path), read_directory(path))
        if path.is_file():
            return _single(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make it readable") from error
    raise ConfigError(
        f"{path}: no such file or folder",
        remedy="name a folder, a file, rev:REVISION of git, or a version together with --database",
    )


def _single(path: Path) -> Side:
    """A file may be called otherwise than its flow (a copy): it then stands for the file that has the flow's name."""
    sources = dict(read_directory(path.parent))
    text = sources.pop(path.name, None)
    if text is None:
        raise ConfigError(f"{path} is no flow file", remedy="name a file that ends in .yaml and is no test script")
    parsed = parse(path.name, text)
    name = f"{parsed.name}.yaml" if parsed.kind in ("flow", "fragment", "universals") else path.name
    only = parsed.name if parsed.kind in ("flow", "fragment", "universals") else path.name.partition(".")[0]
    twin = re.compile(rf"^{parsed.kind}:\s*{re.escape(parsed.name)}\s*$", re.MULTILINE)
    siblings = {n: t for n, t in sources.items() if parsed.kind not in ("flow", "fragment") or not twin.search(t)}
    return Side(str(path), {**siblings, name: text}, frozenset({only}))


def side_in_git(revision: str, folder: Path) -> Side:
    """``folder`` as it was at ``revision``. Raises ConfigError."""
    prefix = _git(folder, "rev-parse", "--show-prefix").strip()
    listed = _git(folder, "ls-tree", "--full-tree", "--name-only", "-z", f"{revision}:{prefix}", what=revision).split(
        "\0"
    )
    names = [name for name in listed if is_of_library(name)]
    if not names:
        raise ConfigError(f"{revision} has no flows in {prefix or 'its root'}", remedy="name a later revision")
    return Side(f"{REVISION}{revision}", {n: _git(folder, "show", f"{revision}:{prefix}{n}") for n in names})


def _git(folder: Path, *words: str, what: str = "") -> str:
    git = shutil.which("git")
    if git is None:
        raise ConfigError("git is not installed", remedy="compare folders, or install git")
    if what.startswith("-"):
        raise ConfigError(f"{what} is no revision", remedy="write rev:HEAD~1, for instance")
    try:
        done = subprocess.run(  # noqa: S603 - no shell; a revision never begins with a dash
            [git, "-C", str(folder), *words], capture_output=True, timeout=_GIT_TIMEOUT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ConfigError(f"git: {said[0] if said else error}", remedy=f"see git log {folder}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"git did not answer: {error}", remedy=f"see git log {folder}") from error
    return done.stdout.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
