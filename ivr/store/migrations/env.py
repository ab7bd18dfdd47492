"""Alembic's entry point, run only by ``ivr.store.migration``, which passes a connection and hears of each step."""

from __future__ import annotations

from alembic import context

from ivr.store.tables import metadata

given = context.config.attributes
context.configure(
    connection=given["connection"],
    target_metadata=metadata,
    version_table=given["version_table"],
    transactional_ddl=True,
    transaction_per_migration=given["step_by_step"],
    on_version_apply=given["applied"],
)
with context.begin_transaction():
    context.run_migrations()
