"""An index on a table that lines write to: on PostgreSQL it is made beside them, in no transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

INVALID = sa.text(
    "SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = :name AND NOT indisvalid"
)


def create_index_online(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """In a migration, whose steps before it are committed by then: each of them must stand being repeated. One that
    was interrupted is made anew."""
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, [*columns], if_not_exists=True, **options)
        return
    with op.get_context().autocommit_block():
        if op.get_bind().execute(INVALID, {"name": name}).first() is not None:
            op.drop_index(name, postgresql_concurrently=True)
        op.create_index(name, table, [*columns], if_not_exists=True, postgresql_concurrently=True, **options)
