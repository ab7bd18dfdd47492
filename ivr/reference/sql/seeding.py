"""Puts the example data into a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
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
    rows = await connection.execute(select(titles.c.name, titles.c.year, titles.c.id))
    known = {(name, year): title for name, year, title in rows}
    there = set((await connection.execute(select(members.c.number))).scalars())
    fresh = [member for member in seed_data.members() if member.number not in there]
    for member in fresh:
        await _seed_member(connection, member, known, now)
    return {"titles": added_titles, "members": len(fresh)}


async def _seed_titles(connection: AsyncConnection) -> int:
    there = {tuple(row) for row in await connection.execute(select(titles.c.name, titles.c.year))}
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
    added = await connection.execute(insert(members).values(member.identity).returning(members.c.id))
    mine = {"member_id": added.scalar_one()}
    if member.phones:
        await connection.execute(insert(member_phones), [mine | {"number": phone} for phone in member.phones])
    await connection.execute(
        insert(queue_entries),
        [
            mine | {"position": place, "title_id": known[entry], "added_at": now}
            for place, entry in enumerate(member.queue, start=1)
        ],
    )
    disc = None
    for copy in member.copies:
        this = mine | {"title_id": known[copy.title]}
        shipped = {"state": copy.state, "shipped_at": now - timedelta(days=copy.shipped_days_ago)}
        replaces = {"replaces_id": disc if copy.replaces else None}
        disc = (
            await connection.execute(insert(discs).values(this | shipped | replaces).returning(discs.c.id))
        ).scalar_one()
        if copy.reported_days_ago is not None:
            at = now - timedelta(days=copy.reported_days_ago)
            reported = {"disc_id": disc, "kind": copy.state, "at": at, "call_id": ""}
            await connection.execute(insert(disc_reports).values(this | reported))
    if member.notes:
        await connection.execute(insert(notes), [mine | asdict(note) for note in member.notes])
