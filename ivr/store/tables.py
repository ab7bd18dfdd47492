"""Every table. The one description that migrations are held against (tests compare the two on both databases)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB


class Moment(TypeDecorator[datetime]):
    """An instant. Kept as UTC; SQLite has no time zones, so they are taken off there and put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone; pass an aware datetime")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON().with_variant(JSONB(), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _member(*, index: bool = True) -> Column[int]:
    return Column("member_id", ForeignKey("members.id", ondelete="CASCADE"), nullable=False, index=index)


def _title() -> Column[int]:
    return Column("title_id", ForeignKey("titles.id"), nullable=False)


members = Table(
    "members",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(20), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("first_name", String(100), nullable=False),
    Column("plan", String(100), nullable=False),
    Column("since", Date, nullable=False),
    Column("language", String(20), nullable=False),
    Column("credit_cents", Integer, nullable=False, server_default=text("0")),
    Column("queue_version", Integer, nullable=False, server_default=text("0")),
)

member_phones = Table(
    "member_phones",
    metadata,
    Column("number", String(20), primary_key=True),  # national digits, see ivr.store.members.digits_of
    Column("member_id", ForeignKey("members.id", ondelete="CASCADE"), primary_key=True, index=True),
)

titles = Table(
    "titles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("year", Integer, nullable=False),
    Column("director", String(200), nullable=False),
    Column("spoken", Json, nullable=False),  # list of further ways people say it
    UniqueConstraint("name", "year"),
)

queue_entries = Table(
    "queue_entries",
    metadata,
    Column("member_id", ForeignKey("members.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _title(),
    Column("added_at", Moment, nullable=False),
    UniqueConstraint("member_id", "title_id"),
    CheckConstraint("position >= 1", name="position"),
)

discs = Table(
    "discs",
    metadata,
    Column("id", Integer, primary_key=True),
    _member(),
    _title(),
    Column("state", String(20), nullable=False),  # out, returned, damaged, missing
    Column("shipped_at", Moment, nullable=False),
    Column("replaces_id", ForeignKey("discs.id"), nullable=True),
)

disc_reports = Table(
    "disc_reports",
    metadata,
    Column("id", Integer, primary_key=True),
    _member(),
    Column("disc_id", ForeignKey("discs.id"), nullable=False),
    _title(),
    Column("kind", String(20), nullable=False),  # damaged, missing
    Column("at", Moment, nullable=False),
    Column("call_id", String(100), nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    _member(),
    Column("kind", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("member_id", ForeignKey("members.id", ondelete="CASCADE"), primary_key=True),
    Column("until", Date, nullable=False),
    Column("at", Moment, nullable=False),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("member", String(20), nullable=False),
    Column("skill", String(40), nullable=False),
    Column("wanted", String(100), nullable=False),  # when, in the caller's terms or ISO 8601; "" = as soon as possible
    Column("call_id", String(100), nullable=False, index=True),
    Column("state", String(20), nullable=False),  # waiting, done, dropped
    Column("created_at", Moment, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(100), nullable=False),
    Column("member", String(20), nullable=False, index=True),
    Column("call_id", String(100), nullable=False, index=True),
    Column("key", String(200), nullable=False),
    Column("before", Json, nullable=True),
    Column("after", Json, nullable=True),
    Column("undone", Boolean, nullable=False, server_default=text("false")),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("action", String(100), nullable=False),
    Column("result", Json, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)

calls = Table(
    "calls",
    metadata,
    Column("call_id", String(100), primary_key=True),
    Column("caller", String(100), nullable=False),
    Column("called", String(100), nullable=False),
    Column("started_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment, nullable=True, index=True),
    Column("outcome", String(60), nullable=False, server_default=text("''")),
    Column("details", Json, nullable=False),  # what begin's ``extra`` and update() brought
    Column("canonical", Json, nullable=True),
)

call_entries = Table(
    "call_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    # No foreign key: what happened is worth keeping even when the call's own row could not be written.
    Column("call_id", String(100), nullable=False, index=True),
    Column("at", Moment, nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("entry", Json, nullable=False),
)

resume_points = Table(
    "resume_points",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("member", String(60), nullable=False, index=True),
    Column("snapshot", Json, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)

handoff_contexts = Table(
    "handoff_contexts",
    metadata,
    Column("token_hash", String(64), primary_key=True),  # SHA-256: a copy of the database opens no link
    Column("call_id", String(100), nullable=False, index=True),
    Column("payload", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)

flow_versions = Table(
    "flow_versions",
    metadata,
    Column("flow", String(100), primary_key=True),
    Column("version", String(80), primary_key=True),  # content hash
    Column("source", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(20), nullable=False),  # recorded, live, canary, retired
    Column("canary_percent", Integer, nullable=False, server_default=text("0")),
    Column("canary_numbers", Json, nullable=False),
    CheckConstraint("canary_percent BETWEEN 0 AND 100", name="percent"),
    Index(
        "uq_flow_versions_live",
        "flow",
        unique=True,
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    Index(
        "uq_flow_versions_canary",
        "flow",
        unique=True,
        sqlite_where=text("state = 'canary'"),
        postgresql_where=text("state = 'canary'"),
    ),
)

flow_publications = Table(
    "flow_publications",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("flow", String(100), nullable=False, index=True),
    Column("version", String(80), nullable=False),
    Column("previous", String(80), nullable=False),
    Column("kind", String(20), nullable=False),  # publish, canary, withdraw, rollback
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("detail", Json, nullable=False),
)
