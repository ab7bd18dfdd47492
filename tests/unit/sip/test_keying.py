"""Offers and answers with SRTP over a dialog's life: by SDES, best effort, by DTLS; what each policy takes."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.description import PCMU, Direction, Dtls, MediaDescription, Sdes, SrtpPolicy
from ivr.sip.kept_dialog import without_keys
from ivr.sip.message import BadBody
from ivr.sip.sdp import OfferAnswer, parse
from tests.unit.examples import examples

KNOWN = ("PCMU", "PCMA", "G722")
LOCAL = MediaDescription("192.0.2.1", 17_000, (PCMU,), 101)
CM, WEAK, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM"
PRINT = ":".join(["AB"] * 32)
OURS = ":".join(["CD"] * 32)


def key(number: int = 1, size: int = 30) -> str:
    return b64encode(bytes([number]) * size).decode()


def crypto(tag: int = 1, suite: str = CM, number: int = 1) -> str:
    return f"a=crypto:{tag} {suite} inline:{key(number, 44 if suite == GCM else 30)}\n"


def sdp(*streams: tuple[str, str], session: str = "") -> str:
    head = f"v=0\no=far 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\n{session}"
    lines = (f"m=audio {40_000 + 2 * n} {proto} 0 101\n{rest}" for n, (proto, rest) in enumerate(streams))
    return head + "".join(f"{each}a=rtpmap:101 telephone-event/8000\n" for each in lines)


def dtls(setup: str = "actpass", digest: str = PRINT, more: str = "") -> tuple[str, str]:
    return "UDP/TLS/RTP/SAVPF", f"a=setup:{setup}\na=fingerprint:sha-256 {digest}\n{more}"


def talk(srtp: SrtpPolicy = "prefer") -> OfferAnswer:
    return OfferAnswer(KNOWN, lambda version, far: "192.0.2.1", False, srtp=srtp)


def answered(audio: OfferAnswer, local: MediaDescription = LOCAL) -> str:
    """As media would: its description says what it was told of keys."""
    assert audio.remote is not None
    secure = audio.remote.secure
    if isinstance(secure, Dtls):
        role = "active" if secure.setup == "passive" else "passive"
        secure = Dtls(OURS, "active" if role == "active" else "passive", secure.mux)
    return audio.describe(replace(local, secure=secure))


def line_of(text: str, start: str) -> str:
    found = [line for line in text.splitlines() if line.startswith(start)]
    assert len(found) == 1, text
    return found[0]


@pytest.mark.parametrize("proto", ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"])
@pytest.mark.parametrize("policy", ["prefer", "require"])
def test_an_offer_with_keys_is_answered_with_one_of_ours(proto: str, policy: SrtpPolicy) -> None:
    audio = talk(policy)
    audio.take_offer(sdp((proto, crypto(1, "AES_256_CM_HMAC_SHA1_80") + crypto(2, WEAK) + crypto(3, number=7))))
    assert audio.remote is not None and isinstance(audio.remote.secure, Sdes)
    assert (audio.remote.secure.theirs.tag, audio.remote.secure.theirs.key) == (3, key(7))
    text = answered(audio)
    assert line_of(text, "m=audio") == f"m=audio 17000 {proto} 0 101"
    assert line_of(text, "a=crypto") == f"a=crypto:3 {CM} inline:{audio.remote.secure.ours.key}"
    assert audio.remote.secure.ours.key != key(7)


@pytest.mark.parametrize(
    ("policy", "streams", "why"),
    [
        ("off", [("RTP/SAVP", crypto())], "srtp is off"),
        ("off", [dtls()], "srtp is off"),
        ("require", [("RTP/AVP", "")], "required"),
        ("require", [("RTP/AVP", "a=crypto:1 NEW inline:x\n")], "required"),
        ("prefer", [("RTP/SAVP", "")], "without an a=crypto"),
        ("prefer", [("RTP/SAVP", f"a=crypto:1 {CM} inline:{key()}|2^31|1:4\n")], "without an a=crypto"),
        ("prefer", [("UDP/TLS/RTP/SAVP", "")], "fingerprint"),
        ("prefer", [("UDP/TLS/RTP/SAVP", "a=fingerprint:sha-1 AB:CD\n")], "fingerprint"),
        ("prefer", [("UDP/TLS/RTP/SAVP", f"a=fingerprint:sha-256 {PRINT}:AB\n")], "fingerprint"),
        ("prefer", [dtls("holdconn")], "a=setup"),
        ("prefer", [("TCP/RTP/AVP", "")], "not served"),
    ],
)
def test_what_cannot_be_met(policy: SrtpPolicy, streams: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(BadBody, match=why) as refused:
        talk(policy).take_offer(sdp(*streams))
    assert refused.value.status == 488
    assert "inline" not in str(refused.value)


@pytest.mark.parametrize(
    ("policy", "rest"), [("off", crypto()), ("prefer", ""), ("prefer", f"a=crypto:1 {CM} inline:{key()} KDR=1\n")]
)
def test_best_effort_that_cannot_be_met_is_answered_in_the_clear(policy: SrtpPolicy, rest: str) -> None:
    audio = talk(policy)
    audio.take_offer(sdp(("RTP/AVP", rest)))
    text = answered(audio)
    assert audio.remote is not None and audio.remote.secure is None
    assert "a=crypto" not in text and "RTP/AVP 0" in text


@pytest.mark.parametrize(
    ("streams", "chosen"),
    [
        ([("RTP/SAVP", crypto()), ("RTP/AVP", "")], 0),
        ([("RTP/AVP", ""), ("RTP/SAVP", crypto())], 1),
        ([("RTP/AVP", crypto()), ("RTP/SAVP", crypto()), dtls()], 2),
        ([("RTP/AVP", ""), ("RTP/AVP", crypto())], 1),
        ([("RTP/SAVP", ""), ("RTP/AVP", "")], 1),
        ([("RTP/SAVP", crypto()), ("RTP/SAVP", crypto())], 0),
    ],
)
def test_the_best_protected_of_several_streams_is_taken(streams: list[tuple[str, str]], chosen: int) -> None:
    audio = talk()
    audio.take_offer(sdp(*streams))
    ports = [line.split()[1] for line in answered(audio).splitlines() if line.startswith("m=audio")]
    assert ports == ["17000" if n == chosen else "0" for n in range(len(streams))]


def test_what_each_policy_offers() -> None:
    assert "crypto" not in talk("off").describe(LOCAL)
    best_effort, only = talk("prefer").describe(LOCAL), talk("require").describe(LOCAL)
    assert "RTP/AVP 0" in best_effort and best_effort.count("a=crypto:") == 2
    assert "RTP/SAVP 0" in only and only.count("a=crypto:") == 2


@pytest.mark.parametrize("proto", ["RTP/AVP", "RTP/SAVP"])
def test_an_answer_chooses_among_our_keys(proto: str) -> None:
    audio = talk()
    text = audio.describe(LOCAL)
    remote = audio.take_answer(sdp((proto, crypto(2, number=9))))
    assert isinstance(remote.secure, Sdes)
    assert remote.secure.theirs.key == key(9)
    assert f"a=crypto:2 {CM} inline:{remote.secure.ours.key}" in text
    assert audio.local is not None and audio.local.secure == remote.secure


@pytest.mark.parametrize("rest", [crypto(3), crypto(1), crypto(2, WEAK), "", "a=crypto:2 x\n"])
def test_an_answer_with_no_key_of_ours_is_in_the_clear_or_none(rest: str) -> None:
    audio = talk()
    audio.describe(LOCAL)
    assert audio.take_answer(sdp(("RTP/AVP", rest))).secure is None
    strict = talk("require")
    strict.describe(LOCAL)
    for proto in ("RTP/AVP", "RTP/SAVP"):
        with pytest.raises(BadBody):
            strict.take_answer(sdp((proto, rest)))


def test_who_takes_no_best_effort_is_offered_nothing_else() -> None:
    audio = talk()
    first = audio.describe(LOCAL)
    assert audio.may_insist
    second = audio.insist()
    assert not audio.may_insist
    assert "RTP/SAVP 0" in second
    one, two = ([line for line in text.splitlines() if "crypto" in line] for text in (first, second))
    assert one == two
    with pytest.raises(BadBody):
        audio.take_answer(sdp(("RTP/SAVP", "")))
    assert isinstance(audio.take_answer(sdp(("RTP/SAVP", crypto(2)))).secure, Sdes)


@pytest.mark.parametrize("policy", ["off", "require"])
def test_there_is_nothing_to_insist_on(policy: SrtpPolicy) -> None:
    audio = talk(policy)
    audio.describe(LOCAL)
    assert not audio.may_insist


def test_a_reinvite_keeps_our_key_and_follows_theirs() -> None:
    audio = talk()
    audio.take_offer(sdp(("RTP/SAVP", crypto(1, number=1))))
    answered(audio)
    before = audio.remote
    assert before is not None and isinstance(before.secure, Sdes)
    text, changed = audio.reanswer(sdp(("RTP/SAVP", crypto(1, number=1))))
    assert changed is None and before.secure.ours.key in text
    text, changed = audio.reanswer(sdp(("RTP/SAVP", crypto(4, number=2) + "a=sendonly\n")))
    assert changed is not None and isinstance(changed.secure, Sdes)
    assert (changed.secure.theirs.key, changed.secure.ours.key) == (key(2), before.secure.ours.key)
    assert f"a=crypto:4 {CM} inline:{before.secure.ours.key}" in text and "a=recvonly" in text
    text, changed = audio.reanswer(sdp(("RTP/SAVP", crypto(1, GCM))))
    assert changed is not None and isinstance(changed.secure, Sdes)
    assert changed.secure.ours.suite == GCM and changed.secure.ours.key not in before.secure.ours.key


def test_a_reinvite_may_begin_and_end_srtp() -> None:
    audio = talk()
    audio.take_offer(sdp(("RTP/AVP", "")))
    answered(audio)
    text, changed = audio.reanswer(sdp(("RTP/SAVP", crypto())))
    assert changed is not None and isinstance(changed.secure, Sdes) and "RTP/SAVP" in text
    text, changed = audio.reanswer(sdp(("RTP/AVP", "")))
    assert changed is not None and changed.secure is None and "crypto" not in text


@pytest.mark.parametrize(("policy", "offer"), [("off", ("RTP/SAVP", crypto())), ("require", ("RTP/AVP", ""))])
def test_a_reinvite_that_the_policy_forbids_leaves_all_as_it_was(policy: SrtpPolicy, offer: tuple[str, str]) -> None:
    audio = talk(policy)
    audio.take_offer(sdp(("RTP/AVP", "") if policy == "off" else ("RTP/SAVP", crypto())))
    answered(audio)
    before, text = audio.remote, audio.text
    with pytest.raises(BadBody):
        audio.reanswer(sdp(offer))
    assert (audio.remote, audio.text) == (before, text)


@pytest.mark.parametrize("policy", ["prefer", "require"])
def test_a_call_without_an_offer_is_offered_keys(policy: SrtpPolicy) -> None:
    audio = talk(policy)
    assert audio.describe(LOCAL).count("a=crypto:") == 2
    proto = "RTP/SAVP" if policy == "require" else "RTP/AVP"
    assert isinstance(audio.take_answer(sdp((proto, crypto(1, GCM)))).secure, Sdes)


def test_later_offers_of_ours_name_the_key_that_is_used() -> None:
    """An offer-less re-INVITE, a refresh, other ports after the media process died."""
    audio = talk()
    audio.describe(LOCAL)
    remote = audio.take_answer(sdp(("RTP/AVP", crypto(2))))
    assert isinstance(remote.secure, Sdes)
    said = f"a=crypto:2 {CM} inline:{remote.secure.ours.key}"
    assert line_of(audio.offer_again(), "a=crypto") == said
    assert audio.take_later_answer(sdp(("RTP/AVP", crypto(2)))) is None
    moved = audio.offer_anew(replace(LOCAL, port=18_000, secure=remote.secure))
    assert line_of(moved, "a=crypto") == said
    changed = audio.take_later_answer(sdp(("RTP/AVP", crypto(2, number=5))))
    assert changed is not None and isinstance(changed.secure, Sdes)
    assert changed.secure.theirs.key == key(5)
    assert audio.take_later_answer(sdp(("RTP/AVP", crypto(2, number=5)))) is None


def test_a_first_offer_that_is_repeated_as_a_refresh_is_still_understood() -> None:
    audio = talk()
    audio.describe(LOCAL)
    audio.take_answer(sdp(("RTP/AVP", crypto(1, GCM))))
    assert audio.text.count("a=crypto:") == 2
    assert audio.take_later_answer(sdp(("RTP/AVP", crypto(1, GCM)))) is None


@pytest.mark.parametrize(
    ("setup", "role"), [("actpass", "passive"), ("active", "passive"), ("passive", "active"), ("", "passive")]
)
@pytest.mark.parametrize("mux", ["", "a=rtcp-mux\n"])
def test_dtls_is_answered_by_its_setup(setup: str, role: str, mux: str) -> None:
    audio = talk()
    offer = dtls(setup, more=mux)
    audio.take_offer(sdp(offer if setup else (offer[0], offer[1].replace("a=setup:\n", ""))))
    text = answered(audio)
    assert line_of(text, "m=audio") == "m=audio 17000 UDP/TLS/RTP/SAVPF 0 101"
    assert line_of(text, "a=setup") == f"a=setup:{role}"
    assert line_of(text, "a=fingerprint") == f"a=fingerprint:sha-256 {OURS}"
    assert ("a=rtcp-mux" in text) == bool(mux)


def test_a_fingerprint_of_the_session_by_another_digest() -> None:
    long = ":".join(["AB"] * 64)
    text = sdp(("UDP/TLS/RTP/SAVP", ""), session=f"a=setup:passive\na=fingerprint:SHA-512 {long.lower()}\n")
    assert parse(text, KNOWN, "prefer").protected.dtls == Dtls(long, "passive", False, "sha-512")


def test_a_later_offer_with_dtls_keeps_the_roles_while_the_certificate_stays() -> None:
    audio = talk()
    audio.take_offer(sdp(dtls("passive")))
    answered(audio)
    text, changed = audio.reanswer(sdp(dtls("actpass", more="a=sendonly\n")))
    assert changed is not None and "a=setup:active" in text
    text, _ = audio.reanswer(sdp(dtls("actpass", PRINT.replace("AB", "EF"))))
    assert "a=setup:passive" in text
    offer = audio.offer_anew(replace(LOCAL, secure=Dtls(OURS, "passive")))
    assert "a=setup:passive" in offer
    other = audio.offer_anew(replace(LOCAL, secure=Dtls(OURS.replace("CD", "12"), "passive")))
    assert "a=setup:actpass" in other
    changed = audio.take_later_answer(sdp(dtls("passive")))
    assert changed is not None and changed.secure == Dtls(PRINT, "passive")
    changed = audio.take_later_answer(sdp(dtls("actpass")))
    assert changed is not None and changed.secure == Dtls(PRINT, "active"), "which is no answer, and is given"
    with pytest.raises(BadBody):
        audio.take_later_answer(sdp(("RTP/AVP", "")))


def test_dtls_cannot_begin_in_mid_call() -> None:
    audio = talk()
    audio.take_offer(sdp(("RTP/SAVP", crypto())))
    answered(audio)
    with pytest.raises(BadBody, match="mid-call"):
        audio.reanswer(sdp(dtls()))


def test_nobody_reads_a_key_in_a_log() -> None:
    audio = talk()
    audio.take_offer(sdp(("RTP/SAVP", crypto(number=9)), session="a=sendrecv\n"))
    answered(audio)
    assert audio.remote is not None and isinstance(audio.remote.secure, Sdes)
    for shown in (audio.remote, audio.local, audio.remote.secure.ours):
        assert audio.remote.secure.ours.key not in repr(shown)
        assert key(9) not in repr(shown)
    assert audio.remote.direction is Direction.SENDRECV


@examples(300)
@given(st.text(max_size=80), st.sampled_from(["crypto", "fingerprint", "setup", "rtcp-mux"]), st.integers(0, 4))
def test_no_malformed_line_ends_anything(noise: str, name: str, which: int) -> None:
    proto = ("RTP/AVP", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")[which]
    for value in (noise, f"1 {CM} inline:{noise}", f"sha-256 {noise}"):
        for session in ("", f"a={name}:{value}\n"):
            try:
                audio = talk()
                audio.take_offer(sdp((proto, f"a={name}:{value}\n"), session=session))
                answered(audio)
            except BadBody as error:
                assert error.status in (400, 488)


@pytest.mark.parametrize("theirs", [True, False], ids=["they offered", "we offered"])
def test_another_process_goes_on_with_fresh_keys_and_knows_none_of_the_old_ones(theirs: bool) -> None:
    audio, heir = talk("require"), talk("require")
    if theirs:
        audio.take_offer(sdp(("RTP/SAVP", crypto(1, number=7))))
        answered(audio)
    else:
        audio.describe(LOCAL)
        audio.take_answer(sdp(("RTP/SAVP", crypto(1, GCM, number=7))))
    kept = {**audio.kept(), "ours": without_keys(audio.text), "theirs": without_keys(audio.heard)}
    assert audio.remote is not None and isinstance(audio.remote.secure, Sdes)
    before = audio.remote.secure
    assert before.ours.key not in str(kept) and before.theirs.key not in str(kept)
    heir.go_on(kept)
    assert heir.remote is not None and isinstance(heir.remote.secure, Sdes)
    fresh = heir.remote.secure.ours
    assert fresh.key not in (before.ours.key, before.theirs.key) and fresh.suite == before.ours.suite
    text = heir.offer_anew(replace(LOCAL, port=18_000, secure=heir.remote.secure))
    assert line_of(text, "a=crypto").endswith(fresh.key) and "RTP/SAVP" in text
    now = heir.take_answer(sdp(("RTP/SAVP", crypto(fresh.tag, fresh.suite, number=9))))
    assert isinstance(now.secure, Sdes) and now.secure.ours == fresh
    assert now.secure.theirs.key not in (before.theirs.key, "A" * len(before.theirs.key))


def handed_on(audio: OfferAnswer) -> OfferAnswer:
    """Another process's, from what is kept of ``audio``."""
    later = talk()
    later.go_on({**audio.kept(), "ours": without_keys(audio.text), "theirs": without_keys(audio.heard)})
    return later


