"""How the suite is spread over two cores: a file stays together, and what lives in real time stays on one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Calls over real SIP and RTP: two lines at once would measure each other.
REAL_TIME = (
    HERE / "wire" / "line",
    HERE / "wire" / "company",
    HERE / "acceptance",
    HERE / "wire" / "media",
    HERE / "wire" / "proxy",
    HERE / "wire" / "softphone",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        real_time = any(folder in item.path.parents for folder in REAL_TIME)
        group = "real-time" if real_time else str(item.path.relative_to(HERE))
        item.add_marker(pytest.mark.xdist_group(group))
