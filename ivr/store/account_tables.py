"""Tables of the people and programs that work with a line: accounts, sessions, tokens, and who did what."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Boolean, Column, Connection, Index, Integer, MetaData, String, Table, Text, event, text

from ivr.store.audit_chain import rules
from ivr.store.columns import Json, Moment, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("display", String(100), nullable=False),
    Column("roles", Json, nullable=False),
    Column("password", String(255), nullable=False, server_default=text("''")),  # Argon2id; "" until one is chosen
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("must_change", Boolean, nullable=False, server_default=text("false")),
    Column("one_time", String(64), nullable=False, server_default=text("''")),  # SHA-256 of a one-time password
    Column("one_time_until", Moment, nullable=True),
    Column("created_at", Moment, nullable=False),
    Column("entered_at", Moment, nullable=True),
    # Who vouches for them, and by which name there; "" where we do.
    Column("issuer", String(300), nullable=False, server_default=text("''")),
    Column("subject", String(255), nullable=False, server_default=text("''")),
    Index(
        "uq_accounts_subject",
        *("issuer", "subject"),
        unique=True,
        sqlite_where=text("subject <> ''"),
        postgresql_where=text("subject <> ''"),
    ),
)

used_log_ins = Table(
    "used_log_ins",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the state (OAuth 2.0) that came back
    Column("until", Moment, nullable=False, index=True),
)

first_links = Table(
    "first_links",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of what makes the first account
    Column("until", Moment, nullable=False, index=True),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("who", String(4), primary_key=True),  # of a hash of the name
    Column("count", Integer, nullable=False),
    Column("last", Moment, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256: a copy of the database opens no console
    Column("account", String(40), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("source", String(100), nullable=False),
    Column("program", String(200), nullable=False),
)


api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("label", String(100), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256: a copy of the database opens nothing
    Column("by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=True),
    Column("used_at", Moment, nullable=True),
    Column("revoked_at", Moment, nullable=True),
)


# -- who did what: see ivr.store.audit_log --

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False, index=True),
    Column("actor", String(100), nullable=False),
    Column("source", String(100), nullable=False),
    Column("action", String(60), nullable=False, index=True),
    Column("target", String(200), nullable=False),
    Column("before", Text, nullable=True),
    Column("after", Text, nullable=True),
    Column("result", String(200), nullable=False),
    Column("expired", Integer, nullable=True),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1
    Column("last", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)


@event.listens_for(metadata, "after_create")
def _ruled(_: MetaData, connection: Connection, *, tables: Collection[Table] = (), **__: object) -> None:
    """Also where no migration makes them: in memory."""
    for rule in rules(connection.dialect.name) if audit_head in tables else ():
        connection.exec_driver_sql(rule)
