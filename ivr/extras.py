"""Extras: packages that not every line needs, and how they come into the environment that runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "pyproject.toml"
_OURS = re.compile(r"ivr\[([\w,-]+)\]")


def installing(extra: str) -> str:
    """From the source, never by our name: a package registry's "ivr" is a stranger's."""
    if SOURCE.is_file():
        return f"in the source's folder: {sys.executable} -m pip install '.[{extra}]'"
    packages = " ".join(f"'{package}'" for package in dict.fromkeys(_packages(extra)))
    return f"{sys.executable} -m pip install {packages}" if packages else f"install the extra {extra}"


def _packages(extra: str) -> Iterator[str]:
    """What the extra is made of: whoever has the wheel alone has no folder to install it from."""
    try:
        told = requires("ivr") or []
    except PackageNotFoundError:  # run from a copy of its files
        return
    for requirement in told:
        package, _, condition = requirement.partition(";")
        if not re.search(rf"""extra == ["']{re.escape(extra)}["']""", condition):
            continue
        if (ours := _OURS.match(package)) is None:
            yield package.strip()
        else:
            for part in ours[1].split(","):
                yield from _packages(part)
