"""Revocation lists: what they name, whose are believed, and that an old one goes on counting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ivr.config import TlsConfig
from ivr.sip.certificates import Expected
from ivr.sip.revocation import Revocations
from ivr.sip.tls import TlsContexts, TlsFailed
from tests.certificates import Authority
from tests.unit.sip.test_tls import joined


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def read(file: Path, *authorities: Authority) -> tuple[Revocations, list[str]]:
    faults: list[str] = []
    return Revocations.read(file, [each.own.certificate for each in authorities], faults), faults


def test_pem_one_after_the_other_and_der(authority: Authority, tmp_path: Path) -> None:
    other, gone, good = Authority(tmp_path / "other", "other"), authority.signs("gone"), authority.signs("good")
    both = tmp_path / "both.crl"
    both.write_bytes(authority.revokes(gone).read_bytes() + other.revokes(days=3.0).read_bytes())
    lists, faults = read(both, authority, other)
    assert not faults and lists.name(gone.certificate) and not lists.name(good.certificate) and lists.count == 1
    assert lists.ends == min(each.next_update_utc for each in lists.lists if each.next_update_utc is not None)
    both.write_bytes(lists.lists[0].public_bytes(Encoding.DER))
    der, faults = read(both, authority)
    assert not faults and der.name(gone.certificate)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (lambda file, theirs: None, "No such file"),
        (lambda file, theirs: file.write_bytes(b"nonsense"), "holds no revocation list"),
        (
            lambda file, theirs: file.write_bytes(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
            "holds no",
        ),
        (lambda file, theirs: file.write_bytes(theirs.revokes().read_bytes()), "is signed by nobody in sip.tls.ca"),
    ],
)
def test_each_fault_is_told(
    authority: Authority, tmp_path: Path, written: Callable[[Path, Authority], object], says: str
) -> None:
    written(tmp_path / "x.crl", Authority(tmp_path / "theirs", "authority"))  # of the same name, with another key
    _, (fault,) = read(tmp_path / "x.crl", authority)
    assert fault.startswith(f"sip.tls.crl: {tmp_path / 'x.crl'}") and says in fault


def test_a_list_in_parts_is_refused(authority: Authority, tmp_path: Path) -> None:
    whole, _ = read(authority.revokes(), authority)
    builder = x509.CertificateRevocationListBuilder().issuer_name(whole.lists[0].issuer)
    builder = builder.last_update(whole.lists[0].last_update_utc).add_extension(x509.DeltaCRLIndicator(1), True)
    builder = builder.next_update(whole.lists[0].last_update_utc)
    (tmp_path / "delta.crl").write_bytes(builder.sign(authority.own.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    _, (fault,) = read(tmp_path / "delta.crl", authority)
    assert "put in the whole one" in fault


@pytest.mark.parametrize("days", [30.0, -1.0])
def test_who_is_revoked_is_refused_both_ways_also_by_a_list_that_is_past_its_end(
    authority: Authority, days: float
) -> None:
    own, pbx = authority.signs("line", "line.example.com"), authority.signs("pbx", "pbx.example.com")
    keys = {"ca": authority.pem, "client_ca": authority.pem}
    theirs = TlsContexts(TlsConfig.model_validate({"certificate": pbx.pem, "key": pbx.key_pem, **keys}))
    expected, us = Expected(frozenset({"pbx.example.com"})), Expected(frozenset({"line.example.com"}))
    for revoked in ((), (pbx,)):
        crl = authority.revokes(*revoked, days=days)
        ours = TlsContexts(TlsConfig.model_validate({"certificate": own.pem, "key": own.key_pem, "crl": crl, **keys}))
        for here, there in (
            (ours.arriving(), theirs.leaving("line.example.com", us)),
            (ours.leaving("pbx.example.com", expected), theirs.arriving()),
        ):
            if revoked:
                with pytest.raises(TlsFailed, match="revoked"):
                    joined(here, there)
            else:
                joined(here, there)


def test_a_pin_does_not_outweigh_that_its_authority_took_it_back(authority: Authority) -> None:
    own, pbx = authority.signs("line", "line.example.com"), authority.signs("pbx", "pbx.example.com")
    keys = {"certificate": own.pem, "key": own.key_pem, "client_ca": authority.pem, "crl": authority.revokes(pbx)}
    ours = TlsContexts(TlsConfig.model_validate(keys), lambda: frozenset({pbx.pin}))
    theirs = {"certificate": pbx.pem, "key": pbx.key_pem, "ca": authority.pem}
    there = TlsContexts(TlsConfig.model_validate(theirs)).leaving("x", Expected(frozenset({"line.example.com"})))
    with pytest.raises(TlsFailed, match="revoked"):
        joined(ours.arriving(), there)
