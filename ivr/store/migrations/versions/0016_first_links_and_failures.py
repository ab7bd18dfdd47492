"""What all processes must know of log-ins: links by which the first account is made, and wrong passwords."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table("first_links"):
        op.create_table(
            "first_links",
            sa.Column("id", sa.String(64), primary_key=True),
            sa.Column("until", MOMENT, nullable=False, index=True),
        )
    if not inspector.has_table("login_failures"):
        op.create_table(
            "login_failures",
            sa.Column("who", sa.String(4), primary_key=True),
            sa.Column("count", sa.Integer, nullable=False),
            sa.Column("last", MOMENT, nullable=False, index=True),
        )
