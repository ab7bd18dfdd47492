"""What callers were told of their wait and how true it was; what supervisors set while the desk runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    there = sa.inspect(op.get_bind())
    if not there.has_table("announced"):
        op.create_table(
            "announced",
            sa.Column("place_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("at", sa.DateTime(timezone=True), primary_key=True),
            sa.Column("position", sa.Integer, nullable=False),
            sa.Column("within_s", sa.Float, nullable=True),
            sa.Column("kind", sa.String(20), nullable=False),
            sa.Column("minutes", sa.Integer, nullable=True),
            sa.Column("ahead", sa.Integer, nullable=False),
            sa.Column("expected_s", sa.Float, nullable=True),
            sa.Column("true_wait_s", sa.Float, nullable=True),
            sa.Column("kept", sa.Boolean, nullable=True),
        )
        op.create_index("ix_announced_at", "announced", ["at"])
    if not there.has_table("desk_settings"):
        op.create_table(
            "desk_settings",
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("value", JSON, nullable=False),
            sa.Column("by", sa.String(100), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        )
