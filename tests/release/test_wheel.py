"""The wheel holds whatever `ivr new` and the flow tools need: used from a folder in which no source is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import ivr
from ivr.workshop.lines import TEMPLATES
from tests.wire.upgrade.wheels import Release, built

PACKAGE = Path(ivr.__file__).parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return built(tmp_path_factory.mktemp("wheel"))


def run(wheel: Release, folder: Path, command: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ivr", *command],
        cwd=folder,
        env={**os.environ, **wheel.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"ivr {' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def test_it_holds_every_file_of_the_package(wheel: Release) -> None:
    """Templates, pages, styles, migrations, example data: what is no Python is named in pyproject.toml, or missing."""
    ours = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    there = wheel.folder / "ivr"
    assert {str(path) for path in ours if not (there / path).is_file()} == set()
    assert any(path.match("workshop/lines/dentist.main.yaml") for path in ours)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_line_is_begun_checked_and_tested_by_it(wheel: Release, template: str, tmp_path: Path) -> None:
    said = ("--company", "Riverside House", "--languages", "en-US,es-ES")
    assert "A line for Riverside House is in line." in run(
        wheel, tmp_path, ["new", "line", "--template", template, *said]
    )
    line = tmp_path / "line"
    assert "nothing wrong" in run(wheel, line, ["flow", "check", "--strict", "--profile", "gethuman-1.0"])
    assert "none failed" in run(wheel, line, ["flow", "test"])
    assert "nothing is missing" in run(wheel, line, ["flow", "words"])
    run(wheel, line, ["flow", "schema"])
    run(wheel, line, ["flow", "new", "extra", "--template", "form"])
