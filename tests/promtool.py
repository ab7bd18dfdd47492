"""promtool, of Debian's package prometheus: it knows which rules, expressions and expositions are right."""

from __future__ import annotations

import shutil


def promtool() -> str:
    """Its path. Fails where it isn't installed: what can't be checked is no pass."""
    found = shutil.which("promtool")
    assert found, "promtool is missing: bash tests/system_packages.sh prometheus"
    return found
