"""Accounts of the house, their sessions, and a way to find what happened to them in the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "ix_audit_action" not in {index["name"] for index in inspector.get_indexes("audit")}:
        op.create_index("ix_audit_action", "audit", ["action"])
    if inspector.has_table("accounts"):
        return
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("display", sa.String(100), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("password", sa.String(255), nullable=False, server_default=sa.text("''")),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("must_change", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("one_time", sa.String(64), nullable=False, server_default=sa.text("''")),
        sa.Column("one_time_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("entered_at", MOMENT, nullable=True),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(40), nullable=False, index=True),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False, index=True),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("program", sa.String(200), nullable=False),
    )
