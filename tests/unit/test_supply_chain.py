"""What a line is made of: everything is pinned with hashes, nothing says where it was fetched, licences are known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
RUN, TEST, BUILD = (ROOT / f"requirements{of}.lock" for of in ("", "-test", "-build"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = ("3.11", "3.12", "3.13")

PERMISSIVE = {
    *("MIT", "MIT License", "MIT-0", "0BSD", "BSD License", "3-Clause BSD License", "BSD-2-Clause", "BSD-3-Clause"),
    *("Apache 2", "Apache 2.0", "Apache-2.0", "Apache Software License", "Apache License, Version 2.0"),
    *("PSF-2.0", "Python Software Foundation License", "Zlib", "CC0-1.0", "Public-Domain"),
}
BY_FILE = {
    "certifi": "Mozilla Public License 2.0 (MPL 2.0)",  # the certificates of authorities, unchanged
    "pyttsx3": "MPL-2.0",
    "soxr": "LGPL-2.1-or-later",  # a library of its own, which anybody may replace
    "tqdm": "MPL-2.0",
}
"""Weak copyleft, a package at a time: it asks for the sources of these files only."""
GPL = {"espeakng-loader", "piper-tts", "pyvoip"}


@dataclass(frozen=True, slots=True)
class Pin:
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def version(self) -> Version:
        (one,) = self.requirement.specifier
        assert one.operator == "=="
        return Version(one.version)


def pins(path: Path) -> dict[str, Pin]:
    found: dict[str, Pin] = {}
    for line in path.read_text("utf-8").replace("\\\n", " ").splitlines():
        words, *hashes = re.split(r"\s+--hash=sha256:", line.strip())
        requirement = Requirement(words)
        found[canonicalize_name(requirement.name)] = Pin(requirement, tuple(hashes))
    return found


def wanted(*extras: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for, with extras of its own followed."""
    listed = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        listed += PROJECT["project"]["optional-dependencies"][extra]
    for text in listed:
        requirement = Requirement(text)
        if requirement.name == "ivr":
            yield from wanted(*requirement.extras)
        else:
            yield requirement


@pytest.mark.parametrize("path", [RUN, TEST, BUILD], ids=lambda path: path.name)
def test_everything_is_pinned_with_hashes_and_says_nothing_of_where_it_came_from(path: Path) -> None:
    for name, pin in pins(path).items():
        assert pin.version and pin.hashes, name
        assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in pin.hashes), name
        assert pin.requirement.url is None
    assert not re.search(r"://|index-url|find-links|trusted-host|^#", path.read_text("utf-8"), re.M)


@pytest.mark.parametrize(("path", "extras"), [(RUN, ()), (TEST, ("test",))], ids=["run", "test"])
def test_the_locks_hold_what_the_project_asks_for(path: Path, extras: tuple[str, ...]) -> None:
    locked = pins(path)
    for requirement in wanted(*extras):
        pin = locked.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement} is in no lock: make lock"
        assert pin.version in requirement.specifier, f"{requirement}: make lock"


@pytest.mark.parametrize("python", PYTHONS)
def test_one_lock_is_for_every_python_that_we_serve(python: str) -> None:
    here: Mapping[str, str] = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    locked = pins(RUN)
    for requirement in wanted():
        pin = locked[canonicalize_name(requirement.name)]
        marker = requirement.marker is None or requirement.marker.evaluate(dict(here))
        assert not marker or pin.requirement.marker is None or pin.requirement.marker.evaluate(dict(here)), requirement


def test_what_is_tested_is_what_runs() -> None:
    tested = pins(TEST)
    for name, pin in pins(RUN).items():
        assert (tested[name].version, set(tested[name].hashes)) == (pin.version, set(pin.hashes)), name


def test_what_builds_is_pinned_too() -> None:
    needed = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
    assert {canonicalize_name(each.name) for each in needed} == pins(BUILD).keys()
    assert all(pins(BUILD)[each.name].version in each.specifier for each in needed)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert (
        "--require-hashes --no-build-isolation" in makefile and "--no-deps --no-build-isolation --editable" in makefile
    )


def licences(name: str) -> set[str]:
    """As its author declares them: the expression, else the classifiers, else the text."""
    metadata = distribution(name).metadata
    classified = [c.rpartition(":: ")[2] for c in metadata.get_all("Classifier") or () if c.startswith("License ::")]
    expression, text = metadata["License-Expression"], metadata["License"]
    if not expression and classified:
        return set(classified)
    return {each.strip("() ") for each in re.split(r" AND | OR ", expression or text or "unknown")}


@pytest.mark.parametrize("name", sorted(pins(RUN)))
def test_what_a_line_is_made_of_may_be_used_by_any_company(name: str) -> None:
    unknown = licences(name) - PERMISSIVE - {BY_FILE.get(name, "")}
    assert not unknown, f"{name}: {unknown}: look it up, then add it to the list of this test, or do without"


def test_gpl_comes_with_extras_only() -> None:
    assert not GPL & pins(RUN).keys() and pins(TEST).keys() >= GPL


def test_the_bill_of_materials_is_whole_and_the_same_every_time(tmp_path: Path) -> None:
    program = Path(sys.prefix) / "bin" / "cyclonedx-py"
    recipe = re.search(
        r"^\t@\$\(BIN\)/cyclonedx-py (.+) --output-file sbom.json (\S+)$", (ROOT / "Makefile").read_text(), re.M
    )
    assert recipe is not None
    made = []
    for name in ("one.json", "two.json"):
        words = (program, *recipe[1].split(), "--output-file", tmp_path / name, recipe[2])
        subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
        made.append((tmp_path / name).read_text("utf-8"))
    assert made[0] == made[1]
    bill = json.loads(made[0])
    components = {canonicalize_name(each["name"]): each["version"] for each in bill["components"]}
    assert components == {name: str(pin.version) for name, pin in pins(RUN).items()}
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["name"] == "ivr"
