"""Renewal of certificates and revocation lists: what is told of their end, and how often."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog.testing

from ivr.config import TlsConfig
from ivr.sip import renewal
from ivr.sip.renewal import Renewal
from ivr.sip.tls import TlsContexts
from tests.certificates import Authority


@pytest.mark.parametrize(
    ("certificate_days", "list_days", "told"),
    [
        (30.0, 30.0, []),
        (6.5, 30.0, ["sip.certificate_ends_soon"]),
        (30.0, -1.0, ["sip.revocations_expired"]),
        (6.5, -1.0, ["sip.revocations_expired", "sip.certificate_ends_soon"]),
    ],
)
async def test_an_end_is_told_once_a_day(
    certificate_days: float, list_days: float, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "LOOK_EVERY_S", 0.0)
    authority = Authority(tmp_path)
    own = authority.signs("line", "line.example.com", days=certificate_days)
    crl = authority.revokes(days=list_days)
    config = TlsConfig(certificate=own.pem, key=own.key_pem, client_ca=authority.pem, crl=crl)
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(Renewal(TlsContexts(config), config).run())
        for _ in range(20):  # looks, of which only the first is news
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
    assert [entry["event"] for entry in logs] == told
    assert all(str(crl) in e["remedy"] or str(own.pem) in e["remedy"] for e in logs)


async def test_who_asks_is_told_that_something_was_read_again_and_of_a_list_only_where_it_is_another(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    heard: list[int] = []
    own, gone = authority.signs("line", "line.example.com"), authority.signs("gone", "gone.example.com")
    config = TlsConfig(certificate=own.pem, key=own.key_pem, client_ca=authority.pem, crl=authority.revokes())
    contexts = TlsContexts(config)
    renewing = Renewal(contexts, config, lambda: heard.append(contexts.revocations.count))
    with structlog.testing.capture_logs() as logs:
        await renewing.renew()
        authority.revokes(gone)
        await renewing.renew()
        (tmp_path / "revoked.crl").write_text("half a file")
        await renewing.renew()
    assert heard == [0, 1], "what can't be used changes nothing"
    assert [entry["event"] for entry in logs] == ["sip.revocations_renewed", "sip.certificate_rejected"]
    assert logs[0]["revoked"] == 1 and "holds no revocation list" in logs[1]["error"]
