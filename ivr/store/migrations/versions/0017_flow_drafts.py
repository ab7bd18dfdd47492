"""Drafts: files of the flows' folder as somebody would have them, before callers get them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table("flow_drafts"):
        op.create_table(
            "flow_drafts",
            sa.Column("id", sa.String(40), primary_key=True),
            sa.Column("owner", sa.String(100), nullable=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("changed_at", MOMENT, nullable=False),
        )
    if not inspector.has_table("flow_draft_files"):
        op.create_table(
            "flow_draft_files",
            sa.Column("draft", sa.String(40), primary_key=True),
            sa.Column("name", sa.String(255), primary_key=True),
            sa.Column("base", sa.Text, nullable=True),
            sa.Column("text", sa.Text, nullable=True),
            sa.Column("changed_by", sa.String(100), nullable=False),
            sa.Column("changed_at", MOMENT, nullable=False),
        )
