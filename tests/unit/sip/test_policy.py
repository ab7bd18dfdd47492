"""Who is admitted, what is logged, what digest credentials are worth; time is turned by hand."""

from __future__ import annotations

import pytest
import structlog.testing
from aiosipua import SipDigestAuth, build_credentials, parse_auth, stringify_auth
from pydantic import ValidationError

from ivr.config import Trunk
from ivr.limits.throttle import FREE_GUESSES, FREE_GUESSES_PROVEN, LAST_WAIT_S
from ivr.sip.certificates import Shown
from ivr.sip.digest import NONCE_LIFE_S, DigestClient
from ivr.sip.message import Peer, SipRequest, SipResponse
from ivr.sip.network import Standing
from ivr.sip.policy import TrunkPolicy
from tests.unit.sip.messages import parsed_request, parsed_response, request, response


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def trunk(name: str, **settings: object) -> Trunk:
    return Trunk.model_validate({"name": name, **settings})


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def roaming(monkeypatch: pytest.MonkeyPatch) -> Trunk:
    monkeypatch.setenv("ROAMING", "open sesame")
    return trunk("roaming", inbound_auth=True, username="ann", password="env:ROAMING", realm="line")


def status_of(verdict: str | SipResponse) -> int:
    assert isinstance(verdict, SipResponse)
    return verdict.status_code


def with_credentials(
    refusal: SipResponse,
    which: int = 0,
    *,
    user: str = "ann",
    password: str = "open sesame",
    count: int = 1,
    to: str = "sip:ivr@127.0.0.1",
    over: str = "",
) -> SipRequest:
    """An INVITE of ``to`` with a digest made over ``over`` (the same, unless it is said)."""
    challenge = parse_auth(refusal.headers.get("www-authenticate")[which])
    again = parsed_request(request("INVITE", uri=to))
    account = SipDigestAuth(user, password)
    credentials = build_credentials(account, challenge, "INVITE", over or again.uri, nonce_count=count)
    assert credentials is not None
    again.headers.set("Authorization", stringify_auth(credentials))
    return again


def test_addresses(clock: Hand) -> None:
    b = trunk("b", allow=["198.51.100.1", "::1", "fe80::/64", "::ffff:203.0.113.0/120"])
    policy = TrunkPolicy([trunk("a", allow=["192.0.2.0/28"]), b], clock)
    invite = parsed_request(request("INVITE"))
    for source, name in (
        ("192.0.2.15", "a"),
        ("::ffff:192.0.2.1", "a"),
        ("198.51.100.1", "b"),
        ("::1", "b"),
        ("fe80::1%eth0", "b"),
        ("203.0.113.9", "b"),
    ):
        assert policy.judge(invite, source) == name
    for source in ("192.0.2.16", "198.51.100.2", "::2", "not an address"):
        assert status_of(policy.judge(invite, source)) == 403


