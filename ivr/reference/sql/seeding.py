"""Puts the example data into a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.reference import seed_data
from ivr.reference.seed_data import SeedMember
from ivr.reference.tables import disc_reports, discs, member_phones, members, notes, queue_entries, titles


async def seed(connection: AsyncConnection, now: datetime) -> Mapping[str, int]:
    """Add the titles and members that are missing; leave the others, and what members did since, alone.

    How many rows were added, by what they are; 0 and 0 the second time."""
    added_titles = await _seed_titles(connection)
    known = {
        (row.name, row.year): row.id
        for row in await connection.execute(select(titles.c.id, titles.c.name, titles.c.year))
    }
    there = set((await connection.execute(select(members.c.number))).scalars())
    fresh = [member for member in seed_data.members() if member.number not in there]
    for member in fresh:
        await _seed_member(connection, member, known, now)
    return {"titles": added_titles, "members": len(fresh)}


async def _seed_titles(connection: AsyncConnection) -> int:
    there = {(row.name, row.year) for row in await connection.execute(select(titles.c.name, titles.c.year))}
    fresh = [
        {"name": title.name, "year": title.year, "director": title.director, "spoken": list(title.spoken)}
        for title in seed_data.catalogue()
        if (title.name, title.year) not in there
    ]
    if fresh:
        await connection.execute(insert(titles), fresh)
    return len(fresh)


async def _seed_member(
    connection: AsyncConnection, member: SeedMember, known: Mapping[tuple[str, int], int], now: datetime
) -> None:
    identity = (
        await connection.execute(
            insert(members)
            .values(
                number=member.number,
                name=member.name,
                first_name=member.first_name,
                plan=member.plan,
                since=member.since,
                language=member.language,
                credit_cents=member.credit_cents,
                queue_version=0,
            )
            .returning(members.c.id)
        )
    ).scalar_one()
    phones = [{"number": phone, "member_id": identity} for phone in member.phones]
    if phones:
        await connection.execute(insert(member_phones), phones)
    await connection.execute(
        insert(queue_entries),
        [
            {"member_id": identity, "position": place, "title_id": known[entry], "added_at": now}
            for place, entry in enumerate(member.queue, start=1)
        ],
    )
    disc = None
    for copy in member.copies:
        title = known[copy.title]
        shipped = await connection.execute(
            insert(discs)
            .values(
                member_id=identity,
                title_id=title,
                state=copy.state,
                shipped_at=now - timedelta(days=copy.shipped_days_ago),
                replaces_id=disc if copy.replaces else None,
            )
            .returning(discs.c.id)
        )
        disc = int(shipped.scalar_one())
        if copy.reported_days_ago is not None:
            at = now - timedelta(days=copy.reported_days_ago)
            await connection.execute(
                insert(disc_reports).values(
                    member_id=identity, disc_id=disc, title_id=title, kind=copy.state, at=at, call_id=""
                )
            )
    for note in member.notes:
        await connection.execute(
            insert(notes).values(
                member_id=identity, kind=note.kind, text=note.text, by=note.by, created_at=note.created_at
            )
        )
