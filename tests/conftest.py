"""How the suite is spread over processes: a file stays together, and the files that live in real time begin first."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

HERE = Path(__file__).parent
# Calls over real SIP and RTP wait more than they compute: begun first, they end while the rest keeps the cores busy.
REAL_TIME = (HERE / "acceptance", HERE / "wire")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(folder in item.path.parents for folder in REAL_TIME))


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """Commands that ran in this process before have set levels and files for its log."""
    structlog.reset_defaults()
