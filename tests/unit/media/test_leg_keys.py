"""With which keys another media process goes on, and with which it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.media.description import (
    PCMU,
    BrowserAgreement,
    Crypto,
    Dtls,
    DtlsAgreement,
    MediaDescription,
    Resumption,
    Sdes,
    Secrets,
)
from ivr.media.leg_keys import LegKeys

AGREED = Sdes(Crypto(1, "AEAD_AES_128_GCM", "dGhlaXJz"), Crypto(1, "AEAD_AES_128_GCM", "b3Vycw=="))
PAGE = BrowserAgreement("AA", "ours", "word", "BB", AGREED)
TRUNK = DtlsAgreement("AA", "", (AGREED,), "-----BEGIN")
HOME = ("192.0.2.1", 4000)


def described(secure: Dtls | Secrets | Sdes | None) -> MediaDescription:
    return MediaDescription("192.0.2.1", 4000, (PCMU,), secure=secure)


BROWSER, DTLS = described(Secrets("theirs", "secret", "AA")), described(Dtls("AA", "active"))


def test_a_browser_goes_on_with_its_keys_where_it_was_moved_but_not_after_a_death() -> None:
    keys = LegKeys(BROWSER)
    assert not keys.settled and keys.handed_on(Resumption()).dtls is None, "none are agreed on yet"
    keys.agree(Resumption(dtls=PAGE))
    assert keys.settled
    left = Resumption(0, PAGE, (7, 1), HOME)
    assert keys.handed_on(left) == Resumption(2, PAGE, (7, 1), HOME), "the second process that follows"
    assert keys.handed_on(None) == Resumption(3, None, (7, 1)), "its page has a new offer"
    assert not keys.settled, "which is to be agreed on first"
    assert keys.kept() is None, "no other line has its page"


@pytest.mark.parametrize("left", [None, Resumption(0, TRUNK, (7, 2), HOME)], ids=["lost", "moved"])
def test_a_trunk_goes_on_with_its_keys_in_either_case(left: Resumption | None) -> None:
    keys = LegKeys(DTLS)
    assert keys.kept() is None
    keys.agree(Resumption(dtls=TRUNK, stream=(7, 1)))
    handed = keys.handed_on(left)
    assert handed == (Resumption(1, TRUNK, (7, 1)) if left is None else replace(left, processes=1))
    assert keys.kept() is not None and keys.resumed.address is None, "ports are of this line only"


def test_another_certificate_is_another_association() -> None:
    keys = LegKeys(BROWSER)
    keys.agree(Resumption(dtls=PAGE))
    keys.aimed(BROWSER, described(Secrets("restarted", "ice", "AA")))
    assert keys.resumed.dtls == PAGE, "an ICE restart"
    keys.aimed(BROWSER, described(Secrets("theirs", "secret", "EE")))
    assert keys.resumed.dtls is None and not keys.settled


async def test_who_waits_for_keys_hears_of_them() -> None:
    keys = LegKeys(DTLS)
    waiting = keys.changed
    keys.agree(Resumption(dtls=TRUNK))
    assert waiting.is_set() and not keys.changed.is_set()
