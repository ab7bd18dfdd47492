"""Every planted fault is found, on its line, with a remedy, and nothing else is; the good files are clean."""

from __future__ import annotations

import pytest

from tests.unit.dialogue.checker.corpus import Broken, broken, check_corpus, good

CASES = list(broken())


def test_the_good_files_are_clean() -> None:
    assert [f.render() for f in check_corpus(good())] == []


def test_the_corpus_is_large_and_varied() -> None:
    assert len(CASES) >= 60
    assert len({c.code for c in CASES}) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_fault_is_found(case: Broken) -> None:
    findings = check_corpus(case.sources)
    rendered = "\n".join(f.render() for f in findings)
    here = [f for f in findings if f.code == case.code and f.file == case.file and f.line == case.line]
    assert here, rendered
    assert all(f.remedy and f.why for f in findings), rendered
    assert all(f.column > 0 for f in here), rendered
    assert {f.code for f in findings} - case.also == {case.code}, rendered


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.code in ("silent-loop", "hangs-up", "not-filled")], ids=lambda c: c.name
)
def test_a_no_shows_its_path(case: Broken) -> None:
    findings = [f for f in check_corpus(case.sources) if f.code == case.code]
    assert all(len(f.path) > 1 or f.path[0].endswith(".shut") for f in findings)


MENDED = [case for case in CASES if "# MENDED: " in case.sources[case.file]]


def test_many_faults_come_with_what_mends_them() -> None:
    assert len(MENDED) >= 30


@pytest.mark.parametrize("case", MENDED, ids=lambda c: c.name)
def test_the_remedy_mends_it(case: Broken) -> None:
    """``# MENDED:`` below a fault is the line to put in its place."""
    lines = case.sources[case.file].split("\n")
    at = next(n for n, line in enumerate(lines) if line.startswith("# MENDED: "))
    lines[case.line - 1] = lines[at].removeprefix("# MENDED: ")
    del lines[at]
    assert [f.render() for f in check_corpus({**case.sources, case.file: "\n".join(lines)})] == []
