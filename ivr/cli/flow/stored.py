"""A database that is only read: none is made where there is none."""

from __future__ import annotations

from pathlib import Path

from ivr.errors import ConfigError
from ivr.store import Store
from ivr.store.database import parse_url


def existing_store(url: str) -> Store:
    """Raises ConfigError for a SQLite file that isn't there."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        raise ConfigError(f"{parsed.database}: no database there", remedy="pass --database URL, or start the line once")
    return Store(url)
