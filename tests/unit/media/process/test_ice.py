"""STUN by the book (RFC 5769's vectors), and what an ICE-lite end makes of checks: real, forged, replayed, garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process import ice
from ivr.media.process.ice import IceLite, Message, parse

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
HEAD = "2112a442 b7e7a701bc34d686fa87dfae"
# RFC 5769 sections 2.1 to 2.3.
REQUEST = bytes.fromhex(
    f"00010058 {HEAD} 80220010 5354554e207465737420636c69656e74 00240004 6e0001ff 80290008 932ff9b151263b36"
    "00060009 6576746a3a68367659202020 00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
)
RESPONSE_4 = bytes.fromhex(
    f"0101003c {HEAD} 8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    f"01010048 {HEAD} 8022000b 7465737420766563746f7220 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c"
)
BROWSER = ("192.0.2.7", 50_000)
ELSEWHERE = ("198.51.100.9", 50_000)


def read(data: bytes) -> Message:
    message = parse(data)
    assert message is not None
    return message


@pytest.mark.parametrize("data", [REQUEST, RESPONSE_4, RESPONSE_6], ids=["request", "IPv4", "IPv6"])
def test_the_vectors_of_the_rfc_are_authentic(data: bytes) -> None:
    message = read(data)
    assert message.transaction == TRANSACTION
    assert message.signed_with(PASSWORD)
    assert not message.signed_with(PASSWORD[:-1] + b"u")


@pytest.mark.parametrize("data", [REQUEST, RESPONSE_4, RESPONSE_6], ids=["request", "IPv4", "IPv6"])
def test_no_bit_of_them_can_be_changed(data: bytes) -> None:
    for bit in [*range((len(data) - 8) * 8), *range((len(data) - 4) * 8, len(data) * 8)]:  # all that is signed, and CRC
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        message = parse(bytes(changed))
        assert message is None or not message.signed_with(PASSWORD), bit


def test_the_address_is_written_as_in_the_vectors() -> None:
    assert read(REQUEST).attributes[ice.USERNAME] == b"evtj:h6vY"
    assert ice.xor_mapped(("192.0.2.1", 32853), TRANSACTION) == read(RESPONSE_4).attributes[ice.MAPPED]
    six = "2001:db8:1234:5678:11:2233:4455:6677"
    assert ice.xor_mapped((six, 32853), TRANSACTION) == read(RESPONSE_6).attributes[ice.MAPPED]


def test_what_is_built_is_what_the_vectors_are_but_for_the_padding() -> None:
    mapped = read(RESPONSE_4).attributes[ice.MAPPED]
    software = (0x8022, b"test vector ")  # the RFC pads with a blank, and counts it not
    ours = read(ice.build(ice.SUCCESS, TRANSACTION, [software, (ice.MAPPED, mapped)], PASSWORD))
    assert ours.signed_with(PASSWORD)
    assert ours.attributes[ice.MAPPED] == mapped


class End:
    """An ICE-lite end and a browser that knows its password."""

    def __init__(self) -> None:
        self.ice = IceLite("theirs")

    def check(
        self, *, nominate: bool = False, password: str = "", username: str = "", transaction: bytes = b""
    ) -> bytes:
        attributes = [(ice.USERNAME, (username or f"{self.ice.ufrag}:theirs").encode()), (0x0024, b"\x6e\x00\x01\xff")]
        if nominate:
            attributes.append((ice.USE_CANDIDATE, b""))
        key = (password or self.ice.password).encode()
        return ice.build(ice.REQUEST, transaction or TRANSACTION, attributes, key)


def test_a_check_is_answered_to_where_it_came_from() -> None:
    end = End()
    passed = end.ice.check(end.check(), BROWSER)
    assert passed is not None and not passed.nominates
    answer = read(passed.answer)
    assert (answer.kind, answer.transaction) == (ice.SUCCESS, TRANSACTION)
    assert answer.signed_with(end.ice.password.encode())
    assert answer.attributes[ice.MAPPED] == ice.xor_mapped(BROWSER, TRANSACTION)
    nominated = end.ice.check(end.check(nominate=True), BROWSER)
    assert nominated is not None and nominated.nominates


def test_an_answer_is_not_longer_than_its_question() -> None:
    """Nobody's address is worth borrowing, even for those who know the password."""
    end = End()
    question = end.check()
    passed = end.ice.check(question, BROWSER)
    assert passed is not None and len(passed.answer) <= len(question)


def test_what_is_forged_is_not_answered() -> None:
    end = End()
    assert end.ice.check(end.check(password="wrong"), BROWSER) is None
    assert end.ice.check(end.check(username="other:theirs"), BROWSER) is None
    assert end.ice.check(end.check(username=f"{end.ice.ufrag}:others"), BROWSER) is None
    assert end.ice.check(REQUEST, BROWSER) is None
    assert end.ice.check(ice.build(ice.SUCCESS, TRANSACTION, [], end.ice.password.encode()), BROWSER) is None
    unsigned = b"\x00\x01\x00\x00" + end.check()[4:20]
    assert end.ice.check(unsigned, BROWSER) is None


def test_a_check_that_was_overheard_leads_the_audio_nowhere_else() -> None:
    end = End()
    overheard = end.check(nominate=True)
    assert end.ice.check(overheard, BROWSER) is not None
    assert end.ice.check(overheard, ELSEWHERE) is None
    assert end.ice.check(overheard, BROWSER) is not None, "repeated by the browser itself"
    moved = end.check(nominate=True, transaction=b"another one.")
    assert end.ice.check(moved, ELSEWHERE) is not None, "the browser itself may move"


def test_what_follows_the_signature_counts_for_nothing() -> None:
    end = End()
    signed = end.check()[:-8]  # without FINGERPRINT
    trailing = signed + b"\x00\x25\x00\x00"
    whole = trailing[:2] + (len(trailing) - 20).to_bytes(2, "big") + trailing[4:]
    passed = end.ice.check(whole, BROWSER)
    assert passed is not None and not passed.nominates


def test_passwords_are_nobodys_guess() -> None:
    ends = [IceLite("x") for _ in range(50)]
    assert len({end.password for end in ends}) == len({end.ufrag for end in ends}) == 50
    assert all(len(end.password) >= 22 and len(end.ufrag) >= 4 for end in ends)
    assert all(
        set(end.password + end.ufrag) <= set(map(chr, [*range(47, 58), *range(65, 91), *range(97, 123), 43]))
        for end in ends
    )


@given(st.binary(max_size=200), st.integers(0, len(REQUEST)))
def test_garbage_is_nothing(noise: bytes, kept: int) -> None:
    end = IceLite("theirs")
    for data in (noise, REQUEST[:kept] + noise, REQUEST[:20] + noise):
        assert end.check(data, BROWSER) is None
