"""`ivr doctor` on SIP over TLS: our certificate's end, and what a trunk's server shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from ivr.cli.certificate_findings import SUBJECT, certificate_findings
from ivr.cli.finding import Finding
from ivr.config import SipConfig
from tests.certificates import Authority, Credentials, self_signed
from tests.wire.sip.tls_peer import TlsServer, server_context

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


async def found(own: Credentials, now: datetime = NOW, tls: Any = None, **settings: Any) -> list[Finding]:
    own.key_pem.chmod(0o600)
    keys = {"certificate": own.pem, "key": own.key_pem, **(tls or {})}
    config = SipConfig.model_validate({"transports": ["udp", "tls"], "tls": keys, **settings})
    return await certificate_findings(config, now)


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [(31.0, "ok", "30 days"), (29.0, "note", "ends soon"), (6.0, "bad", "ends soon"), (-1.0, "bad", "expired on")],
)
async def test_how_long_it_lasts(authority: Authority, days: float, state: str, says: str) -> None:
    (finding,) = await found(authority.signs("line", "line.example.com", days=days), datetime.now(UTC))
    assert (finding.subject, finding.state) == (SUBJECT, state) and says in finding.detail


async def test_a_line_without_tls_is_told_nothing() -> None:
    assert await certificate_findings(SipConfig()) == []


async def test_files_that_are_not_there_are_each_a_finding(authority: Authority) -> None:
    own = authority.signs("line", "line.example.com")
    nowhere = {"key": "/nowhere.key", "certificate": "/nowhere.pem"}
    findings = await found(own, tls=nowhere)
    assert [f.state for f in findings] == ["bad", "bad"]
    assert "/nowhere.pem" in findings[0].detail and "/nowhere.key" in findings[1].detail


async def test_what_others_will_stumble_over(authority: Authority) -> None:
    own = authority.signs("line", "line.example.com", days=90, usage=[ExtendedKeyUsageOID.SERVER_AUTH])
    trunk = {"name": "pbx", "transport": "tls", "allow": ["192.0.2.1"]}
    findings = await found(own, trunks=[trunk], advertise="198.51.100.1", tls={"client_ca": authority.pem})
    text = "\n".join(f.detail for f in findings)
    assert "does not name 198.51.100.1" in text and "for servers only" in text
    own.key_pem.chmod(0o644)
    keys = {"certificate": own.pem, "key": own.key_pem}
    readable = await certificate_findings(SipConfig.model_validate({"transports": ["tls"], "tls": keys}), NOW)
    assert [f.state for f in readable] == ["ok", "bad"] and "can read" in readable[1].detail
    later = await found(own, NOW + timedelta(days=60), tls={"client_ca": authority.pem})
    assert [f.subject for f in later if f.state == "bad"] == ["sip.tls.client_ca"]


async def test_a_revocation_list_that_has_expired_is_told(authority: Authority) -> None:
    own = authority.signs("line", "line.example.com", days=90)
    for days, state, says in ((3.0, "ok", "1 revoked by"), (-1.0, "bad", "expired: 1 revoked by")):
        crl = authority.revokes(authority.signs("gone", "gone.example"), days=days)
        finding = (await found(own, tls={"client_ca": authority.pem, "crl": crl}))[-1]
        assert (finding.subject, finding.state) == ("sip.tls.crl", state) and says in finding.detail
    (fault,) = await found(own, tls={"crl": authority.revokes(own, file="stranger.crl")})
    assert fault.state == "bad" and "signed by nobody in sip.tls.ca" in fault.detail


async def test_trunks_are_asked_by_a_handshake(authority: Authority, tmp_path: Path) -> None:
    own, pbx = authority.signs("line", "line.example.com", days=90), authority.signs("pbx", "sip:pbx.example.com")
    selfmade = self_signed(tmp_path, "self", "pbx.internal")
    tls = {"ca": authority.pem, "client_ca": authority.pem}
    for served, keys, state, says in (
        (pbx, {"tls_names": ["pbx.example.com"]}, "ok", "names pbx.example.com"),
        (pbx, {"allow": ["127.0.0.1"]}, "bad", "names pbx.example.com, not 127.0.0.1"),
        (selfmade, {"tls_pin": selfmade.pin}, "ok", "speaks TLS"),
        (selfmade, {"tls_pin": "0" * 64}, "bad", "not the one that is pinned"),
    ):
        async with TlsServer.running(server_context(served)) as server:
            trunk = {"name": "pbx", "transport": "tls", "gateway": f"sip:127.0.0.1:{server.port}", **keys}
            finding = (await found(own, trunks=[trunk], tls=tls))[-1]
        assert (finding.subject, finding.state) == ("trunk pbx", state) and says in finding.detail, finding
    finding = (await found(own, trunks=[trunk], tls=tls))[-1]
    assert finding.state == "bad" and "Connect call failed" in finding.detail
