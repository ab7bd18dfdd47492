"""SDP text to media descriptions and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.description import G722, PCMA, PCMU, Codec, Direction, MediaDescription
from ivr.sip.message import BadBody
from ivr.sip.sdp import OfferAnswer, follow, parse
from tests.unit.sip.messages import OFFER

KNOWN = ("PCMU", "PCMA", "G722")
LOCAL = MediaDescription("192.0.2.1", 17_000, (PCMA,), 101)


def test_an_offer() -> None:
    audio = parse(OFFER, KNOWN).audio
    assert audio == MediaDescription("192.0.2.9", 40_000, (PCMA, PCMU), 101, Direction.SENDRECV, 20)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("a=sendrecv", "a=inactive", lambda a: a.direction is Direction.INACTIVE),
        ("t=0 0", "t=0 0\na=sendonly", lambda a: a.direction is Direction.SENDRECV),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0", lambda a: a.direction is Direction.SENDONLY),
        ("c=IN IP4 192.0.2.9", "c=IN IP6 2001:db8::9", lambda a: a.host == "2001:db8::9"),
        ("a=sendrecv", "c=IN IP4 192.0.2.10\na=ptime:30", lambda a: (a.host, a.ptime_ms) == ("192.0.2.10", 30)),
        ("101 telephone-event/8000", "101 telephone-event/48000", lambda a: a.dtmf_payload_type is None),
        (" 8 0 101", " 9 97 101\na=rtpmap:97 pcma/8000", lambda a: a.codecs == (G722, Codec("PCMA", 97))),
        ("m=audio", "m=audio 1 RTP/SAVP 0\nm=audio", lambda a: a.port == 40_000),
        ("m=audio", "m=audio 0 RTP/AVP 0\nm=video 9 RTP/AVP 96\nm=audio", lambda a: a.port == 40_000),
        ("m=audio 40000", "m=audio 40000/1", lambda a: a.port == 40_000),
        ("m=audio 40000", "m=audio 40000/2", lambda a: a.port == 40_000),
        ("m=audio", "m=video 5000/2 RTP/AVP 96\nm=audio", lambda a: a.port == 40_000),
        ("RTP/AVP", "RTP/AVPF", lambda a: a.codecs == (PCMA, PCMU)),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 media-1.far.example", lambda a: a.host == "media-1.far.example"),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 pbx.", lambda a: a.host == "pbx."),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 192.0.2.9/127", lambda a: a.host == "192.0.2.9"),
        ("c=IN IP4 192.0.2.9", "c=IN IP6 ::", lambda a: a.direction is Direction.SENDONLY),
        ("a=sendrecv", "a=ptime:10", lambda a: a.ptime_ms == 10),
        ("a=sendrecv", "a=ptime: 40 \na=maxptime:60", lambda a: a.ptime_ms == 40),
        ("a=sendrecv", "a=ptime:60", lambda a: a.ptime_ms == 60),
        ("a=sendrecv", "a=ptime:20.5", lambda a: a.ptime_ms == 20),
        (
            "a=sendrecv",
            "a=rtpmap:x PCMU/8000\na=rtpmap:97 new\na=fmtp:y 1\na=rtcp-fb:* nack",
            lambda a: a.port == 40_000,
        ),
        ("t=0 0", "b=TIAS:64.5\nt=now later\nk=prompt\na=group:BUNDLE x\na=ice-lite", lambda a: a.port == 40_000),
        ("a=sendrecv", "a=rtpmap:8  PCMA/8000/1 ", lambda a: a.codecs == (PCMA, PCMU)),
        (" 8 0 101", " 0 9 13", lambda a: a.codecs == (PCMU, G722)),
        (" 8 0 101", " 97 101\na=rtpmap:97 G722/16000", lambda a: a.codecs == (Codec("G722", 97),)),
    ],
)
def test_variations(old: str, new: str, check: object) -> None:
    assert callable(check)
    assert old in OFFER
    assert check(parse(OFFER.replace(old, new), KNOWN).audio)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("RTP/AVP", "RTP/SAVP", 488),
        ("RTP/AVP", "UDP/TLS/RTP/SAVPF", 488),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 999.1.2.3", 488),
        ("c=IN IP4 192.0.2.9\n", "", 488),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 ", 488),
        ("c=IN IP4 192.0.2.9", "c=", 488),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 -far.example", 488),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 far..example", 488),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 192.0.2", 488),
        ("c=IN IP4 192.0.2.9", "c=IN IP4 224.0.0.1", 488),
        ("40000", "0", 488),
        ("40000", "70000", 488),
        ("40000", "many", 400),
        (" 8 0 101", " 18 101", 488),
        ("m=audio", "m=video", 488),
        ("v=0", "hello", 488),
        (OFFER, "v=0", 400),
        (OFFER, "v=0\n" + "a=x\n" * 9000, 400),
    ],
)
def test_unusable_offers(old: str, new: str, status: int) -> None:
    with pytest.raises(BadBody) as caught:
        parse(OFFER.replace(old, new), KNOWN)
    assert caught.value.status == status


@given(st.text(alphabet="vocmsta=: /0123456789.INPaudioRTPVtelnx\n-", max_size=300))
def test_nothing_else_escapes(noise: str) -> None:
    for text in (noise, OFFER + noise, "v=0\nm=audio 1 RTP/AVP 0\n" + noise):
        try:
            parse(text, KNOWN)
        except BadBody:
            continue


def test_an_answer_has_every_stream_of_the_offer() -> None:
    offer = OFFER.replace("m=audio", "m=video 9 RTP/AVP 96\nm=audio") + "m=image 7 udptl t38\n"
    audio = OfferAnswer(KNOWN, lambda version, far: "", translate=False)
    audio.take_offer(offer)
    text = audio.describe(LOCAL)
    lines = [line for line in text.splitlines() if line.startswith("m=")]
    assert lines == ["m=video 0 RTP/AVP 96", "m=audio 17000 RTP/AVP 8 101", "m=image 0 udptl t38"]
    assert parse(text, KNOWN).audio == LOCAL


@pytest.mark.parametrize("proto", ["RTP/AVP", "RTP/AVPF"])
def test_an_answer_speaks_the_profile_of_the_offer(proto: str) -> None:
    audio = OfferAnswer(KNOWN, lambda version, far: "", translate=False)
    audio.take_offer(OFFER.replace("RTP/AVP", proto).replace("40000", "40000/1"))
    for text in (audio.describe(LOCAL), audio.reanswer(OFFER.replace("RTP/AVP", proto))[0], audio.offer_again()):
        assert f"m=audio 17000 {proto} 8 101\r\n" in text


def test_a_description_says_where_its_sip_came_from() -> None:
    audio = OfferAnswer(KNOWN, lambda version, far: "", False, "198.51.100.7")
    audio.take_offer(OFFER)
    audio.describe(LOCAL)
    assert audio.remote is not None and audio.remote.sip_host == "198.51.100.7"
    _, changed = audio.reanswer(OFFER, "198.51.100.8")
    assert changed is not None and changed.sip_host == "198.51.100.8"
    assert audio.reanswer(OFFER, "198.51.100.8")[1] is None


def test_the_version_rises_only_with_a_change() -> None:
    session = OfferAnswer(KNOWN, lambda version, far: "", translate=False)
    first, same = session.describe(LOCAL), session.describe(LOCAL)
    held = session.describe(MediaDescription("192.0.2.1", 17_000, (PCMA,), 101, Direction.INACTIVE))
    assert first == same
    old, new = (text.splitlines()[1].split() for text in (first, held))
    assert (old[1], int(old[2]) + 1) == (new[1], int(new[2]))


def test_ipv6_is_written_as_such() -> None:
    local = MediaDescription("2001:db8::1", 17_000, (PCMU,), None)
    text = OfferAnswer(KNOWN, lambda version, far: "", translate=False, version=6).describe(local)
    assert "c=IN IP6 2001:db8::1\r\n" in text
    assert "telephone-event" not in text


def test_following_keeps_the_codec_in_use() -> None:
    offer = parse(OFFER, KNOWN).audio
    assert follow(LOCAL, offer, KNOWN).codecs == (PCMA,)
    only_u = parse(OFFER.replace(" 8 0 101", " 0"), KNOWN).audio
    followed = follow(LOCAL, only_u, KNOWN)
    assert (followed.codecs, followed.dtmf_payload_type) == ((PCMU,), None)


def test_a_wildcard_or_hidden_address_is_replaced() -> None:
    for local, translate in ((MediaDescription("0.0.0.0", 1000, (PCMU,)), False), (LOCAL, True)):
        audio = OfferAnswer(KNOWN, lambda version, far: "198.51.100.1", translate)
        assert "c=IN IP4 198.51.100.1\r\n" in audio.describe(local)


def test_a_refused_reoffer_changes_nothing() -> None:
    audio = OfferAnswer(KNOWN, lambda version, far: "", translate=False)
    audio.take_offer(OFFER)
    before = audio.describe(LOCAL)
    with pytest.raises(BadBody):
        audio.reanswer(OFFER.replace(" 8 0 101", " 18"))
    assert audio.reanswer(OFFER) == (before, None)


SIX = OFFER.replace("IN IP4 192.0.2.9", "IN IP6 2001:db8::9")
OURS = {4: "192.0.2.1", 6: "2001:db8::1"}


def of_version(version: int, sip_host: str = "") -> OfferAnswer:
    return OfferAnswer(KNOWN, lambda wanted, far: OURS[wanted], False, sip_host, version=version)


def test_an_offer_is_of_the_ip_version_of_whom_it_is_for() -> None:
    assert "c=IN IP6 2001:db8::1\r\n" in of_version(6).describe(LOCAL)
    assert " IN IP6 2001:db8::1\r\ns=" in of_version(6).describe(LOCAL), "o=, too"
    assert "c=IN IP4 192.0.2.1\r\n" in of_version(4).describe(LOCAL)


def test_an_answer_is_of_the_version_that_media_met_the_offer_with() -> None:
    audio = of_version(4)  # SIP by IPv4, audio by IPv6
    audio.take_offer(SIX)
    assert "c=IN IP6 2001:db8::1\r\n" in audio.describe(MediaDescription("::", 17_000, (PCMA,), 101))


def test_the_version_of_a_calls_audio_stays() -> None:
    audio = of_version(6)
    audio.take_offer(SIX)
    before = audio.describe(MediaDescription("2001:db8::1", 17_000, (PCMA,), 101))
    with pytest.raises(BadBody, match="audio is IPv6") as caught:
        audio.reanswer(OFFER)
    assert caught.value.status == 488
    text, held = audio.reanswer(OFFER.replace("192.0.2.9", "0.0.0.0"))
    assert held is not None and held.direction is Direction.SENDONLY, "a hold of RFC 2543 names no version"
    assert "c=IN IP6 2001:db8::1\r\n" in text
    assert audio.reanswer(SIX)[0].splitlines()[4:] == before.splitlines()[4:]
    offering = of_version(4)
    offering.describe(LOCAL)
    with pytest.raises(BadBody, match="audio is IPv4"):
        offering.take_answer(SIX)


def test_link_local_audio_is_on_the_link_that_its_sip_came_by() -> None:
    audio = of_version(6, "fe80::9%4")
    audio.take_offer(SIX.replace("2001:db8::9", "fe80::9"))
    assert audio.remote is not None and audio.remote.host == "fe80::9%4"
    audio.take_offer(SIX)
    assert audio.remote.host == "2001:db8::9"
