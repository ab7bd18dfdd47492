"""Tables of drafts: files of the flows' folder as somebody would have them, before callers get them."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from ivr.store.columns import Moment, metadata

flow_drafts = Table(
    "flow_drafts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

flow_draft_files = Table(
    "flow_draft_files",
    metadata,
    Column("draft", String(40), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("base", Text, nullable=True),  # the folder's text that it was made of; NULL: a new file
    Column("text", Text, nullable=True),  # NULL: the file goes
    Column("changed_by", String(100), nullable=False),
    Column("changed_at", Moment, nullable=False),
)
