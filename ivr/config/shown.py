"""A configuration as it is shown: its keys and what counts under each, without any secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ivr.config.fields import Secret
from ivr.config.sections import Config, HttpService

HIDDEN = "***"
_PASSWORD = re.compile(
    r"((?:(?<=://)|^sips?:|^(?!sips?:|[\w+.-]+://))[^\s/@:;]*):[^\s@]*(?:@[^\s@]*)*(?=@)", re.IGNORECASE
)
_BY_QUERY = re.compile(r"((?:^|[?&])[^=&?]*(?:password|passwd|secret|token)[^=&?]*=)[^&]*", re.IGNORECASE)


def shown(config: Config) -> dict[str, Any]:
    """ "sip.max_calls" -> what JSON can hold. Of a secret only where it is kept; passwords in URLs and the values of
    HTTP headers are hidden."""
    return {
        f"{section}.{key}": _plain(getattr(part, key))
        for section in Config.model_fields
        for part in (getattr(config, section),)
        for key in type(part).model_fields
    }


def _plain(value: object) -> Any:
    if isinstance(value, HttpService):
        return {**_fields(value), "headers": dict.fromkeys(value.headers, HIDDEN)}
    if isinstance(value, BaseModel):
        return _fields(value)
    if isinstance(value, Secret):
        return value.source
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _BY_QUERY.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}", str(value)))


def _fields(part: BaseModel) -> dict[str, Any]:
    return {field.alias or name: _plain(getattr(part, name)) for name, field in type(part).model_fields.items()}
