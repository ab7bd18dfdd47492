"""The first tables of the films company; constraints are named as the store's metadata names them.

A database from before they were a branch of their own has them already.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def kept(name: str, *kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, *kind, nullable=False, **options)


def member(**options: Any) -> sa.Column[Any]:
    return kept("member_id", sa.Integer, sa.ForeignKey("members.id", ondelete="CASCADE"), **options)


def title() -> sa.Column[Any]:
    return kept("title_id", sa.Integer, sa.ForeignKey("titles.id"))


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("members"):
        return
    op.create_table(
        "members",
        kept("id", sa.Integer, primary_key=True),
        kept("number", sa.String(20), unique=True),
        kept("name", sa.String(200)),
        kept("first_name", sa.String(100)),
        kept("plan", sa.String(100)),
        kept("since", sa.Date),
        kept("language", sa.String(20)),
        kept("credit_cents", sa.Integer, server_default=sa.text("0")),
        kept("queue_version", sa.Integer, server_default=sa.text("0")),
    )
    op.create_table(
        "titles",
        kept("id", sa.Integer, primary_key=True),
        kept("name", sa.String(200)),
        kept("year", sa.Integer),
        kept("director", sa.String(200)),
        kept("spoken", JSON),
        sa.UniqueConstraint("name", "year"),
    )
    op.create_table(
        "discs",
        kept("id", sa.Integer, primary_key=True),
        member(index=True),
        title(),
        kept("state", sa.String(20)),
        kept("shipped_at", MOMENT),
        sa.Column("replaces_id", sa.Integer, sa.ForeignKey("discs.id")),
    )
    op.create_table("holds", member(primary_key=True), kept("until", sa.Date), kept("at", MOMENT))
    op.create_table(
        "member_phones", kept("number", sa.String(20), primary_key=True), member(primary_key=True, index=True)
    )
    op.create_table(
        "notes",
        kept("id", sa.Integer, primary_key=True),
        member(index=True),
        kept("kind", sa.String(40)),
        kept("text", sa.Text),
        kept("by", sa.String(100)),
        kept("created_at", MOMENT),
    )
    op.create_table(
        "queue_entries",
        member(primary_key=True),
        kept("position", sa.Integer, primary_key=True, autoincrement=False),
        title(),
        kept("added_at", MOMENT),
        sa.CheckConstraint("position >= 1", name="position"),
        sa.UniqueConstraint("member_id", "title_id"),
    )
    op.create_table(
        "disc_reports",
        kept("id", sa.Integer, primary_key=True),
        member(index=True),
        kept("disc_id", sa.Integer, sa.ForeignKey("discs.id")),
        title(),
        kept("kind", sa.String(20)),
        kept("at", MOMENT),
        kept("call_id", sa.String(100)),
    )
