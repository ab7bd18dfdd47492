"""The member panel of the films company: what a live agent sees of a member's queue, discs and notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ivr.ports import Panel, PanelItem, PanelList, PanelNote
from ivr.reference.backend import MemberProfile, Note, Title
from ivr.reference.goodwill import Grant, money, offered

SHOWN = 12
AUTHORS = {"caller": "the member, by phone"}


def panel_of(profile: MemberProfile, notes: Sequence[Note], given: Sequence[Grant] | None, now: datetime) -> Panel:
    """``given``: goodwill of the last 30 days, the newest first; None where none can be given."""
    facts = [
        ("Plan", profile.plan),
        ("Member since", str(profile.since.year)),
        ("Credit", _money(profile.credit_cents)),
    ]
    if profile.damaged_reports:
        facts.append(("Damaged discs reported", str(profile.damaged_reports)))
    if profile.hold_until is not None:
        facts.append(("Deliveries held until", profile.hold_until.isoformat()))
    return Panel(
        profile.number,
        profile.name,
        about=f"Member {profile.number}",
        facts=tuple(facts),
        lists=(
            PanelList("Queue", _items(profile.queue[:SHOWN]), ordered=True, more=max(0, len(profile.queue) - SHOWN)),
            PanelList("At home", _items(profile.discs)),
        ),
        notes=tuple(
            PanelNote(
                note.text, _author(note.by), note.created_at, note.kind, _author(note.changed_by), note.changed_at
            )
            for note in reversed(notes)
        ),
        goodwill=() if given is None else offered(profile, given),
        granted=tuple(grant.shown(now) for grant in given or ()),
        takes_notes=True,
    )


def _author(by: str) -> str:
    return AUTHORS.get(by, by)


def _items(titles: Sequence[Title]) -> tuple[PanelItem, ...]:
    return tuple(PanelItem(title.name, str(title.year)) for title in titles)


def _money(cents: int) -> str:
    return money(cents) if cents else "none"
