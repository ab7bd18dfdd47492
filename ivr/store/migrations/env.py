"""Alembic's entry point. Only ever run by ``ivr.store.migration``, which passes an open transaction."""

from __future__ import annotations

from alembic import context

from ivr.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
