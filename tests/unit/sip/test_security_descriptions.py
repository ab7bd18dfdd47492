"""a=crypto lines read and written: what can be used, what is passed over, what is none."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.description import SUITES, Crypto
from ivr.sip import security_descriptions as sdes
from tests.unit.examples import examples

KEY = b64encode(bytes(range(30))).decode()
LONG = b64encode(bytes(range(44))).decode()
SHORT = b64encode(bytes(range(28))).decode()
CM = "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"1 {CM} inline:{KEY}", Crypto(1, CM, KEY)),
        (f"  2   {CM.lower()}   inline:{KEY}  ", Crypto(2, CM, KEY)),
        (f"3 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31", Crypto(3, "AES_CM_128_HMAC_SHA1_32", KEY)),
        (f"4 {CM} inline:{KEY}|2147483648", Crypto(4, CM, KEY)),
        (f"5 AEAD_AES_256_GCM inline:{LONG}", Crypto(5, "AEAD_AES_256_GCM", LONG)),
        (f"5 AEAD_AES_256_GCM inline:{LONG.rstrip('=')}", Crypto(5, "AEAD_AES_256_GCM", LONG)),
        (f"6 AEAD_AES_128_GCM inline:{SHORT}", Crypto(6, "AEAD_AES_128_GCM", SHORT)),
        (f"999999999 {CM} inline:{KEY} WSH=128", Crypto(999999999, CM, KEY)),
        (f"7 {CM} inline:{KEY} -NEW=1", Crypto(7, CM, KEY)),
    ],
)
def test_what_can_be_used(line: str, found: Crypto) -> None:
    assert sdes.read([line]) == (found,)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1",
        f"x {CM} inline:{KEY}",
        f"1 {CM} {KEY}",
        f"1 {CM} inline:",
        f"1 {CM} inline:{KEY}|2^31|1:4",
        f"1 {CM} inline:{KEY}|1:4",
        f"1 {CM} inline:{KEY}|2^10",
        f"1 {CM} inline:{KEY};inline:{KEY}",
        f"1 {CM} inline:{KEY} KDR=1",
        f"1 {CM} inline:{KEY} FEC_ORDER=FEC_SRTP",
        f"1 {CM} inline:{KEY} FEC_KEY=inline:{KEY}",
        f"1 {CM} inline:{KEY} UNENCRYPTED_SRTP",
        f"1 {CM} inline:{KEY} UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP",
        f"1 {CM} inline:{KEY} WSH=64 NEW",
        f"1 {CM} inline:{LONG}",
        f"1 {CM} inline:{KEY[:-4]}",
        f"1 {CM} inline:{KEY[:-1]}*",
        f"1 {CM} inline:{'A' * 5000}",
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 NULL_HMAC_SHA1_80 inline:{KEY}",
        f"1234567890 {CM} inline:{KEY}",
        "1 " + " ".join(["x"] * 1000),
    ],
)
def test_what_cannot_is_passed_over(line: str) -> None:
    assert sdes.read([line, f"2 {CM} inline:{KEY}"]) == (Crypto(2, CM, KEY),)


@examples(300)
@given(st.text(max_size=300))
def test_nothing_escapes(noise: str) -> None:
    sdes.read([noise, f"1 {noise} inline:{noise}", f"1 {CM} inline:{noise}", f"1 {CM} inline:{KEY}{noise}"])


def test_not_more_than_a_sane_number_is_read() -> None:
    assert len(sdes.read(f"{n} {CM} inline:{KEY}" for n in range(10_000))) < 100


def test_the_far_ends_wish_counts_but_for_short_tags() -> None:
    weak, strong, other = (
        Crypto(1, "AES_CM_128_HMAC_SHA1_32", KEY),
        Crypto(2, CM, KEY),
        Crypto(3, "AEAD_AES_256_GCM", ""),
    )
    assert sdes.best([weak, strong, other]) == strong
    assert sdes.best([other, strong]) == other
    assert sdes.best([weak]) == weak
    assert sdes.best([]) is None


@pytest.mark.parametrize("suite", SUITES)
def test_our_keys_can_be_read_and_never_repeat(suite: str) -> None:
    one, other = sdes.fresh(suite, 1), sdes.fresh(suite, 1)
    assert one.key != other.key
    assert sdes.read([sdes.written(one)]) == (one,)


def test_what_we_offer() -> None:
    offered = sdes.offer()
    assert [(key.tag, key.suite) for key in offered] == [(1, "AEAD_AES_256_GCM"), (2, CM)]
    assert all(key.key not in repr(offered) for key in offered)
