"""The member panel of the films company: what a live agent sees of a member's queue, discs and notes."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.ports import Panel, PanelItem, PanelList, PanelNote
from ivr.reference.backend import MemberProfile, Note, Title

SHOWN = 12
AUTHORS = {"caller": "the member, by phone"}


def panel_of(profile: MemberProfile, notes: Sequence[Note]) -> Panel:
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
            PanelNote(note.text, AUTHORS.get(note.by, note.by), note.created_at, note.kind) for note in reversed(notes)
        ),
    )


def _items(titles: Sequence[Title]) -> tuple[PanelItem, ...]:
    return tuple(PanelItem(title.name, str(title.year)) for title in titles)


def _money(cents: int) -> str:
    return f"${cents / 100:,.2f}" if cents else "none"
