"""The catalogue and the example members of the reference deployment. The data is in ``seed/*.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.tables import disc_reports, discs, member_phones, members, notes, queue_entries, titles

FOLDER = Path(__file__).parent / "seed"


@dataclass(frozen=True, slots=True)
class Seeded:
    """How many rows were added; 0 and 0 the second time."""

    titles: int
    members: int


def _load(name: str) -> list[Any]:
    loaded = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, list)
    return loaded


async def seed(connection: AsyncConnection, now: datetime) -> Seeded:
    """Add the titles and members that are missing; leave the others, and what members did since, alone."""
    added_titles = await _seed_titles(connection)
    known = {
        (row.name, row.year): row.id
        for row in await connection.execute(select(titles.c.id, titles.c.name, titles.c.year))
    }
    there = set((await connection.execute(select(members.c.number))).scalars())
    fresh = [member for member in _load("members.json") if member["number"] not in there]
    for member in fresh:
        await _seed_member(connection, member, known, now)
    return Seeded(added_titles, len(fresh))


async def _seed_titles(connection: AsyncConnection) -> int:
    there = {(row.name, row.year) for row in await connection.execute(select(titles.c.name, titles.c.year))}
    fresh = [
        {"name": name, "year": year, "director": director, "spoken": list(spoken)}
        for name, year, director, *spoken in _load("titles.json")
        if (name, year) not in there
    ]
    if fresh:
        await connection.execute(insert(titles), fresh)
    return len(fresh)


async def _seed_member(
    connection: AsyncConnection, member: dict[str, Any], known: dict[tuple[str, int], int], now: datetime
) -> None:
    def title(entry: list[Any]) -> int:
        return known[entry[0], entry[1]]

    identity = (
        await connection.execute(
            insert(members)
            .values(
                number=member["number"],
                name=member["name"],
                first_name=member["name"].split()[0],
                plan=member["plan"],
                since=date.fromisoformat(member["since"]),
                language=member.get("language", "en-US"),
                credit_cents=member.get("credit_cents", 0),
                queue_version=0,
            )
            .returning(members.c.id)
        )
    ).scalar_one()
    phones = [{"number": phone, "member_id": identity} for phone in member["phones"]]
    if phones:
        await connection.execute(insert(member_phones), phones)
    await connection.execute(
        insert(queue_entries),
        [
            {"member_id": identity, "position": place, "title_id": title(entry), "added_at": now}
            for place, entry in enumerate(member["queue"], start=1)
        ],
    )
    for entry in member.get("discs", []):
        previous = None
        # Each damaged copy was replaced by the next one; the last copy is at the member's home.
        for days in sorted(entry.get("damaged_days_ago", []), reverse=True):
            broken = await _ship(connection, identity, title(entry["title"]), "damaged", now, days + 3, previous)
            await connection.execute(
                insert(disc_reports).values(
                    member_id=identity,
                    disc_id=broken,
                    title_id=title(entry["title"]),
                    kind="damaged",
                    at=now - timedelta(days=days),
                    call_id="",
                )
            )
            previous = broken
        await _ship(connection, identity, title(entry["title"]), "out", now, entry["days_ago"], previous)
    for note in member.get("notes", []):
        await connection.execute(
            insert(notes).values(
                member_id=identity,
                kind=note["kind"],
                text=note["text"],
                by=note["by"],
                created_at=datetime.combine(date.fromisoformat(note["on"]), time(12), UTC),
            )
        )


async def _ship(
    connection: AsyncConnection, member: int, title: int, state: str, now: datetime, days: int, replaces: int | None
) -> int:
    shipped = await connection.execute(
        insert(discs)
        .values(
            member_id=member,
            title_id=title,
            state=state,
            shipped_at=now - timedelta(days=days),
            replaces_id=replaces,
        )
        .returning(discs.c.id)
    )
    return int(shipped.scalar_one())
