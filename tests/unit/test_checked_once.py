"""What the tests' own short cut promises: whoever puts flows live asks the checker once for the same files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ivr.dialogue.checker.check import Checked
from ivr.dialogue.checker.facts import LineFacts
from ivr.release.candidate import examine
from ivr.release.verdicts import Verdicts
from tests import checked_once as shortcut

FACTS = LineFacts()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """What the checker was asked."""
    found: list[Mapping[str, str]] = []

    def checker(sources: Mapping[str, str], facts: LineFacts, **_: Any) -> Checked:
        found.append(sources)
        return Checked(None, ())

    monkeypatch.setattr(shortcut, "check_sources", checker)
    return found


@pytest.mark.parametrize("check", [examine, Verdicts().check], ids=["candidate", "verdicts"])
def test_the_same_files_are_checked_once(
    asked: list[Mapping[str, str]], check: Callable[[Mapping[str, str], LineFacts], object]
) -> None:
    with shortcut.checked_once():
        for text in ("flow: main", "flow: main", "flow: other"):
            check({"main.yaml": text}, FACTS)
    assert asked == [{"main.yaml": "flow: main"}, {"main.yaml": "flow: other"}]
