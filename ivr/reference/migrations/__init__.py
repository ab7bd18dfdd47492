"""Alembic migrations of the films company's tables, run by ``ivr.store.migration``."""
