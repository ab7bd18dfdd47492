"""Messages that callers left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("messages"):
        return
    op.create_table(
        "messages",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wav", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_messages"),
    )
    op.create_index("ix_messages_call_id", "messages", ["call_id"])
    op.create_index("ix_messages_at", "messages", ["at"])
