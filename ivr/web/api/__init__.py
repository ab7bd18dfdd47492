"""The JSON API: one module a resource."""

from __future__ import annotations

from ivr.web.api import calls, flows, health, metrics

ROUTES = (*health.ROUTES, *calls.ROUTES, *flows.ROUTES, *metrics.ROUTES)
