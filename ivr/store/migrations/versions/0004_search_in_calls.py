"""What the list of calls is searched and summed by: SIP Call-ID, reason and length, as columns of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LISTED = ("started_at", "call_id", "ended_at", "outcome", "reason", "seconds", "caller", "called", "sip_call_id")
_TOLD = {
    "postgresql": (
        "left(coalesce(details ->> 'sip_call_id', ''), 128)",
        "left(coalesce(canonical ->> 'handoff_reason', ''), 100)",
        "CAST(canonical ->> 'seconds' AS double precision)",
    ),
    "sqlite": (
        "substr(coalesce(json_extract(details, '$.sip_call_id'), ''), 1, 128)",
        "substr(coalesce(json_extract(canonical, '$.handoff_reason'), ''), 1, 100)",
        "json_extract(canonical, '$.seconds')",
    ),
}


def upgrade() -> None:
    op.add_column("calls", sa.Column("sip_call_id", sa.String(length=128), nullable=False, server_default=""))
    op.add_column("calls", sa.Column("reason", sa.String(length=100), nullable=False, server_default=""))
    op.add_column("calls", sa.Column("seconds", sa.Float(), nullable=True))
    sip_call_id, reason, seconds = _TOLD[op.get_bind().dialect.name]
    op.execute(
        f"UPDATE calls SET sip_call_id = {sip_call_id}, reason = {reason}, seconds = {seconds}"  # noqa: S608 - ours
    )
    op.drop_index("ix_calls_started_at", "calls")
    op.create_index("ix_calls_listed", "calls", list(_LISTED))
