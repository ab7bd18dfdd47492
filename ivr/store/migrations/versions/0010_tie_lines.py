"""Where lines on one database dial each other, and the tokens that admit them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if "sip" not in _columns("line_processes"):
        op.add_column("line_processes", sa.Column("sip", sa.String(200), nullable=False, server_default=sa.text("''")))
    if "tie" not in _columns("places"):
        op.add_column("places", sa.Column("tie", sa.String(64), nullable=False, server_default=sa.text("''")))
        there = sa.text("tie <> ''")
        op.create_index("uq_places_tie", "places", ["tie"], unique=True, sqlite_where=there, postgresql_where=there)


def _columns(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
