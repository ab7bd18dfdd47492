"""The JSON API: one module a resource."""

from __future__ import annotations

from ivr.web.api import calls, configuration, drafts, drain, flows, health, metrics, pictures

ROUTES = (
    *(*health.ROUTES, *calls.ROUTES, *flows.ROUTES, *drafts.ROUTES, *pictures.ROUTES),
    *(*drain.ROUTES, *configuration.ROUTES, *metrics.ROUTES),
)
