"""The line of waiting callers: their places, the agents, and what happened to both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def text(name: str, length: int = 100) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=sa.text("''"))


def moment(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=nullable)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))


def false(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))


def partial(name: str, columns: list[str], where: str, unique: bool = False) -> None:
    there = sa.text(where)
    op.create_index(name, "places", columns, unique=unique, sqlite_where=there, postgresql_where=there)


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("places"):
        return
    op.create_table(
        "places",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("skill", sa.String(40), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        moment("entered_at"),
        sa.Column("state", sa.String(20), nullable=False),
        moment("changed_at"),
        sa.Column("until", MOMENT, nullable=True),
        text("call_id"),
        text("line", 32),
        text("agent"),
        sa.Column("seat", sa.String(120), nullable=True),
        number("offers"),
        number("attempts"),
        false("first"),
        text("callback_number", 40),
        sa.Column("due_at", MOMENT, nullable=True),
        text("named"),
        text("reason"),
        text("said", 500),
        text("name", 200),
        text("number", 100),
        text("member", 60),
        text("language", 20),
        text("context"),
        text("recording", 300),
        sa.Column("transcript", sa.Text, nullable=False, server_default=sa.text("''")),
    )
    partial(
        "uq_places_waiting",
        ["person", "skill", "channel"],
        "state IN ('waiting', 'offered', 'away', 'callback', 'dialling') AND channel <> 'message'",
        unique=True,
    )
    partial("uq_places_seat", ["seat"], "state IN ('offered', 'dialling', 'talking')", unique=True)
    partial(
        "ix_places_live",
        ["priority", "entered_at", "id"],
        "state IN ('waiting', 'offered', 'talking', 'away', 'callback', 'dialling')",
    )
    op.create_index("ix_places_person", "places", ["person"])
    op.create_index("ix_places_changed_at", "places", ["changed_at"])
    op.create_table(
        "place_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("place", sa.Integer, nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False, index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        text("agent"),
        sa.Column("detail", JSON, nullable=False),
    )
    op.create_table(
        "agents",
        sa.Column("seat", sa.String(120), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False, index=True),
        sa.Column("slot", sa.Integer, nullable=False),
        text("display"),
        sa.Column("phone", sa.String(200), nullable=False),
        false("console"),
        text("configured", 400),
        text("line", 32),
        sa.Column("state", sa.String(20), nullable=False),
        text("reason"),
        text("going"),
        moment("since"),
        moment("idle_at"),
        sa.Column("until", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('away', 'idle', 'offered', 'busy', 'wrap_up')", name="ck_agents_state"),
    )
    op.create_table(
        "agent_skills",
        sa.Column("agent", sa.String(100), primary_key=True),
        sa.Column("skill", sa.String(40), primary_key=True),
    )
    op.create_table(
        "agent_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("agent", sa.String(100), nullable=False, index=True),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("at", MOMENT, nullable=False, index=True),
        sa.Column("state", sa.String(20), nullable=False),
        text("reason"),
    )
