"""With which keys another media process goes on, and with which it must not."""

from __future__ import annotations

from ivr.media.description import PCMU, Crypto, Dtls, MediaDescription, Resumed, Sdes, Secrets
from ivr.media.leg_keys import LegKeys

AGREED = Sdes(Crypto(1, "AEAD_AES_128_GCM", "dGhlaXJz"), Crypto(1, "AEAD_AES_128_GCM", "b3Vycw=="))


def described(secure: Dtls | Secrets | None) -> MediaDescription:
    return MediaDescription("192.0.2.1", 4000, (PCMU,), secure=secure)


BROWSER, OURS = described(Secrets("theirs", "secret", "AA")), described(Secrets("ours", "word", "BB"))


def test_a_browser_goes_on_with_its_keys_where_it_was_moved_but_not_after_a_death() -> None:
    keys = LegKeys()
    assert keys.handed_on(BROWSER, OURS, lost=True, moved=True) == BROWSER, "none are agreed on yet"
    keys.agree((AGREED,))
    moved = keys.handed_on(BROWSER, OURS, lost=True, moved=True)
    assert moved is not None and isinstance(moved.secure, Secrets)
    assert moved.secure.resumed == Resumed("ours", "word", "BB", AGREED)
    assert keys.handed_on(BROWSER, OURS, lost=True, moved=False) == BROWSER, "its page has a new offer"


def test_a_trunk_goes_on_with_its_keys_in_either_case_and_with_the_certificate_that_it_saw() -> None:
    for moved in (False, True):
        keys, theirs = LegKeys(), described(Dtls("AA", "active"))
        keys.agree((AGREED,))
        handed = keys.handed_on(theirs, described(Dtls("BB", "passive")), lost=True, moved=moved)
        assert handed is not None and handed.secure == Dtls("AA", "active", agreed=(AGREED,))
        told = keys.as_told(described(Dtls("CC", "passive")), described(Dtls("BB", "passive")))
        assert told.secure == Dtls("BB", "passive")


def test_another_certificate_is_another_association() -> None:
    keys = LegKeys()
    keys.agree((AGREED,))
    keys.aimed(BROWSER, described(Secrets("restarted", "ice", "AA")))
    assert keys.agreed, "an ICE restart"
    keys.aimed(BROWSER, described(Secrets("theirs", "secret", "EE")))
    assert not keys.agreed
