"""The database's URL: [store] url, checked."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ivr.errors import ConfigError


def parse_url(url: str) -> URL:
    """Checks the driver. Raises ConfigError, never echoing a password."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "[store] url is not a database URL",
            remedy="write sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME",
        ) from error
    if parsed.drivername in ("sqlite", "sqlite3"):
        parsed = parsed.set(drivername="sqlite+aiosqlite")
    elif parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+asyncpg")
    if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise ConfigError(
            f"[store] url: {parsed.drivername} is not supported", remedy="use sqlite+aiosqlite or postgresql+asyncpg"
        )
    return parsed


def named(url: URL) -> str:
    """For people and logs: no password, wherever it stands."""
    hidden = [key for key in url.query if "password" in key.lower()]
    return url.difference_update_query(hidden).render_as_string(hide_password=True)


def missing_file(url: str) -> str:
    """The SQLite file of ``url`` that isn't there; "" where there is one, or needs to be none. Raises ConfigError.

    To be asked before a database is opened only to read it: opening makes it."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return ""
    path = str(parsed.database).removeprefix("file:").partition("?")[0]
    return "" if Path(path).is_file() else path


def in_memory(url: URL) -> bool:
    """Whether it is this process's alone, and gone with it."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
