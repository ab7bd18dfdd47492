"""Private files: what is made for its user and group only. What root makes belongs to whoever the folder belongs to:
an operator's command must leave no file behind that the line's own user can't write to."""

from __future__ import annotations

import os
from pathlib import Path

MODE = 0o640


def opened(path: str | Path, flags: int, mode: int = MODE) -> int:
    """A descriptor of ``path``, which is made where it isn't there. Raises OSError."""
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, mode)
    if os.geteuid() == 0:
        folder = Path(path).absolute().parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def made(path: str | Path, mode: int = MODE) -> bool:
    """Whether ``path`` was made now, empty. One that is there is not touched: closing it would take this process's
    locks on it away (POSIX). Raises OSError."""
    if os.path.lexists(path):
        return False
    os.close(opened(path, os.O_RDWR, mode))
    return True
