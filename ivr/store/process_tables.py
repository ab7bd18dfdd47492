"""Tables of the processes that share a database: which live, what they hold, and who may run on this schema."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, String, Table, text

from ivr.store.columns import Json, Moment, metadata

line_processes = Table(
    "line_processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("node", String(100), nullable=False),
    Column("beat_at", Moment, nullable=False),  # changes every few seconds while the process lives
    Column("sip", String(200), nullable=False, server_default=text("''")),  # HOST:PORT where others dial it, "" none
    Column("room", Integer, nullable=True),  # for how many calls of dead lines; NULL: it takes none over
    Column("drains", Boolean, nullable=False, server_default=text("false")),  # begins no call any more
)

live_dialogs = Table(
    "live_dialogs",
    metadata,
    Column("call_id", String(100), primary_key=True),
    Column("line", String(32), nullable=False, index=True),  # the process that has the call
    Column("taken_from", String(32), nullable=False, server_default=text("''")),  # and which had it before
    Column("sip_call_id", String(255), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("snapshot", Json, nullable=False),  # all that another process needs to go on with it; gone with the call
)

registrations = Table(
    "registrations",
    metadata,
    Column("account", String(300), primary_key=True),  # a trunk's address of record
    Column("line", String(32), nullable=False, server_default=text("''")),  # the process that registers it; "" nobody
    Column("node", String(100), nullable=False, server_default=text("''")),
    Column("since", Moment, nullable=False),
    Column("offered", Boolean, nullable=False, server_default=text("false")),  # whoever else wants it may have it
    Column("contacts", Json, nullable=False),  # what the registrar may know of it
    Column("state", String(20), nullable=False, server_default=text("''")),
    Column("detail", String(200), nullable=False, server_default=text("''")),
    Column("expires_at", Moment, nullable=True),
)

schema_floors = Table(
    "schema_floors",
    metadata,
    Column("branch", String(40), primary_key=True),  # of the migrations; "" is the store's own
    Column("revision", String(32), nullable=False),  # a program that does not know this one does not run on it
)
