"""How the suite is spread over processes: a file stays together, and the files that take longest begin first.

What talks to real processes, browsers, databases and sockets shares its machine with whoever else is on it: there, and
only there, a failed test is run once more, and the summary names it (``1 rerun``, ``RERUN …``): twice is a failure."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import structlog

from ivr.store import Store

HERE = Path(__file__).parent
gc.disable()  # until all is collected: nothing of it is garbage
# Calls over real SIP and RTP wait more than they compute: begun first, they end while the rest keeps the cores busy.
# Then what takes a minute a file (a line, a browser, two databases), so that short files even out the end.
REAL_PEERS = [HERE / folder for folder in ("acceptance", "wire", "release", "web", "contract")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turns = {path: _turn(path) for path in {item.path for item in items}}
    items.sort(key=lambda item: turns[item.path])
    for item in items:
        if turns[item.path] < len(REAL_PEERS):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_collection_finish() -> None:
    """Ten thousand tests stay to the end: no collection of garbage needs to look through them again and again."""
    gc.freeze()  # without a look for garbage, which takes each process seconds and finds next to none
    gc.enable()


def _turn(path: Path) -> int:
    return next((turn for turn, folder in enumerate(REAL_PEERS) if folder in path.parents), len(REAL_PEERS))


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """Commands that ran in this process before have set levels and files for its log."""
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _patient_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for two seconds is no database that is away. Who tests that says the bound."""
    assert Store.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(Store.__init__.__kwdefaults__, "timeout_s", 20.0)