def test_a_registrar_may_call_where_its_trunk_lists_nobody(clock: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    registering = {"register": "sip:pbx.example", "username": "u", "password": "env:X"}
    policy = TrunkPolicy([trunk("pbx", **registering), trunk("strict", allow=["192.0.2.1"], **registering)], clock)
    for name, host in (("pbx", "192.0.2.50"), ("strict", "192.0.2.60")):
        policy.learn(name, host)
    invite = parsed_request(request("INVITE"))
    assert policy.judge(invite, "192.0.2.50") == "pbx"
    assert status_of(policy.judge(invite, "192.0.2.60")) == 403


def test_a_reload_admits_new_trunks_refuses_old_ones_and_keeps_what_was_learnt(
    clock: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBX_PASSWORD", "x")
    registrar = trunk("pbx", register="sip:192.0.2.9", username="ivr", password="env:PBX_PASSWORD")
    policy = TrunkPolicy([trunk("a", allow=["192.0.2.1"]), registrar], clock)
    policy.learn("pbx", "192.0.2.9")
    invite = parsed_request(request("INVITE"))
    policy.apply([trunk("b", allow=["192.0.2.2"]), registrar])
    assert policy.judge(invite, "192.0.2.2") == "b"
    assert policy.judge(invite, "192.0.2.9") == "pbx", "learnt before"
    assert status_of(policy.judge(invite, "192.0.2.1")) == 403


def test_a_challenge_outlives_a_reload(clock: Hand, roaming: Trunk) -> None:
    policy = TrunkPolicy([roaming], clock)
    refusal = policy.judge(parsed_request(request("INVITE")), "192.0.2.77")
    assert isinstance(refusal, SipResponse)
    policy.apply([trunk("a", allow=["192.0.2.1"]), roaming])
    assert policy.judge(with_credentials(refusal), "192.0.2.77") == "roaming"


@pytest.mark.parametrize("which", [0, 1])
def test_digest(clock: Hand, roaming: Trunk, which: int) -> None:
    policy = TrunkPolicy([roaming], clock)
    first = policy.judge(parsed_request(request("INVITE")), "198.51.100.7")
    assert isinstance(first, SipResponse)
    assert first.status_code == 401
    right = with_credentials(first, which)
    assert policy.judge(right, "198.51.100.7") == "roaming"
    assert status_of(policy.judge(right, "198.51.100.7")) == 401, "a replay"
    assert policy.judge(with_credentials(first, which, count=2), "198.51.100.7") == "roaming"
    assert status_of(policy.judge(with_credentials(first, which, count=3), "198.51.100.8")) == 401
    clock.now += NONCE_LIFE_S + 1
    late = policy.judge(with_credentials(first, which, count=4), "198.51.100.7")
    assert isinstance(late, SipResponse)
    assert all("stale=true" in value for value in late.headers.get("www-authenticate"))


def test_wrong_credentials_are_forbidden_and_noted(clock: Hand, roaming: Trunk) -> None:
    policy = TrunkPolicy([roaming], clock)
    first = policy.judge(parsed_request(request("INVITE")), "198.51.100.7")
    assert isinstance(first, SipResponse)
    with structlog.testing.capture_logs() as logs:
        for wrong in ({"password": "guess"}, {"user": "eve"}):
            assert status_of(policy.judge(with_credentials(first, **wrong), "198.51.100.7")) == 403  # type: ignore[arg-type]
    assert [entry["reason"] for entry in logs] == ["wrong credentials"]


def test_credentials_for_another_method_are_worthless(clock: Hand, roaming: Trunk) -> None:
    policy = TrunkPolicy([roaming], clock)
    first = policy.judge(parsed_request(request("INVITE")), "198.51.100.7")
    assert isinstance(first, SipResponse)
    stolen = parsed_request(request("OPTIONS"))
    stolen.headers.set("Authorization", with_credentials(first).headers.get("authorization")[0])
    assert status_of(policy.judge(stolen, "198.51.100.7")) == 403


@pytest.mark.parametrize(
    ("over", "taken"),
    [
        ("sip:ivr@line.example", True),
        ("sip:ivr@LINE.example:5060", True),
        ("SIP:%69vr@line.example", True),
        ("sip:ivr@line.example;transport=tcp", True),
        ("sip:IVR@line.example", False),
        ("sip:other@line.example", False),
        ("sip:line.example", False),
        ("sip:ivr@evil.example", False),
        ("sip:ivr@line.example:5062", False),
        ("sips:ivr@line.example", False),
        ("sip:ivr@line.example;user=phone", False),
        ("tel:ivr", False),
        ("nonsense", False),
        ("*", False),
    ],
)
def test_a_digest_serves_the_uri_that_it_was_made_over(clock: Hand, roaming: Trunk, over: str, taken: bool) -> None:
    policy = TrunkPolicy([roaming], clock)
    first = policy.judge(parsed_request(request("INVITE")), "198.51.100.7")
    assert isinstance(first, SipResponse)
    verdict = policy.judge(with_credentials(first, to="sip:ivr@line.example", over=over), "198.51.100.7")
    assert verdict == "roaming" if taken else status_of(verdict) == 403


def test_guessing_passwords_takes_longer_and_longer(
    clock: Hand, roaming: Trunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 guesses in 100 s: a handful are looked at. Nobody else waits for them."""
    monkeypatch.setenv("OTHER", "sesame")
    other = trunk("other", inbound_auth=True, username="bob", password="env:OTHER", realm="line")
    policy = TrunkPolicy([roaming, other], clock)

    def challenged(source: str) -> SipResponse:
        first = policy.judge(parsed_request(request("INVITE")), source)
        assert isinstance(first, SipResponse)
        return first

    first, looked_at = challenged("198.51.100.7"), 0
    for number in range(1000):
        refused = policy.judge(with_credentials(first, password=f"guess {number}", count=number + 1), "198.51.100.7")
        assert isinstance(refused, SipResponse)
        assert refused.status_code == 403
        looked_at += not refused.headers.first("retry-after")
        clock.now += 0.1
    assert FREE_GUESSES < looked_at < FREE_GUESSES + 8
    assert status_of(policy.judge(with_credentials(first, count=20_000), "198.51.100.7")) == 403
    mine = with_credentials(challenged("198.51.100.7"), user="bob", password="sesame")
    assert policy.judge(mine, "198.51.100.7") == "other", "another account behind the same address"
    assert policy.judge(with_credentials(challenged("198.51.100.8")), "198.51.100.8") == "roaming"
    clock.now += LAST_WAIT_S
    assert policy.judge(with_credentials(challenged("198.51.100.7")), "198.51.100.7") == "roaming"
    for number in range(FREE_GUESSES_PROVEN - FREE_GUESSES - 8):
        policy.judge(with_credentials(challenged("198.51.100.7"), password=f"again {number}"), "198.51.100.7")
    assert policy.judge(with_credentials(challenged("198.51.100.7")), "198.51.100.7") == "roaming", "it was right once"


def test_who_may_connect(clock: Hand, roaming: Trunk) -> None:
    listed = trunk("listed", allow=["192.0.2.0/28"])
    assert TrunkPolicy([listed], clock).standing("192.0.2.1") is Standing.KNOWN
    assert TrunkPolicy([listed], clock).standing("198.51.100.7") is Standing.REFUSED
    assert TrunkPolicy([listed, roaming], clock).standing("198.51.100.7") is Standing.UNPROVEN


def test_listed_addresses_are_challenged_and_others_not_even_that(clock: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROAMING", "open sesame")
    both = trunk("both", allow=["192.0.2.1"], inbound_auth=True, username="ann", password="env:ROAMING")
    policy = TrunkPolicy([both], clock)
    invite = parsed_request(request("INVITE"))
    assert status_of(policy.judge(invite, "192.0.2.1")) == 401
    assert status_of(policy.judge(invite, "192.0.2.2")) == 403


def test_a_missing_password_of_ours_is_not_the_callers_fault(clock: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROAMING", "open sesame")
    policy = TrunkPolicy([trunk("r", inbound_auth=True, username="ann", password="env:ROAMING", realm="line")], clock)
    first = policy.judge(parsed_request(request("INVITE")), "198.51.100.7")
    assert isinstance(first, SipResponse)
    monkeypatch.delenv("ROAMING")
    assert status_of(policy.judge(with_credentials(first), "198.51.100.7")) == 503


def test_secrets_stay_out_of_the_configuration() -> None:
    with pytest.raises(ValidationError, match="env:NAME"):
        trunk("r", inbound_auth=True, username="ann", password="plain")


# --- the other direction -----------------------------------------------------------------------------------


def challenge_to(sent: SipRequest, *values: str) -> SipResponse:
    extra = "".join(f"WWW-Authenticate: Digest {value}\n" for value in values)
    return parsed_response(response(sent, 401, extra=extra, contact=False))


def test_the_strongest_challenge_is_answered_and_counted() -> None:
    client = DigestClient("ivr", lambda: "s3cret")
    sent = parsed_request(request("REGISTER"))
    offer = 'realm="pbx", nonce="n1", qop="auth"'
    assert client.learn(challenge_to(sent, offer + ", algorithm=MD5", offer + ", algorithm=SHA-256"), sent, "pbx")
    for count in ("00000001", "00000002"):
        again = parsed_request(request("REGISTER"))
        client.authorise(again, "pbx")
        value = again.headers.get("authorization")[0]
        assert "algorithm=SHA-256" in value
        assert f"nc={count}" in value
    other = parsed_request(request("REGISTER"))
    client.authorise(other, "elsewhere")
    assert other.headers.get("authorization") == [], "credentials go only to who asked for them"


def test_pointless_challenges() -> None:
    client = DigestClient("ivr", lambda: "s3cret", realm="pbx")
    sent = parsed_request(request("REGISTER"))
    for value in (
        'realm="other", nonce="n"',
        'realm="pbx", nonce="n", algorithm=SHA-512',
        'realm="pbx", nonce="n", qop="auth-int"',
    ):
        assert not client.learn(challenge_to(sent, value), sent, "pbx")
    offer = 'realm="pbx", nonce="n1", qop="auth"'
    assert client.learn(challenge_to(sent, offer), sent, "pbx")
    client.authorise(sent, "pbx")
    assert not client.learn(challenge_to(sent, offer), sent, "pbx"), "the same nonce: the password is wrong"
    assert client.learn(challenge_to(sent, offer + ", stale=true"), sent, "pbx")


# --- certificates ---

SECURE = {"transport": "tls"}
PIN = "ab" * 32


def shown(*names: str, pin: str = "cd" * 32, trusted: bool = True) -> Shown:
    return Shown(frozenset(names), pin, trusted)


def test_a_certificate_tells_before_an_address_does(clock: Hand) -> None:
    policy = TrunkPolicy(
        [
            trunk("inside", allow=["192.0.2.0/24"]),
            trunk("named", tls_names=["sip:pbx.example.com"], **SECURE),
            trunk("pinned", tls_pin=PIN, **SECURE),
        ],
        clock,
    )
    invite = parsed_request(request("INVITE"))
    assert policy.judge(invite, "192.0.2.1", shown("pbx.example.com")) == "named"
    assert policy.judge(invite, "198.51.100.1", shown("pbx.example.com")) == "named"
    assert policy.judge(invite, "198.51.100.1", shown("x", pin=PIN, trusted=False)) == "pinned"
    assert policy.judge(invite, "192.0.2.1", shown("other.example")) == "inside"
    assert policy.judge(invite, "192.0.2.1") == "inside"
    for unknown in (shown("other.example"), shown("pbx.example.com", trusted=False), Shown(), None):
        assert status_of(policy.judge(invite, "198.51.100.1", unknown)) == 403


def test_why_nobody_is_known_is_said(clock: Hand) -> None:
    policy = TrunkPolicy(
        [
            trunk("named", tls_names=["pbx.example.com"], allow=["192.0.2.1"], **SECURE),
            trunk("listed", allow=["192.0.2.2"], **SECURE),
        ],
        clock,
    )
    invite = parsed_request(request("INVITE"))
    reasons = []
    with structlog.testing.capture_logs() as logs:
        for number, (source, seen) in enumerate(
            [
                ("192.0.2.1", Shown()),
                ("192.0.2.1", shown("other.example")),
                ("192.0.2.2", None),
                ("198.51.100.1", shown("pbx.example.com")),
                ("198.51.100.2", shown("other.example")),
                ("198.51.100.3", None),
            ]
        ):
            clock.now += 100.0 * number  # one line a source and minute
            assert status_of(policy.judge(invite, source, seen)) == 403
        reasons = [entry["reason"] for entry in logs]
    assert reasons == [
        "without the certificate of named",
        "not the certificate of named",
        "listed comes by TLS only",
        "the certificate of named from another address",
        "its certificate names no trunk",
        "unknown source",
    ]
    assert policy.judge(invite, "192.0.2.2", Shown()) == "listed"


def test_whom_a_connection_of_ours_must_reach(clock: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    registering = {"register": "sip:pbx.example", "username": "u", "password": "env:X"}
    policy = TrunkPolicy(
        [
            trunk("listed", allow=["192.0.2.1"], tls_names=["sip:a.example"], **SECURE),
            trunk("gated", gateway="sip:gw.example:5061", tls_pin=PIN, **SECURE),
            trunk("registering", **registering, **SECURE),
            trunk("roams", tls_names=["sip:r.example"], **SECURE),
        ],
        clock,
    )

    def expected(host: str, name: str = "") -> tuple[set[str], set[str]]:
        found = policy.expected(Peer("tls", host, 5061, name))
        return set(found.names), set(found.pins)

    assert expected("192.0.2.1", "192.0.2.1") == ({"a.example"}, set())
    assert expected("192.0.2.9", "gw.example") == (set(), {PIN})
    assert expected("192.0.2.9", "PBX.example") == ({"pbx.example"}, set()), "the domain that was asked for"
    assert expected("198.51.100.7", "198.51.100.7") == ({"198.51.100.7"}, set())
    assert policy.judge(parsed_request(request("INVITE")), "198.51.100.7", shown("r.example")) == "roams"
    assert expected("198.51.100.7", "198.51.100.7") == ({"198.51.100.7", "r.example"}, set()), "it called from there"


def test_who_may_begin_a_handshake(clock: Hand) -> None:
    listed = trunk("listed", allow=["192.0.2.1"], tls_names=["a.example"], **SECURE)
    roams = trunk("roams", tls_names=["r.example"], **SECURE)
    assert TrunkPolicy([listed], clock).standing("198.51.100.1", secure=True) is Standing.REFUSED
    policy = TrunkPolicy([listed, roams], clock)
    assert policy.standing("198.51.100.1", secure=True) is Standing.UNPROVEN
    assert policy.standing("198.51.100.1") is Standing.REFUSED, "without TLS nobody can show one"
    assert policy.standing("192.0.2.1", secure=True) is Standing.KNOWN
