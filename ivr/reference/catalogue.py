"""The ``catalogue``: every title that there is, as a vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ivr.errors import StoreUnavailable
from ivr.events import Term
from ivr.reference.backend import Backend
from ivr.reference.titles import terms

CATALOGUE = "catalogue"
MAX_AGE = timedelta(minutes=5)


class Catalogue:
    """At most MAX_AGE old; older when the back end is gone."""

    def __init__(self, backend: Backend, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._now = now
        self._terms: tuple[Term, ...] = ()
        self._stale_at = now()

    async def terms(self) -> tuple[Term, ...]:
        """Raises StoreUnavailable when the back end is gone and never answered before."""
        if self._terms and self._now() < self._stale_at:
            return self._terms
        try:
            self._terms = terms(await self._backend.titles())
        except StoreUnavailable:
            if not self._terms:
                raise
        else:
            self._stale_at = self._now() + MAX_AGE
        return self._terms
