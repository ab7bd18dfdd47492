"""What ``ivr db …`` does. Each function opens and closes the store itself and returns what to tell the operator."""

from __future__ import annotations

from ivr.store.store import Store


async def upgrade(url: str) -> str:
    """Raises StoreUnavailable, ConfigError."""
    store = Store(url)
    try:
        await store.upgrade()
        status = await store.status()
        return f"{status.database} is at revision {status.revision}"
    finally:
        await store.close()


async def seed(url: str) -> str:
    """Upgrades first. Raises StoreUnavailable, ConfigError."""
    store = Store(url)
    try:
        await store.upgrade()
        added = await store.seed()
        status = await store.status()
        return (
            f"added {added.titles} titles and {added.members} members; "
            f"{status.database} now has {status.titles} and {status.members}"
        )
    finally:
        await store.close()


async def status(url: str) -> str:
    """Raises StoreUnavailable, ConfigError."""
    store = Store(url)
    try:
        now = await store.status()
    finally:
        await store.close()
    if not now.revision:
        return f"{now.database} is empty: run ivr db upgrade"
    if not now.up_to_date:
        return f"{now.database} is at revision {now.revision}, this release needs {now.head}: run ivr db upgrade"
    return f"{now.database} is current ({now.revision}): {now.titles} titles, {now.members} members"
