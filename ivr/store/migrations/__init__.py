"""Alembic migrations, run by ``ivr.store.migration``."""