def test_another_process_offers_the_same_keys() -> None:
    """Those that media goes on with: who takes no new key and who does both hear and are heard."""
    audio = talk()
    audio.take_offer(sdp(("RTP/SAVP", crypto())))
    answered(audio)
    assert audio.remote is not None
    agreed = audio.remote.secure
    assert isinstance(agreed, Sdes)
    later = handed_on(audio)
    assert later.remote is not None and later.remote.secure != agreed, "zeros stand for theirs"
    offer = later.offer_anew(replace(LOCAL, port=18_000, secure=agreed))
    assert line_of(offer, "a=crypto:").endswith(agreed.ours.key)
    for number in (1, 5):  # the key that it had, and another
        remote = later.take_answer(sdp(("RTP/SAVP", crypto(number=number))))
        assert isinstance(remote.secure, Sdes)
        assert (remote.secure.ours, remote.secure.theirs.key) == (agreed.ours, key(number))


@pytest.mark.parametrize("more", ["", "a=rtcp-mux\na=tls-id:abcdefghijklmnopqrstuvwx\n"])
def test_another_process_names_the_same_association(more: str) -> None:
    audio = talk()
    audio.take_offer(sdp(dtls(more=more)))
    told = answered(audio)
    later = handed_on(audio)
    local = replace(LOCAL, port=18_000, secure=Dtls(OURS, "passive", "mux" in more))
    offer = later.offer_anew(local)
    for line in ("a=fingerprint:", "a=setup:", *(["a=tls-id:", "a=rtcp-mux"] if more else [])):
        assert line_of(offer, line) == line_of(told, line)
    assert line_of(offer, "m=audio 18000") and ("tls-id" in offer) == bool(more)
    remote = later.take_answer(sdp(dtls("active", more=more)))
    assert remote.secure == Dtls(PRINT, "active", bool(more), tls_id="abcdefghijklmnopqrstuvwx" if more else "")


def test_another_association_has_another_name() -> None:
    audio = talk()
    audio.take_offer(sdp(dtls(more="a=tls-id:abcdefghijklmnopqrstuvwx\n")))
    first = line_of(answered(audio), "a=tls-id:")
    assert len(first) >= len("a=tls-id:") + 20
    same, _ = audio.reanswer(sdp(dtls(more="a=tls-id:abcdefghijklmnopqrstuvwx\n")))
    assert line_of(same, "a=tls-id:") == first
    other, _ = audio.reanswer(sdp(dtls(more="a=tls-id:ABCDEFGHIJKLMNOPQRSTUVWX\n")))
    assert line_of(other, "a=tls-id:") != first
    with_none, _ = audio.reanswer(sdp(dtls(more="a=tls-id:short\n")))
    assert "tls-id" not in with_none
