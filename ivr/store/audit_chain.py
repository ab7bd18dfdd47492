"""The audit log's chain: how a row is written down, its hash, and the triggers that let nobody change one.

The hash is the SHA-256 of a JSON list (RFC 8259: ASCII, no spaces, keys in order) of what ``Link`` has, in its order,
with the instant in UTC to the microsecond. ``before`` and ``after`` are kept as the text that was hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

FIRST = "0" * 64
"""What stands for the hash of the row before the first one."""


@dataclass(frozen=True, slots=True)
class Link:
    """A row but for its hash. ``expired``: rows up to that one may be deleted since."""

    id: int
    at: datetime
    actor: str
    source: str
    action: str
    target: str
    before: str | None
    after: str | None
    result: str
    expired: int | None
    previous: str

    @property
    def hash(self) -> str:
        told = [
            each.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(each, datetime) else each
            for each in astuple(self)
        ]
        return hashlib.sha256(canonical(told).encode("ascii")).hexdigest()


def canonical(value: object) -> str:
    """JSON that is the same for the same value; what JSON does not know is its text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def written(told: Mapping[str, Any] | None) -> str | None:
    return None if told is None else canonical(dict(told))


SQLITE = (
    # REPLACE deletes without asking a DELETE trigger: a number that is taken is refused before.
    """CREATE TRIGGER audit_log_at_its_end BEFORE INSERT ON audit_log
    WHEN NEW.id IS NOT 1 + (SELECT coalesce(max(id), 0) FROM audit_log)
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
    """CREATE TRIGGER audit_log_unchanged BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
    """CREATE TRIGGER audit_log_kept BEFORE DELETE ON audit_log
    WHEN OLD.id > (SELECT coalesce(max(expired), 0) FROM audit_log)
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
)
POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        IF NEW.id = 1 + (SELECT coalesce(max(id), 0) FROM audit_log) THEN RETURN NEW; END IF;
      ELSIF TG_OP = 'DELETE' THEN
        IF OLD.id <= (SELECT coalesce(max(expired), 0) FROM audit_log) THEN RETURN OLD; END IF;
      END IF;
      RAISE EXCEPTION 'audit_log is append-only';
    END $$""",
    """CREATE TRIGGER audit_log_rows BEFORE INSERT OR UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only()""",
    """CREATE TRIGGER audit_log_whole BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()""",
    "ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_rows",  # also where a session calls itself a replica
    "ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_whole",
    "REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC",
)
BEGINNING = "INSERT INTO audit_head (id, last, hash) VALUES (1, 0, '" + FIRST + "')"  # noqa: S608 - zeros
"""Where the chain ends: also what its last rows are missed by."""


def rules(dialect: str) -> tuple[str, ...]:
    return (*(POSTGRESQL if dialect == "postgresql" else SQLITE), BEGINNING)
