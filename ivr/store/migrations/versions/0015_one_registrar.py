"""Which line registers an account, which begin no calls any more, and who may run on this schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=sa.text("''"))


def false(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "drains" not in {column["name"] for column in inspector.get_columns("line_processes")}:
        op.add_column("line_processes", false("drains"))
    if not inspector.has_table("registrations"):
        op.create_table(
            "registrations",
            sa.Column("account", sa.String(300), primary_key=True),
            text("line", 32),
            text("node", 100),
            sa.Column("since", MOMENT, nullable=False),
            false("offered"),
            sa.Column("contacts", JSON, nullable=False),
            text("state", 20),
            text("detail", 200),
            sa.Column("expires_at", MOMENT, nullable=True),
        )
    if not inspector.has_table("schema_floors"):
        op.create_table(
            "schema_floors",
            sa.Column("branch", sa.String(40), primary_key=True),
            sa.Column("revision", sa.String(32), nullable=False),
        )
