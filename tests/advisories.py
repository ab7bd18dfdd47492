"""Known vulnerabilities of what is locked, against a copy of an advisory database in OSV's format; without a network.

    python -m tests.advisories FOLDER [--accept PYSEC-2024-1]     FOLDER: YAML or JSON files, wherever in it

Exit code 1: something is vulnerable; 2: the copy is older than two weeks, and says nothing of today.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-build.lock")
FRESH = timedelta(days=14)


def locked(text: str) -> Iterator[tuple[str, Version]]:
    """(name, version) of each pin of a lock."""
    for line in text.splitlines():
        if "==" in line:
            requirement = Requirement(line.rstrip("\\ "))
            yield canonicalize_name(requirement.name), Version(next(iter(requirement.specifier)).version)


def advisories(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.json"))):
        text = path.read_text("utf-8", errors="replace")
        read = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        if isinstance(read, dict) and "id" in read and "affected" in read:
            yield read


def affects(advisory: Mapping[str, Any], name: str, version: Version) -> bool:
    if advisory.get("withdrawn"):
        return False
    about = (each for each in advisory["affected"] if canonicalize_name(each["package"]["name"]) == name)
    return any(_listed(each, version) or any(_inside(r, version) for r in each.get("ranges") or ()) for each in about)


def _listed(affected: Mapping[str, Any], version: Version) -> bool:
    return any(_version(each) == version for each in affected.get("versions") or ())


def _inside(ranged: Mapping[str, Any], version: Version) -> bool:
    """Whether ``version`` comes after an event that introduces it, and before the next that ends it."""
    if ranged.get("type") != "ECOSYSTEM":
        return False
    inside = False
    for event in ranged["events"]:
        ((kind, said),) = event.items()
        at = _version(said)
        if at is None:
            continue
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _version(text: object) -> Version | None:
    try:
        return Version(str(text))
    except InvalidVersion:
        return None


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--accept", action="append", default=[], metavar="ID", help="known, and no fault of ours")
    parser.add_argument("--lock", type=Path, action="append", help="default: this project's")
    options = parser.parse_args(argv)
    paths = options.lock or [Path(__file__).parents[1] / name for name in LOCKS]
    pins = dict(pin for path in paths for pin in locked(path.read_text("utf-8")))
    newest, found = datetime.min.replace(tzinfo=UTC), 0
    for advisory in advisories(options.folder):
        modified = datetime.fromisoformat(str(advisory.get("modified", "")).replace("Z", "+00:00") or "0001-01-01")
        newest = max(newest, modified if modified.tzinfo else modified.replace(tzinfo=UTC))
        for each in {canonicalize_name(a["package"]["name"]) for a in advisory["affected"]} & pins.keys():
            if advisory["id"] not in options.accept and affects(advisory, each, pins[each]):
                found += 1
                told = " ".join(str(advisory.get("summary") or advisory.get("details") or "").split())
                print(f"{each} {pins[each]}: {advisory['id']} {' '.join(advisory.get('aliases') or ())}: {told[:120]}")
    print(f"{len(pins)} packages, {found} vulnerable; the newest advisory is of {newest:%Y-%m-%d}")
    if found:
        return 1
    return 2 if datetime.now(UTC) - newest > FRESH else 0


if __name__ == "__main__":
    sys.exit(main())
