"""The section of config.toml for log-in by the company's identity provider (OpenID Connect)."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ivr.config.fields import SecretField, is_loopback
from ivr.config.section import Section

RoleName = Literal["agent", "supervisor", "designer", "translator", "ops"]


class OidcConfig(Section):
    """``issuer``: exactly as the provider writes it. ``claim``: of the ID token, or of UserInfo, with the groups that
    ``roles`` maps.
    ``local``: whether people also log in by a name and a password of this line."""

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretField
    roles: dict[str, tuple[RoleName, ...]]
    claim: str = Field("groups", min_length=1)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    button: str = Field("Log in with your company account", min_length=1, max_length=60)
    local: bool = True

    @field_validator("issuer")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        near = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "https" or near) or parts.query or parts.fragment:
            raise ValueError(
                f"{value!r} is not https://HOST/PATH (http only on this machine), as the provider writes it"
            )
        return value

    @model_validator(mode="after")
    def _complete(self) -> OidcConfig:
        if not self.client_secret.source:
            raise ValueError("client_secret is needed: env:NAME or file:/path")
        if not any(self.roles.values()):
            raise ValueError("roles maps no group to a role, so nobody could log in")
        return self
