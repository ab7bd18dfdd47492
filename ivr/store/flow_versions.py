"""Versions of flows: what each contained, which one serves callers, who put it there and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import FlowError
from ivr.ports import FlowVersion, Publication
from ivr.store.database import Database
from ivr.store.tables import flow_publications, flow_versions


class FlowVersions:
    """At most one version of a flow is live and at most one is its canary; the database itself holds that.

    Methods raise StoreUnavailable, and FlowError for a version that was never recorded."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def record_version(self, flow: str, version: str, source: str, by: str) -> bool:
        """Keep the content. False when it was known already (it then keeps its first author)."""

        async def work(connection: AsyncConnection) -> bool:
            if await _find(connection, flow, version):
                return False
            await connection.execute(
                insert(flow_versions).values(
                    flow=flow,
                    version=version,
                    source=source,
                    by=by,
                    at=self._now(),
                    state="recorded",
                    canary_percent=0,
                    canary_numbers=[],
                )
            )
            return True

        return await self._database.write(work)

    async def publish(self, flow: str, version: str, by: str, *, kind: str = "publish") -> str:
        """Make ``version`` the live one; a canary of that version ends with it. The version live before ("" if none).

        Publishing what is live already changes nothing."""

        async def work(connection: AsyncConnection) -> str:
            await _require(connection, flow, version)
            live = await _in_state(connection, flow, "live")
            previous = live.version if live else ""
            if previous == version:
                return previous
            await _set_state(connection, flow, previous, "retired")
            await _set_state(connection, flow, version, "live")
            await self._note(connection, flow, version, previous, kind, by)
            return previous

        return await self._database.write(work)

    async def roll_back(self, flow: str, by: str) -> str:
        """Publish the version that served before the live one; its hash. Raises FlowError when there is none."""
        target = await self.rollback_target(flow)
        if target is None:
            raise FlowError(f"{flow}: no earlier version to go back to", remedy="see ivr flow history")
        await self.publish(flow, target, by, kind="rollback")
        return target

    async def rollback_target(self, flow: str) -> str | None:
        """The version that the live one replaced. After a rollback, the one before that: never back and forth."""
        replaced_by: dict[str, str] = {}
        for publication in reversed(await self.history(flow)):
            if publication.kind == "publish":
                replaced_by[publication.version] = publication.previous
        live = await self.live_version(flow)
        return (replaced_by.get(live.version) or None) if live else None

    async def start_canary(
        self, flow: str, version: str, by: str, *, percent: int = 0, numbers: Sequence[str] = ()
    ) -> None:
        """Let ``version`` serve a part of the calls. Raises FlowError when it is live already."""
        if not 0 <= percent <= 100 or not (percent or numbers):
            raise FlowError("a canary needs a percentage from 1 to 100, or numbers", remedy="pass one of them")

        async def work(connection: AsyncConnection) -> None:
            found = await _require(connection, flow, version)
            if found.state == "live":
                raise FlowError(f"{flow} {version} is live for everybody", remedy="pick a version that is not live")
            current = await _in_state(connection, flow, "canary")
            if current and current.version != version:
                await _set_state(connection, flow, current.version, "retired")
            await connection.execute(
                update(flow_versions)
                .where(flow_versions.c.flow == flow, flow_versions.c.version == version)
                .values(state="canary", canary_percent=percent, canary_numbers=list(numbers))
            )
            detail = {"percent": percent, "numbers": len(numbers)}
            await self._note(connection, flow, version, current.version if current else "", "canary", by, detail)

        await self._database.write(work)

    async def end_canary(self, flow: str, by: str) -> str | None:
        """Take the canary out; its version, None when there was none."""

        async def work(connection: AsyncConnection) -> str | None:
            current = await _in_state(connection, flow, "canary")
            if current is None:
                return None
            await _set_state(connection, flow, current.version, "retired")
            await self._note(connection, flow, current.version, "", "withdraw", by)
            return current.version

        return await self._database.write(work)

    async def live_version(self, flow: str) -> FlowVersion | None:
        return await self._database.read(lambda connection: _in_state(connection, flow, "live"))

    async def canary_version(self, flow: str) -> FlowVersion | None:
        return await self._database.read(lambda connection: _in_state(connection, flow, "canary"))

    async def version(self, flow: str, version: str) -> FlowVersion | None:
        return await self._database.read(lambda connection: _find(connection, flow, version))

    async def flows(self) -> Sequence[str]:
        """Names of the flows that have a version."""

        async def work(connection: AsyncConnection) -> Sequence[str]:
            rows = await connection.execute(select(flow_versions.c.flow).distinct().order_by(flow_versions.c.flow))
            return rows.scalars().all()

        return await self._database.read(work)

    async def history(self, flow: str, limit: int = 100) -> Sequence[Publication]:
        """Newest first."""

        async def work(connection: AsyncConnection) -> Sequence[Publication]:
            rows = await connection.execute(
                select(flow_publications)
                .where(flow_publications.c.flow == flow)
                .order_by(flow_publications.c.id.desc())
                .limit(limit)
            )
            return [Publication(row.flow, row.version, row.previous, row.kind, row.by, row.at) for row in rows]

        return await self._database.read(work)

    async def _note(
        self,
        connection: AsyncConnection,
        flow: str,
        version: str,
        previous: str,
        kind: str,
        by: str,
        detail: dict[str, Any] | None = None,
    ) -> None:
        await connection.execute(
            insert(flow_publications).values(
                flow=flow,
                version=version,
                previous=previous,
                kind=kind,
                by=by,
                at=self._now(),
                detail=detail or {},
            )
        )


def _version(row: Any) -> FlowVersion:
    return FlowVersion(
        row.flow,
        row.version,
        row.source,
        row.by,
        row.at,
        row.state,
        row.canary_percent,
        tuple(row.canary_numbers),
    )


async def _find(connection: AsyncConnection, flow: str, version: str) -> FlowVersion | None:
    row = (
        await connection.execute(
            select(flow_versions).where(flow_versions.c.flow == flow, flow_versions.c.version == version)
        )
    ).one_or_none()
    return None if row is None else _version(row)


async def _require(connection: AsyncConnection, flow: str, version: str) -> FlowVersion:
    """The version, with every row of its flow locked, so that two publications of one flow follow each other."""
    await connection.execute(select(flow_versions.c.version).where(flow_versions.c.flow == flow).with_for_update())
    found = await _find(connection, flow, version)
    if found is None:
        raise FlowError(f"{flow} {version}: no such version", remedy="see ivr flow history")
    return found


async def _in_state(connection: AsyncConnection, flow: str, state: str) -> FlowVersion | None:
    row = (
        await connection.execute(
            select(flow_versions).where(flow_versions.c.flow == flow, flow_versions.c.state == state)
        )
    ).one_or_none()
    return None if row is None else _version(row)


async def _set_state(connection: AsyncConnection, flow: str, version: str, state: str) -> None:
    await connection.execute(
        update(flow_versions)
        .where(flow_versions.c.flow == flow, flow_versions.c.version == version)
        .values(state=state, canary_percent=0, canary_numbers=[])
    )
