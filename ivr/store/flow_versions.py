"""Versions of flows: what each contained, which one serves callers, who put it there and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import FlowError
from ivr.ports import AuditEvent, FlowVersion, Publication
from ivr.store.audit_log import append
from ivr.store.database import TableGroup, fit, reads, writes
from ivr.store.tables import flow_publications, flow_versions

WHY = "why"  # in a publication's detail
LONGEST_WHY = 500


class FlowVersions(TableGroup):
    """At most one version of a flow is live and at most one is its canary; the database itself holds that.

    Methods raise StoreUnavailable, and FlowError for a version that was never recorded."""

    @writes
    async def record_version(self, connection: AsyncConnection, flow: str, version: str, source: str, by: str) -> bool:
        """Keep the content. False when it was known already (it then keeps its first author)."""
        if await _find(connection, _named(flow, version)):
            return False
        made = FlowVersion(flow, version, source, by, self._now(), "recorded")
        await connection.execute(insert(flow_versions).values(asdict(made) | {"canary_numbers": []}))
        return True

    @writes
    async def publish(
        self, connection: AsyncConnection, flow: str, version: str, by: str, *, kind: str = "publish", why: str = ""
    ) -> str:
        """Make ``version`` the live one; a canary of that version ends with it. The version live before ("" if none).

        Publishing what is live already changes nothing."""
        await _require(connection, flow, version)
        live = await _find(connection, _in_state(flow, "live"))
        previous = live.version if live else ""
        if previous == version:
            return previous
        await _set_state(connection, flow, previous, "retired")
        await _set_state(connection, flow, version, "live")
        await self._note(connection, flow, version, previous, kind, by, why)
        return previous

    async def roll_back(self, flow: str, by: str, why: str = "") -> str:
        """Publish the version that served before the live one; its hash. Raises FlowError when there is none."""
        target = await self.rollback_target(flow)
        if target is None:
            raise FlowError("there is no earlier version to go back to", remedy="see ivr flow history")
        await self.publish(flow, target, by, kind="rollback", why=why)
        return target

    async def rollback_target(self, flow: str) -> str | None:
        """The version that the live one replaced. After a rollback, the one before that: never back and forth."""
        replaced_by: dict[str, str] = {}
        for publication in reversed(await self.history(flow)):
            if publication.kind == "publish":
                replaced_by[publication.version] = publication.previous
        live = await self.live_version(flow)
        return (replaced_by.get(live.version) or None) if live else None

    @writes
    async def start_canary(
        self,
        connection: AsyncConnection,
        flow: str,
        version: str,
        by: str,
        *,
        percent: int = 0,
        numbers: Sequence[str] = (),
        why: str = "",
    ) -> None:
        """Let ``version`` serve a part of the calls. Raises FlowError when it is live already."""
        if not 0 <= percent <= 100 or not (percent or numbers):
            raise FlowError("a canary needs a percentage from 1 to 100, or numbers", remedy="pass one of them")
        if (await _require(connection, flow, version)).state == "live":
            raise FlowError(f"{flow} {version} is live for everybody", remedy="pick a version that is not live")
        current = await _find(connection, _in_state(flow, "canary"))
        if current and current.version != version:
            await _set_state(connection, flow, current.version, "retired")
        await _set_state(connection, flow, version, "canary", percent, numbers)
        detail = {"percent": percent, "numbers": len(numbers)}
        await self._note(connection, flow, version, current.version if current else "", "canary", by, why, detail)

    @writes
    async def end_canary(self, connection: AsyncConnection, flow: str, by: str, why: str = "") -> str | None:
        """Take the canary out; its version, None when there was none."""
        current = await _find(connection, _in_state(flow, "canary"))
        if current is None:
            return None
        await _set_state(connection, flow, current.version, "retired")
        await self._note(connection, flow, current.version, "", "withdraw", by, why)
        return current.version

    @reads
    async def live_version(self, connection: AsyncConnection, flow: str) -> FlowVersion | None:
        return await _find(connection, _in_state(flow, "live"))

    @reads
    async def canary_version(self, connection: AsyncConnection, flow: str) -> FlowVersion | None:
        return await _find(connection, _in_state(flow, "canary"))

    @reads
    async def version(self, connection: AsyncConnection, flow: str, version: str) -> FlowVersion | None:
        return await _find(connection, _named(flow, version))

    @reads
    async def history(self, connection: AsyncConnection, flow: str, limit: int = 100) -> Sequence[Publication]:
        """Newest first."""
        kept = flow_publications.c
        rows = await connection.execute(
            select(kept.flow, kept.version, kept.previous, kept.kind, kept.by, kept.at, kept.detail)
            .where(kept.flow == flow)
            .order_by(kept.id.desc())
            .limit(limit)
        )
        return [Publication(*row[:-1], why=str(row.detail.get(WHY, ""))) for row in rows]

    async def _note(
        self,
        connection: AsyncConnection,
        flow: str,
        version: str,
        previous: str,
        kind: str,
        by: str,
        why: str,
        detail: Mapping[str, int] | None = None,
    ) -> None:
        told = {**(detail or {}), **({WHY: fit(why.strip(), LONGEST_WHY)} if why.strip() else {})}
        line = Publication(flow, version, previous, kind, by, self._now())
        row = {name: getattr(line, name) for name in Publication.__slots__ if name != WHY} | {"detail": told}
        await connection.execute(insert(flow_publications).values(row))
        before, after = {"version": previous} if previous else None, {"version": version, **told}
        await append(connection, AuditEvent(by, f"flow.{kind}", flow, before, after), line.at)


def _named(flow: str, version: str) -> ColumnElement[bool]:
    return (flow_versions.c.flow == flow) & (flow_versions.c.version == version)


def _in_state(flow: str, state: str) -> ColumnElement[bool]:
    return (flow_versions.c.flow == flow) & (flow_versions.c.state == state)


async def _find(connection: AsyncConnection, condition: ColumnElement[bool]) -> FlowVersion | None:
    row = (await connection.execute(select(flow_versions).where(condition))).one_or_none()
    return None if row is None else FlowVersion(**{**row._mapping, "canary_numbers": tuple(row.canary_numbers)})


async def _require(connection: AsyncConnection, flow: str, version: str) -> FlowVersion:
    """The version, with every row of its flow locked, so that two publications of one flow follow each other."""
    await connection.execute(select(flow_versions.c.version).where(flow_versions.c.flow == flow).with_for_update())
    found = await _find(connection, _named(flow, version))
    if found is None:
        raise FlowError(f"{flow} {version}: no such version", remedy="see ivr flow history")
    return found


async def _set_state(
    connection: AsyncConnection, flow: str, version: str, state: str, percent: int = 0, numbers: Sequence[str] = ()
) -> None:
    serves = {"state": state, "canary_percent": percent, "canary_numbers": list(numbers)}
    await connection.execute(update(flow_versions).where(_named(flow, version)).values(serves))
