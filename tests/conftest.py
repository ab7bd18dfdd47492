"""How the suite is spread over processes: a file stays together, and the files that live in real time begin first.

What talks to real processes, browsers, databases and sockets shares its machine with whoever else is on it: there, and
only there, a failed test is run once more, and the summary names it (``1 rerun``, ``RERUN …``): twice is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

HERE = Path(__file__).parent
# Calls over real SIP and RTP wait more than they compute: begun first, they end while the rest keeps the cores busy.
REAL_TIME = (HERE / "acceptance", HERE / "wire")
REAL_PEERS = (*REAL_TIME, HERE / "contract", HERE / "release", HERE / "web")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(folder in item.path.parents for folder in REAL_TIME))
    for item in items:
        if any(folder in item.path.parents for folder in REAL_PEERS):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """Commands that ran in this process before have set levels and files for its log."""
    structlog.reset_defaults()
