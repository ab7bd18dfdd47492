"""The first tables; constraints and indexes are named as the store's metadata names them."""

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


def kept(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def upgrade() -> None:
    op.create_table(
        "audit",
        kept("id", sa.Integer, primary_key=True),
        kept("at", MOMENT),
        kept("actor", sa.String(100)),
        kept("action", sa.String(100)),
        kept("member", sa.String(20), index=True),
        kept("call_id", sa.String(100), index=True),
        kept("key", sa.String(200)),
        sa.Column("before", JSON),
        sa.Column("after", JSON),
        kept("undone", sa.Boolean, server_default=sa.text("false")),
    )
    op.create_table(
        "call_entries",
        kept("id", sa.Integer, primary_key=True),
        kept("call_id", sa.String(100), index=True),
        kept("at", MOMENT, index=True),
        kept("kind", sa.String(40)),
        kept("entry", JSON),
    )
    op.create_table(
        "callbacks",
        kept("id", sa.Integer, primary_key=True),
        kept("number", sa.String(40)),
        kept("name", sa.String(200)),
        kept("member", sa.String(20)),
        kept("skill", sa.String(40)),
        kept("wanted", sa.String(100)),
        kept("call_id", sa.String(100), index=True),
        kept("state", sa.String(20)),
        kept("created_at", MOMENT),
    )
    op.create_table(
        "calls",
        kept("call_id", sa.String(100), primary_key=True),
        kept("caller", sa.String(100)),
        kept("called", sa.String(100)),
        kept("started_at", MOMENT, index=True),
        sa.Column("ended_at", MOMENT, index=True),
        kept("outcome", sa.String(60), server_default=sa.text("('')")),
        kept("details", JSON),
        sa.Column("canonical", JSON),
    )
    op.create_table(
        "flow_publications",
        kept("id", sa.Integer, primary_key=True),
        kept("flow", sa.String(100), index=True),
        kept("version", sa.String(80)),
        kept("previous", sa.String(80)),
        kept("kind", sa.String(20)),
        kept("by", sa.String(100)),
        kept("at", MOMENT),
        kept("detail", JSON),
    )
    op.create_table(
        "flow_versions",
        kept("flow", sa.String(100), primary_key=True),
        kept("version", sa.String(80), primary_key=True),
        kept("source", sa.Text),
        kept("by", sa.String(100)),
        kept("at", MOMENT),
        kept("state", sa.String(20)),
        kept("canary_percent", sa.Integer, server_default=sa.text("0")),
        kept("canary_numbers", JSON),
        sa.CheckConstraint("canary_percent BETWEEN 0 AND 100", name="percent"),
    )
    for state in ("canary", "live"):
        there = sa.text(f"state = '{state}'")
        only: dict[str, Any] = {"unique": True, "sqlite_where": there, "postgresql_where": there}
        op.create_index(f"uq_flow_versions_{state}", "flow_versions", ["flow"], **only)
    op.create_table(
        "handoff_contexts",
        kept("token_hash", sa.String(64), primary_key=True),
        kept("call_id", sa.String(100), index=True),
        kept("payload", JSON),
        kept("created_at", MOMENT),
        kept("expires_at", MOMENT, index=True),
    )
    op.create_table(
        "idempotency",
        kept("key", sa.String(200), primary_key=True),
        kept("action", sa.String(100)),
        kept("result", JSON),
        kept("at", MOMENT, index=True),
    )
    op.create_table(
        "resume_points",
        kept("id", sa.Integer, primary_key=True),
        kept("member", sa.String(60), index=True),
        kept("snapshot", JSON),
        kept("at", MOMENT, index=True),
    )
