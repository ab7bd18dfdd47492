"""JSON responses."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aiohttp import web


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


json_response = partial(web.json_response, dumps=dumps)
