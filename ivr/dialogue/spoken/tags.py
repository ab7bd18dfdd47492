"""Language tags (BCP 47): the only place that compares them. The region never decides: words of en-GB serve en-US."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=256)
def primary(tag: str) -> str:
    """The primary subtag: "en" of "en-US" and of "EN_gb"."""
    return tag.replace("_", "-").partition("-")[0].lower()


def same_language(one: str, other: str) -> bool:
    return primary(one) == primary(other)


def served(wanted: str, offered: Iterable[str] | None) -> bool:
    """Whether something offered in these languages serves ``wanted``. None: offered in any."""
    return offered is None or any(same_language(wanted, one) for one in offered)
