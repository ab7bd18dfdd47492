"""How the suite is spread over two cores: a file stays together, and what lives in real time stays on one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Calls over real SIP and RTP wait more than they compute. Two lines at once would measure each other, so those that are
# measured stay together; the others, which run a part of a line or only count calls, are the second half of the time.
REAL_TIME = {
    HERE / "acceptance": "lines",
    HERE / "wire" / "company": "lines",
    HERE / "wire" / "line": "lines",
    HERE / "wire" / "media": "parts",
    HERE / "wire" / "proxy": "parts",
    HERE / "wire" / "sip": "parts",
    HERE / "wire" / "softphone": "parts",
}


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        real_time = next((group for folder, group in REAL_TIME.items() if folder in item.path.parents), None)
        item.add_marker(pytest.mark.xdist_group(real_time or str(item.path.relative_to(HERE))))
    items.sort(key=lambda item: not any(folder in item.path.parents for folder in REAL_TIME))  # the longest first
