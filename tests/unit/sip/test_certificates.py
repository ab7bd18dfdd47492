"""Whom a certificate speaks for (RFC 5922), and what is wrong with our own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from ivr.config import TlsConfig
from ivr.errors import ConfigError
from ivr.sip.certificates import SIP_DOMAIN, Pair, identities, usable
from tests.certificates import Authority, Credentials


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize(
    ("names", "common", "domains"),
    [
        (["pbx.example.com"], "other.example", {"pbx.example.com"}),
        (["PBX.Example.COM", "192.0.2.1", "2001:db8::1"], "", {"pbx.example.com", "192.0.2.1", "2001:db8::1"}),
        (["sip:pbx.example.com", "www.example.com"], "", {"pbx.example.com"}),
        (["sip:pbx.example.com:5061;transport=tls", "www.example.com"], "", {"pbx.example.com"}),
        (["sip:alice@example.com", "www.example.com"], "", {"www.example.com"}),
        (["sips:pbx.example.com", "www.example.com"], "", {"www.example.com"}),
        (["https://pbx.example.com"], "pbx.example.com", set()),
        (["*.example.com", "a.example.com"], "", {"a.example.com"}),
        (["sip:*.example.com", "www.example.com"], "", {"www.example.com"}),
        ([], "pbx.example.com", {"pbx.example.com"}),
        ([], "*.example.com", set()),
        ([], "Some PBX", set()),
    ],
)
def test_identities(authority: Authority, names: list[str], common: str, domains: set[str]) -> None:
    assert identities(authority.signs("leaf", *names, common=common).certificate) == domains


@pytest.mark.parametrize(
    ("usage", "good"),
    [
        ([], True),
        ([ExtendedKeyUsageOID.SERVER_AUTH], True),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], True),
        ([SIP_DOMAIN], True),
        ([ExtendedKeyUsageOID.CODE_SIGNING], False),
    ],
)
def test_what_signs_programs_speaks_for_no_domain(
    authority: Authority, usage: list[ObjectIdentifier], good: bool
) -> None:
    assert usable(authority.signs("used", "a.example", usage=usage).certificate) is good


def config(own: Credentials, **instead: object) -> TlsConfig:
    return TlsConfig.model_validate({"certificate": own.pem, "key": own.key_pem, **instead})


def test_a_pair_that_fits_is_read(authority: Authority) -> None:
    own = authority.signs("line", "line.example.com", "sip:line.example.com", days=90)
    pair = Pair.read(config(own, ca=authority.pem, client_ca=authority.pem))
    assert pair.own.names == ("line.example.com",)
    assert pair.own.ends == own.certificate.not_valid_after_utc and pair.own.pin == own.pin


Change = Callable[[Authority, Credentials], dict[str, object]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda ca, own: {"certificate": "/nowhere/line.pem"}, ["certificate: /nowhere/line.pem: No such file"]),
        (lambda ca, own: {"key": "/nowhere/line.key"}, ["key: /nowhere/line.key: No such file"]),
        (lambda ca, own: {"key": ca.folder}, ["key: ", "Is a directory"]),
        (lambda ca, own: {"key": ca.own.key_pem}, ["is not the key of"]),
        (lambda ca, own: {"certificate": own.key_pem}, ["holds no certificate in PEM"]),
        (lambda ca, own: {"key": own.pem}, ["holds no private key in PEM"]),
        (lambda ca, own: {"ca": own.key_pem, "client_ca": "/no"}, ["tls.ca: ", "tls.client_ca: /no: No such file"]),
        (
            lambda ca, own: {"certificate": ca.signs("old", "a.example", days=-1).pem, "key": ca.own.key_pem},
            ["expired on ", "is not the key of"],
        ),
        (
            lambda ca, own: {"certificate": ca.signs("new", "a.example", began=timedelta(days=2)).pem},
            ["is valid only from "],
        ),
        (lambda ca, own: {"certificate": ca.signs("none", common="Some PBX").pem}, ["names no domain"]),
    ],
)
def test_all_that_is_wrong_is_said_at_once(authority: Authority, change: Change, says: list[str]) -> None:
    own = authority.signs("line", "line.example.com")
    with pytest.raises(ConfigError) as caught:
        Pair.read(config(own, **change(authority, own)))
    for words in says:
        assert words in str(caught.value)
