"""Wrong secrets, counted across calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("verification_tries"):
        return
    op.create_table(
        "verification_tries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("claimed", sa.String(64), nullable=False, index=True),
        sa.Column("caller", sa.String(64), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
