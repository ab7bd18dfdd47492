from __future__ import annotations

import pytest

from ivr.dialogue.spoken.tags import primary, same_language, served


@pytest.mark.parametrize(
    ("tag", "subtag"), [("en", "en"), ("en-US", "en"), ("EN_gb", "en"), ("es-419", "es"), ("", "")]
)
def test_the_primary_subtag(tag: str, subtag: str) -> None:
    assert primary(tag) == subtag


def test_the_region_never_decides() -> None:
    assert same_language("en-GB", "EN_us") and not same_language("es-ES", "en-US")
    assert served("en-GB", ("es", "en-US")) and not served("fr", ("es", "en-US")) and not served("fr", ())
    assert served("fr", None)
