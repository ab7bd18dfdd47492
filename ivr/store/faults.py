"""Faults of a database in an operator's words: what it says of itself, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ivr.errors import StoreUnavailable

REMEDY = "see that the database runs and that [store] url in config.toml points at it"
UPGRADE = "run ivr db upgrade; if it was upgraded, restore a backup"
RIGHTS = "let the service's user read and write the database, its folder or its tables"
PRIMARY = "point [store] url at the primary, or let the service's user write the file and its folder"
SPACE = "free space on the database's disk; calls go on meanwhile"
LOGIN = "check user, password and database name in [store] url, and the server's pg_hba.conf"

# Words of SQLite's and PostgreSQL's own messages.
_REMEDIES = (
    (("database is locked", "database table is locked"), "another program holds the database: see that it lets go"),
    (("disk is full", "no space left", "could not extend file"), SPACE),
    (("readonly database", "read-only transaction"), PRIMARY),
    (("malformed", "not a database", "invalid page"), "the database is damaged: restore a backup"),
    (("unable to open", "permission denied", "disk i/o error"), RIGHTS),
    (("no such table", "no such column", "has no column", "does not exist"), UPGRADE),
    (("starting up", "shutting down", "in recovery mode"), "the server is about to run, or to stop: wait for it"),
    (("too many", "connection slots"), "raise the server's max_connections, or let fewer programs connect"),
    (("password", "authentication", "pg_hba"), LOGIN),
)

Unreachable = (OSError, PoolTimeout, TimeoutError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a driver raises, wrapped by SQLAlchemy or not, when a database cannot or will not."""


def fault(error: BaseException, doing: str) -> StoreUnavailable:
    """``doing``: what went wrong, such as "the database failed". Never says what was to be written."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    reason = _reason(cause)
    nobody = _sqlstate(cause)[:2] in ("28", "3D")  # no such user, or wrong password; no such database
    return StoreUnavailable(f"{doing}: {reason}", remedy=LOGIN if nobody else _remedy(reason.casefold()))


def is_of_the_write(error: BaseException | None) -> bool:
    """Whether no database would ever take it: its data is wrong (SQLSTATE classes 22 and 23), or breaks a rule."""
    if isinstance(error, DataError | IntegrityError):
        return True
    return isinstance(error, DBAPIError) and _sqlstate(error.orig)[:2] in ("22", "23")


def _sqlstate(cause: BaseException | None) -> str:
    return str(getattr(cause, "sqlstate", None) or "")


def _remedy(reason: str) -> str:
    return next((remedy for words, remedy in _REMEDIES if _any(words, reason)), REMEDY)


def _any(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)


def _reason(cause: BaseException) -> str:
    """The first line: PostgreSQL names values in those after it."""
    lines = str(cause).strip().splitlines()
    text = lines[0] if lines else ""
    if text.startswith("<class "):  # SQLAlchemy's adapter names the driver's class before the message
        text = text.partition(">: ")[2]
    return text[:200] or type(cause).__name__
