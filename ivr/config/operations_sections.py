"""Sections of config.toml for operations: call detail records and traces."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from ivr.config.fields import Secret, SecretField
from ivr.config.section import Section


class CdrConfig(Section):
    """``path``: the file of call detail records, one JSON line each; "" for none."""

    path: str = ""


class TracesConfig(Section):
    """``endpoint``: where spans go by OTLP over HTTP, its whole URL; "" for nowhere. ``share`` of the calls are traced,
    0 to 1. ``token``: what the endpoint wants as a bearer."""

    endpoint: str = ""
    share: float = Field(1.0, ge=0, le=1)
    token: SecretField = Secret("")

    @field_validator("endpoint")
    @classmethod
    def _is_a_url(cls, endpoint: str) -> str:
        if endpoint:
            parts = urlsplit(endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
                raise ValueError("write http://HOST:4318/v1/traces or https://…, without a password in it")
        return endpoint
