"""Recordings of conversations and messages; the sound is in files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("recordings"):
        return
    op.create_table(
        "recordings",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("call_id", sa.String(100), nullable=False, index=True),
        sa.Column("caller_id", sa.String(40), nullable=False, index=True),
        sa.Column("agents", JSON, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False, index=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("key", sa.String(20), nullable=False),
        sa.Column("ended", sa.String(100), nullable=False),
    )
