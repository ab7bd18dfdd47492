"""Goodwill that agents gave, and what was changed in notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def member() -> sa.Column[int]:
    return sa.Column(
        "member_id", sa.Integer, sa.ForeignKey("members.id", ondelete="CASCADE"), nullable=False, index=True
    )


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("goodwill_grants"):
        return
    op.create_table(
        "goodwill_grants",
        sa.Column("id", sa.Integer, primary_key=True),
        member(),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("cents", sa.Integer, nullable=False),
        sa.Column("disc_id", sa.Integer, sa.ForeignKey("discs.id"), nullable=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("label", sa.String(300), nullable=False),
        sa.Column("agent", sa.String(100), nullable=False, index=True),
        sa.Column("display", sa.String(100), nullable=False),
        sa.Column("call_id", sa.String(100), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("undone_at", MOMENT, nullable=True),
    )
    op.create_table(
        "note_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note_id", sa.Integer, sa.ForeignKey("notes.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("call_id", sa.String(100), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
