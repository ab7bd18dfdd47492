"""Tables of calls, lines, callbacks, flow versions and the ledger; a company's own share their metadata.

Tests hold the migrations against this description, on both databases.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from ivr.store import account_tables as account_tables  # all tables share the metadata
from ivr.store.columns import Json, Moment
from ivr.store.columns import metadata as metadata
from ivr.store.draft_tables import flow_drafts as flow_drafts
from ivr.store.process_tables import line_processes as line_processes
from ivr.store.process_tables import live_dialogs as live_dialogs

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("member", String(20), nullable=False),  # the caller's id, as the company knows them; "" unknown
    Column("skill", String(40), nullable=False),
    Column("wanted", String(100), nullable=False),  # when, in the caller's terms or ISO 8601; "" = as soon as possible
    Column("call_id", String(100), nullable=False, index=True),
    Column("state", String(20), nullable=False),  # waiting, done
    Column("created_at", Moment, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(100), nullable=False, index=True),
    Column("member", String(20), nullable=False, index=True),  # the caller's id
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

LISTED = ("started_at", "call_id", "ended_at", "outcome", "reason", "seconds", "caller", "called", "sip_call_id")

calls = Table(
    "calls",
    metadata,
    Column("call_id", String(100), primary_key=True),
    Column("caller", String(100), nullable=False),
    Column("called", String(100), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=True, index=True),
    Column("outcome", String(60), nullable=False, server_default=text("''")),
    Column("details", Json, nullable=False),  # what begin's ``extra`` and update() brought
    Column("canonical", Json, nullable=True),
    Column("node", String(100), nullable=True),  # which service answers it; NULL before there was such a column
    Column("line", String(32), nullable=True),  # and which process of that, while it beats (line_processes)
    Column("sip_call_id", String(128), nullable=False, server_default=text("''")),
    Column("reason", String(100), nullable=False, server_default=text("''")),  # why a human was wanted
    Column("seconds", Float, nullable=True),
    # All that a search looks at: it reads this and never the rows, which are thirty times as long.
    Index("ix_calls_listed", *LISTED),
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
    Column("number", Integer, nullable=True),  # in its call, so that one written twice is there once
    Index("uq_call_entries_call_id_number", "call_id", "number", unique=True),
)

resume_points = Table(
    "resume_points",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("member", String(60), nullable=False, index=True),
    Column("snapshot", Json, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("call_id", String(100), nullable=True),  # the call that it is a place of: one a call
    Index("uq_resume_points_call_id", "call_id", unique=True),
)

verification_tries = Table(
    "verification_tries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("claimed", String(64), nullable=False, index=True),  # whom it was for, hashed
    Column("caller", String(64), nullable=False, index=True),  # the calling number, hashed; "" where it was withheld
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


def _one_each(state: str) -> Index:
    """At most one version of a flow is in this state."""
    there = text(f"state = '{state}'")
    return Index(f"uq_flow_versions_{state}", "flow", unique=True, sqlite_where=there, postgresql_where=there)


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
    _one_each("live"),
    _one_each("canary"),
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


# -- the line of waiting callers --------------------------------------------------------------------------------------

LIVE = ("waiting", "offered", "talking", "away", "callback", "dialling")
HELD = ("offered", "dialling", "talking")


def _text(name: str, length: int = 100) -> Column[str]:
    return Column(name, String(length), nullable=False, server_default=text("''"))


def _while(states: str, name: str, *columns: str, unique: bool = False) -> Index:
    """An index of the places in ``states``."""
    there = text(states)
    return Index(name, *columns, unique=unique, sqlite_where=there, postgresql_where=there)


places = Table(
    "places",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person", String(120), nullable=False, index=True),
    Column("channel", String(20), nullable=False),
    Column("skill", String(40), nullable=False),
    Column("priority", Integer, nullable=False),  # 10 goes first
    Column("entered_at", Moment, nullable=False),  # written once: that is what keeps a place
    Column("waits_since", Moment, nullable=True),  # counting only while it could be served; NULL: since entered_at
    Column("state", String(20), nullable=False),
    Column("changed_at", Moment, nullable=False, index=True),
    Column("until", Moment, nullable=True),  # the lease of an offer, or of dialling
    _text("call_id"),
    _text("line", 32),  # the process that has the call, or makes the call back; "" where none has
    _text("agent"),
    Column("seat", String(120), nullable=True),  # of agents
    Column("offers", Integer, nullable=False, server_default=text("0")),  # no offer is like another
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("first", Boolean, nullable=False, server_default=text("false")),  # of its priority
    _text("callback_number", 40),
    Column("due_at", Moment, nullable=True),
    _text("named"),
    _text("reason"),
    _text("said", 500),
    _text("name", 200),
    _text("number", 100),
    _text("member", 60),
    _text("language", 20),
    _text("context"),  # token of the hand-over's context
    _text("tie", 64),  # SHA-256 of the token with which another process may ring the agent whom it is offered to
    _text("recording", 300),  # of a message
    Column("transcript", Text, nullable=False, server_default=text("''")),
    # The safety net, whatever the code does: nobody waits twice for one thing (a message is one each), and no agent has
    # two callers on one seat.
    _while(
        "state IN ('waiting', 'offered', 'away', 'callback', 'dialling') AND channel <> 'message'",
        "uq_places_waiting", "person", "skill", "channel", unique=True,
    ),
    _while("state IN ('offered', 'dialling', 'talking')", "uq_places_seat", "seat", unique=True),
    _while("tie <> ''", "uq_places_tie", "tie", unique=True),
    _while(
        "state IN ('waiting', 'offered', 'talking', 'away', 'callback', 'dialling')",
        "ix_places_live", "priority", "entered_at", "id",
    ),
)  # fmt: skip

place_events = Table(
    "place_events",
    metadata,
    Column("id", Integer, primary_key=True),  # in the order in which things happened, across processes
    Column("place", Integer, nullable=False, index=True),
    Column("at", Moment, nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    _text("agent"),
    Column("detail", Json, nullable=False),
)

# One row a seat: an agent has one, a phone that takes several calls at once has "name", "name#2", …
agents = Table(
    "agents",
    metadata,
    Column("seat", String(120), primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("slot", Integer, nullable=False),
    _text("display"),
    Column("phone", String(200), nullable=False),  # a SIP URI, or "browser"
    Column("console", Boolean, nullable=False, server_default=text("false")),
    _text("configured", 400),  # its skills, as the configuration last said; "" for who is not in it
    _text("line", 32),  # the process that has the console, or looks after the phone
    Column("state", String(20), nullable=False),
    _text("reason"),
    _text("going"),  # away for this reason once the conversation is over
    Column("since", Moment, nullable=False),
    Column("idle_at", Moment, nullable=False),  # whose turn it is: an offer that was withdrawn does not count
    Column("until", Moment, nullable=True),  # the state ends by itself
    CheckConstraint("state IN ('away', 'idle', 'offered', 'busy', 'wrap_up')", name="state"),
)

agent_skills = Table(
    "agent_skills",
    metadata,
    Column("agent", String(100), primary_key=True),
    Column("skill", String(40), primary_key=True),
)

agent_events = Table(
    "agent_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("agent", String(100), nullable=False, index=True),
    Column("slot", Integer, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("state", String(20), nullable=False),
    _text("reason"),
)

# -- what is said of waits, and what supervisors set (board) --

announced = Table(
    "announced",
    metadata,
    Column("place_id", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, primary_key=True),
    Column("position", Integer, nullable=False),  # 0: it was not said
    Column("within_s", Float, nullable=True),
    Column("kind", String(20), nullable=False),  # which sentence it is for the caller: first, again
    Column("minutes", Integer, nullable=True),  # "less than so many"; NULL: no wait was said
    Column("ahead", Integer, nullable=False),
    Column("expected_s", Float, nullable=True),
    Column("true_wait_s", Float, nullable=True),  # from then until it was their turn; NULL while that is not known
    Column("kept", Boolean, nullable=True),
    Index("ix_announced_at", "at"),
)

desk_settings = Table(
    "desk_settings",
    metadata,
    Column("name", String(40), primary_key=True),  # hours, announcement
    Column("value", Json, nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)

# What was said, as sound: the sound itself is a file of this name, see ivr.recording.
recordings = Table(
    "recordings",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),  # conversation, message
    Column("call_id", String(100), nullable=False, index=True),
    Column("caller_id", String(40), nullable=False, index=True),  # "" for a stranger
    Column("agents", Json, nullable=False),  # names of accounts, in the order in which they talked
    Column("started_at", Moment, nullable=False, index=True),
    Column("seconds", Float, nullable=False),
    Column("key", String(20), nullable=False),  # the id of the key that sealed it, "" for none
    Column("ended", String(100), nullable=False),  # why; "" while it goes on
)
