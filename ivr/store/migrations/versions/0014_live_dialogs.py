"""What another process needs to go on with a call, and how many each may take over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "room" not in {column["name"] for column in inspector.get_columns("line_processes")}:
        op.add_column("line_processes", sa.Column("room", sa.Integer, nullable=True))
    if inspector.has_table("live_dialogs"):
        return
    op.create_table(
        "live_dialogs",
        sa.Column("call_id", sa.String(100), primary_key=True),
        sa.Column("line", sa.String(32), nullable=False, index=True),
        sa.Column("taken_from", sa.String(32), nullable=False, server_default=sa.text("''")),
        sa.Column("sip_call_id", sa.String(255), nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("snapshot", JSON, nullable=False),
    )
