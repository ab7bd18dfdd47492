"""Retention rules: which rows of which table are old, by kind; and which tables have no time, and why.

Every table is here, or in a company's ``kept``: a test reads the metadata, and a new table without a rule fails it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Table, and_, select

from ivr.store.account_tables import first_links, login_failures, sessions, used_log_ins
from ivr.store.tables import (
    LIVE,
    agent_events,
    announced,
    audit,
    call_entries,
    callbacks,
    calls,
    handoff_contexts,
    idempotency,
    live_dialogs,
    place_events,
    places,
    resume_points,
    verification_tries,
)
from ivr.store.verification import WINDOW

Old = Callable[[datetime, datetime], ColumnElement[bool]]
"""From the moment before which it is old, and now: which rows go."""


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """``kind``: a key of [retention]."""

    table: Table
    kind: str
    old: Old


def _not_live(call_id: Column[str]) -> ColumnElement[bool]:
    """Of no call in progress."""
    return ~select(calls.c.call_id).where(calls.c.call_id == call_id, calls.c.ended_at.is_(None)).exists()


def _out_of_line(place: Column[int]) -> ColumnElement[bool]:
    """Of nobody who is in the line."""
    return ~select(places.c.id).where(places.c.id == place, places.c.state.in_(LIVE)).exists()


def _entry(cut: datetime, _: datetime) -> ColumnElement[bool]:
    """All of a call at once: that ended before, or that there is no row of."""
    younger = calls.c.ended_at.is_(None) | (calls.c.ended_at >= cut)
    kept = select(calls.c.call_id).where(calls.c.call_id == call_entries.c.call_id, younger)
    return and_(call_entries.c.at < cut, ~kept.exists())


def _gone(cut: datetime, _: datetime) -> ColumnElement[bool]:
    return and_(places.c.changed_at < cut, places.c.state.not_in(LIVE))


# Calls come last: the others ask which of them go on.
RULES = (
    RetentionRule(call_entries, "transcripts", _entry),
    RetentionRule(
        handoff_contexts,
        "contexts",
        lambda cut, now: and_(
            handoff_contexts.c.created_at < cut,
            handoff_contexts.c.expires_at < now,  # somebody may hold the link
            _not_live(handoff_contexts.c.call_id),
        ),
    ),
    RetentionRule(
        resume_points, "resume", lambda cut, _: and_(resume_points.c.at < cut, _not_live(resume_points.c.call_id))
    ),
    RetentionRule(
        live_dialogs, "resume", lambda cut, _: and_(live_dialogs.c.at < cut, _not_live(live_dialogs.c.call_id))
    ),
    RetentionRule(
        callbacks, "messages", lambda cut, _: and_(callbacks.c.created_at < cut, callbacks.c.state != "waiting")
    ),
    RetentionRule(
        place_events, "desk", lambda cut, _: and_(place_events.c.at < cut, _out_of_line(place_events.c.place))
    ),
    RetentionRule(announced, "desk", lambda cut, _: and_(announced.c.at < cut, _out_of_line(announced.c.place_id))),
    RetentionRule(places, "messages", lambda cut, now: and_(_gone(cut, now), places.c.channel == "message")),
    RetentionRule(places, "desk", lambda cut, now: and_(_gone(cut, now), places.c.channel != "message")),
    RetentionRule(agent_events, "desk", lambda cut, _: agent_events.c.at < cut),
    RetentionRule(audit, "audit", lambda cut, _: audit.c.at < cut),
    RetentionRule(sessions, "sessions", lambda cut, _: sessions.c.expires_at < cut),
    RetentionRule(used_log_ins, "sessions", lambda cut, _: used_log_ins.c.until < cut),
    RetentionRule(login_failures, "sessions", lambda cut, _: login_failures.c.last < cut),
    RetentionRule(first_links, "sessions", lambda cut, _: first_links.c.until < cut),
    RetentionRule(
        verification_tries, "verification", lambda cut, now: verification_tries.c.at < min(cut, now - WINDOW)
    ),
    RetentionRule(idempotency, "calls", lambda cut, _: idempotency.c.at < cut),
    RetentionRule(calls, "calls", lambda cut, _: calls.c.ended_at < cut),
)

KEPT: Mapping[str, str] = {
    "recordings": "[retention] recordings deletes each row with its file: ivr.recording.archive",
    "accounts": "who may log in, until ivr accounts remove",
    "api_tokens": "which programs have access, and had until ivr token revoke",
    "audit_log": "[retention] audit cuts the chain at its beginning, which is itself a row: ivr.store.audit_log",
    "audit_head": "where that chain ends; nobody's data",
    "agents": "who takes calls, while the configuration or an account names them",
    "agent_skills": "what they can, likewise",
    "desk_settings": "what counts now, with who set it; one row each",
    "flow_versions": "the flows themselves, with who published them",
    "flow_publications": "which flows served when, with who published them: what a record is read by",
    "flow_drafts": "flows that are being written, until their owner publishes them or throws them away",
    "flow_draft_files": "the files of those, likewise",
    "line_processes": "which processes run; nobody's data",
    "registrations": "which of them registers a trunk; nobody's data",
    "schema_floors": "which programs may run on the schema; nobody's data",
}
"""Why, by table."""
