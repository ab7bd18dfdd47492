"""The first tables."""

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
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("member", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.Column("undone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_call_id"), "audit", ["call_id"], unique=False)
    op.create_index(op.f("ix_audit_member"), "audit", ["member"], unique=False)
    op.create_table(
        "call_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=100), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("entry", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_entries")),
    )
    op.create_index(op.f("ix_call_entries_at"), "call_entries", ["at"], unique=False)
    op.create_index(op.f("ix_call_entries_call_id"), "call_entries", ["call_id"], unique=False)
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("member", sa.String(length=20), nullable=False),
        sa.Column("skill", sa.String(length=40), nullable=False),
        sa.Column("wanted", sa.String(length=100), nullable=False),
        sa.Column("call_id", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
    )
    op.create_index(op.f("ix_callbacks_call_id"), "callbacks", ["call_id"], unique=False)
    op.create_table(
        "calls",
        sa.Column("call_id", sa.String(length=100), nullable=False),
        sa.Column("caller", sa.String(length=100), nullable=False),
        sa.Column("called", sa.String(length=100), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(length=60), server_default=sa.text("('')"), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("canonical", JSON, nullable=True),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_calls")),
    )
    op.create_index(op.f("ix_calls_ended_at"), "calls", ["ended_at"], unique=False)
    op.create_index(op.f("ix_calls_started_at"), "calls", ["started_at"], unique=False)
    op.create_table(
        "flow_publications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flow", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("previous", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_publications")),
    )
    op.create_index(op.f("ix_flow_publications_flow"), "flow_publications", ["flow"], unique=False)
    op.create_table(
        "flow_versions",
        sa.Column("flow", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("canary_percent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("canary_numbers", JSON, nullable=False),
        sa.CheckConstraint("canary_percent BETWEEN 0 AND 100", name=op.f("ck_flow_versions_percent")),
        sa.PrimaryKeyConstraint("flow", "version", name=op.f("pk_flow_versions")),
    )
    op.create_index(
        "uq_flow_versions_canary",
        "flow_versions",
        ["flow"],
        unique=True,
        sqlite_where=sa.text("state = 'canary'"),
        postgresql_where=sa.text("state = 'canary'"),
    )
    op.create_index(
        "uq_flow_versions_live",
        "flow_versions",
        ["flow"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "handoff_contexts",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=100), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_handoff_contexts")),
    )
    op.create_index(op.f("ix_handoff_contexts_call_id"), "handoff_contexts", ["call_id"], unique=False)
    op.create_index(op.f("ix_handoff_contexts_expires_at"), "handoff_contexts", ["expires_at"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("result", JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"], unique=False)
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
        "resume_points",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member", sa.String(length=60), nullable=False),
        sa.Column("snapshot", JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resume_points")),
    )
    op.create_index(op.f("ix_resume_points_at"), "resume_points", ["at"], unique=False)
    op.create_index(op.f("ix_resume_points_member"), "resume_points", ["member"], unique=False)
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
