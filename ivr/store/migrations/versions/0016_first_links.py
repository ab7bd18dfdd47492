"""Links by which the first account is made, in whatever process, for a quarter of an hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("first_links"):
        return
    op.create_table(
        "first_links",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("until", MOMENT, nullable=False, index=True),
    )
