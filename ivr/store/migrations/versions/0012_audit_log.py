"""The audit log, with what the ledger told of accounts, recordings and the desk so far."""

from __future__ import annotations

import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

from ivr.store.audit_chain import FIRST, Link, rules, written
from ivr.store.columns import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OURS = ("account.", "recording.", "desk.")
AUDIT_LOG = sa.table("audit_log", sa.column("at", Moment), *map(sa.column, [*Link.__slots__[:1], *Link.__slots__[2:], "hash"]))  # fmt: skip  # noqa: E501
LEDGER = sa.table("audit", sa.column("at", Moment), *map(sa.column, ("id", "actor", "action", "key", "call_id", "before", "after")))  # fmt: skip  # noqa: E501


def upgrade() -> None:
    connection = op.get_bind()
    if sa.inspect(connection).has_table("audit_log"):
        return
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("action", sa.String(60), nullable=False, index=True),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("before", sa.Text, nullable=True),
        sa.Column("after", sa.Text, nullable=True),
        sa.Column("result", sa.String(200), nullable=False),
        sa.Column("expired", sa.Integer, nullable=True),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    for rule in rules(connection.dialect.name):
        connection.exec_driver_sql(rule)
    _carry_over(connection)


def _carry_over(connection: sa.Connection) -> None:
    last, previous = 0, FIRST
    scopes = sa.or_(*(LEDGER.c.action.startswith(scope) for scope in OURS))
    for row in connection.execute(sa.select(LEDGER).where(scopes).order_by(LEDGER.c.id)).all():
        before, after = (_mapping(told) for told in (row.before, row.after))
        key = re.sub(r" [0-9a-f-]{36}$", "", str(row.key).removeprefix("account "))
        link = Link(
            last + 1, row.at, row.actor, str(after.get("source", "")), row.action[:60],
            row.call_id or key, written(before) if before else None, written(after) if after else None,
            "done", None, previous,
        )  # fmt: skip
        values = {name: getattr(link, name) for name in Link.__slots__}
        connection.execute(sa.insert(AUDIT_LOG).values(**values, hash=link.hash))
        last, previous = link.id, link.hash
    connection.execute(sa.text("UPDATE audit_head SET last = :last, hash = :hash"), {"last": last, "hash": previous})


def _mapping(told: Any) -> dict[str, Any]:
    found = json.loads(told) if isinstance(told, str) else told
    return found if isinstance(found, dict) else {}
