"""What is sealed: by whom it opens, as what, and what nobody is shown of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import ConfigError, SealBroken
from ivr.sealing import Confidential, Keys, opened, sealed
from tests.unit.examples import examples

FIRST, SECOND = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
KEYS = Keys.of((FIRST,), "takeover")


def unreadable(error: SealBroken) -> None:
    raise error


@examples(50)
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), st.binary(max_size=20))
def test_what_was_sealed_opens_as_itself(value: dict[str, str], to: bytes) -> None:
    whole = {"a": [Confidential(value), 1], "b": None}
    written = json.loads(json.dumps(sealed(whole, KEYS, to)))
    assert opened(written, KEYS, to, unreadable) == whole


def test_nobody_is_shown_it() -> None:
    secret = Confidential({"inline": "s3cret"})
    assert "s3cret" not in repr(secret) and "s3cret" not in str({"x": [secret]})
    assert FIRST not in repr(KEYS) and "\\x01" not in repr(KEYS)
    with pytest.raises(TypeError):
        json.dumps({"media": secret})
    assert sealed({"media": secret}, Keys(), b"") == {"media": None}


def test_keys_rotate() -> None:
    former = KEYS.seal(b"x", b"one")
    both = Keys.of((SECOND, FIRST), "takeover")
    assert both.open(former, b"one") == b"x"
    assert both.seal(b"x", b"one")["key"] == Keys.of((SECOND,), "takeover").current != KEYS.current
    with pytest.raises(SealBroken, match=r"\[takeover\] key or former_keys"):
        KEYS.open(both.seal(b"x", b"one"), b"one")
    assert Keys.of((FIRST,)).current != KEYS.current, "the id tells nothing of what else it is the key of"


def test_no_two_look_alike() -> None:
    seals = [KEYS.seal(b"x", b"one") for _ in range(50)]
    assert len({seal["sealed"] for seal in seals}) == len({seal["data_key"] for seal in seals}) == 50


@pytest.mark.parametrize(
    "changed",
    [{"sealed": "AAAA"}, {"sealed": ""}, {"sealed": "*"}, {"data_key": "AAAA"}, {"data_key": "*"}, {"key": "no"}],
)
def test_what_was_changed_is_noticed(changed: dict[str, Any]) -> None:
    with pytest.raises(SealBroken):
        KEYS.open(KEYS.seal(b"x", b"one") | changed, b"one")
    told: list[SealBroken] = []
    assert opened([KEYS.seal(b"{}", b"one") | changed], KEYS, b"one", told.append) == [None] and len(told) == 1


def test_it_belongs_to_what_it_was_sealed_for() -> None:
    with pytest.raises(SealBroken):
        KEYS.open(KEYS.seal(b"x", b"one"), b"two")


def test_a_key_that_is_none_says_which() -> None:
    with pytest.raises(ConfigError, match=r"\[takeover\] key.*openssl"):
        Keys.of(("short",), "takeover")
