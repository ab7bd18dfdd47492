"""Tables of the films company, on the store's metadata."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Integer, String, Table, Text, UniqueConstraint, text

from ivr.store.tables import Json, Moment, metadata


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
    Column("number", String(20), primary_key=True),  # national digits, see ivr.reference.backend.digits_of
    Column("member_id", ForeignKey("members.id", ondelete="CASCADE"), primary_key=True, index=True),
)

member_pins = Table(
    "member_pins",
    metadata,
    Column("member_id", ForeignKey("members.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", String(200), nullable=False),  # see ivr.reference.pins
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

# What agents gave. Money in cents, 0 for none; ``place``: where the title stood in the queue, 0 nowhere.
goodwill_grants = Table(
    "goodwill_grants",
    metadata,
    Column("id", Integer, primary_key=True),
    _member(),
    Column("kind", String(20), nullable=False),  # bonus_title, credit
    Column("cents", Integer, nullable=False),
    Column("disc_id", ForeignKey("discs.id"), nullable=True),
    Column("place", Integer, nullable=False),
    Column("label", String(300), nullable=False),
    Column("agent", String(100), nullable=False, index=True),  # the account's name
    Column("display", String(100), nullable=False),
    Column("call_id", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("undone_at", Moment, nullable=True),
)

# What notes said before somebody changed them; gone with the note.
note_changes = Table(
    "note_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("note_id", ForeignKey("notes.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("before", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("call_id", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)
