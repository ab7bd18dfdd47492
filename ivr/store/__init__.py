"""Persistence: the only package with SQL in it."""

from ivr.store.store import Store, StoreStatus

__all__ = ["Store", "StoreStatus"]
