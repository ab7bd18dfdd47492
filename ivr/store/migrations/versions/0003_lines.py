"""Which process answers a call and whether it lives; entries that are written once; places of calls in progress."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "line_processes",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("node", sa.String(100), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_line_processes"),
    )
    op.add_column("calls", sa.Column("line", sa.String(32), nullable=True))
    op.add_column("call_entries", sa.Column("number", sa.Integer(), nullable=True))
    op.create_index("uq_call_entries_call_id_number", "call_entries", ["call_id", "number"], unique=True)
    op.add_column("resume_points", sa.Column("call_id", sa.String(100), nullable=True))
    op.create_index("uq_resume_points_call_id", "resume_points", ["call_id"], unique=True)
