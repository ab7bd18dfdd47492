"""API tokens: by their hash, with what they may do, until when, and when they were shown last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import AccountError
from ivr.ports import ApiToken, AuditEvent
from ivr.ports.accounts import SOMEBODY
from ivr.store.account_tables import api_tokens
from ivr.store.audit_log import append
from ivr.store.database import TableGroup, fit, reads, writes


class TokenTable(TableGroup):
    """Implements ``ivr.ports.TokenStore``."""

    @writes
    async def add(self, connection: AsyncConnection, token: ApiToken, digest: str) -> None:
        values = {
            "id": token.id,
            "label": fit(token.label, 100),
            "scopes": sorted(token.scopes),
            "digest": digest,
            "by": fit(token.by, 100),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
        }
        await connection.execute(insert(api_tokens).values(values))
        until = token.expires_at.isoformat() if token.expires_at is not None else None
        told = {"label": token.label, "scopes": sorted(token.scopes), "until": until}
        await append(connection, AuditEvent(token.by, "token.added", token.id, None, told), self._now())

    @reads
    async def find(self, connection: AsyncConnection, identity: str) -> tuple[ApiToken, str] | None:
        row = (await connection.execute(select(api_tokens).where(api_tokens.c.id == identity))).one_or_none()
        return (_token(row), row.digest) if row is not None else None

    @reads
    async def all(self, connection: AsyncConnection) -> Sequence[ApiToken]:
        newest = select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        return [_token(row) for row in await connection.execute(newest)]

    @writes
    async def revoke(self, connection: AsyncConnection, identity: str, by: str) -> None:
        live = (api_tokens.c.id == fit(identity, 16)) & api_tokens.c.revoked_at.is_(None)
        if not (await connection.execute(update(api_tokens).where(live).values(revoked_at=self._now()))).rowcount:
            raise AccountError(f"there is no token {fit(identity, 16)} to revoke", remedy="ivr token list has them")
        await append(connection, AuditEvent(by, "token.revoked", identity), self._now())

    @writes
    async def used(self, connection: AsyncConnection, identity: str) -> None:
        await connection.execute(update(api_tokens).where(api_tokens.c.id == identity).values(used_at=self._now()))

    @writes
    async def refused(self, connection: AsyncConnection, identity: str, why: str) -> None:
        await append(connection, AuditEvent(SOMEBODY, "token.refused", identity, result=why), self._now())


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        row.id,
        row.label,
        frozenset(row.scopes),
        row.by,
        row.created_at,
        row.expires_at,
        row.used_at,
        row.revoked_at,
    )
