"""API tokens, and whom another vouches for: accounts by issuer and subject, log-ins that were used up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table("api_tokens"):
        op.create_table(
            "api_tokens",
            sa.Column("id", sa.String(16), primary_key=True),
            sa.Column("label", sa.String(100), nullable=False),
            sa.Column("scopes", JSON, nullable=False),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.Column("by", sa.String(100), nullable=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("expires_at", MOMENT, nullable=True),
            sa.Column("used_at", MOMENT, nullable=True),
            sa.Column("revoked_at", MOMENT, nullable=True),
        )
    if not inspector.has_table("used_log_ins"):
        op.create_table(
            "used_log_ins",
            sa.Column("id", sa.String(64), primary_key=True),
            sa.Column("until", MOMENT, nullable=False, index=True),
        )
    if "issuer" not in {column["name"] for column in inspector.get_columns("accounts")}:
        for name, length in (("issuer", 300), ("subject", 255)):
            op.add_column("accounts", sa.Column(name, sa.String(length), nullable=False, server_default=sa.text("''")))
        there = sa.text("subject <> ''")
        op.create_index(
            "uq_accounts_subject", "accounts", ["issuer", "subject"],
            unique=True, sqlite_where=there, postgresql_where=there,
        )  # fmt: skip
