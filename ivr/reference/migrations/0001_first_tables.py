"""The first tables of the films company.

A database from before they were a branch of their own has them already.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("members"):
        return
    op.create_table(
        "members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("plan", sa.String(length=100), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("credit_cents", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("queue_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("number", name=op.f("uq_members_number")),
    )
    op.create_table(
        "titles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("director", sa.String(length=200), nullable=False),
        sa.Column("spoken", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_titles")),
        sa.UniqueConstraint("name", "year", name=op.f("uq_titles_name_year")),
    )
    op.create_table(
        "discs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("title_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("shipped_at", MOMENT, nullable=False),
        sa.Column("replaces_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_discs_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["replaces_id"], ["discs.id"], name=op.f("fk_discs_replaces_id")),
        sa.ForeignKeyConstraint(["title_id"], ["titles.id"], name=op.f("fk_discs_title_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discs")),
    )
    op.create_index(op.f("ix_discs_member_id"), "discs", ["member_id"], unique=False)
    op.create_table(
        "holds",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_holds_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_holds")),
    )
    op.create_table(
        "member_phones",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_member_phones_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", "member_id", name=op.f("pk_member_phones")),
    )
    op.create_index(op.f("ix_member_phones_member_id"), "member_phones", ["member_id"], unique=False)
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_notes_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index(op.f("ix_notes_member_id"), "notes", ["member_id"], unique=False)
    op.create_table(
        "queue_entries",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title_id", sa.Integer(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.CheckConstraint("position >= 1", name=op.f("ck_queue_entries_position")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_queue_entries_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["title_id"], ["titles.id"], name=op.f("fk_queue_entries_title_id")),
        sa.PrimaryKeyConstraint("member_id", "position", name=op.f("pk_queue_entries")),
        sa.UniqueConstraint("member_id", "title_id", name=op.f("uq_queue_entries_member_id_title_id")),
    )
    op.create_table(
        "disc_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("disc_id", sa.Integer(), nullable=False),
        sa.Column("title_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("call_id", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["disc_id"], ["discs.id"], name=op.f("fk_disc_reports_disc_id")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_disc_reports_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["title_id"], ["titles.id"], name=op.f("fk_disc_reports_title_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disc_reports")),
    )
    op.create_index(op.f("ix_disc_reports_member_id"), "disc_reports", ["member_id"], unique=False)
