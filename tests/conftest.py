"""How the suite is spread over processes: a file stays together, and the files that take longest begin first."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

HERE = Path(__file__).parent
# Calls over real SIP and RTP wait more than they compute: begun first, they end while the rest keeps the cores busy.
# Then what takes a minute a file (a line, a browser, two databases), so that short files even out the end.
FIRST = [HERE / folder for folder in ("acceptance", "wire", "release", "web", "contract")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, folder in enumerate(FIRST) if folder in item.path.parents), len(FIRST))


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """Commands that ran in this process before have set levels and files for its log."""
    structlog.reset_defaults()
