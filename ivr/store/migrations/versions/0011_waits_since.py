"""Since when a place has waited, counting only while it could be served."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if "waits_since" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("places")}:
        op.add_column("places", sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True))
