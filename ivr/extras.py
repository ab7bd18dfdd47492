"""Extras: packages that not every line needs, and how they come into the environment that runs."""

from __future__ import annotations

import sys


def installing(extra: str) -> str:
    """From the source, never by our name: a package registry's "ivr" is a stranger's."""
    return f"in the source's folder: {sys.executable} -m pip install '.[{extra}]'"
