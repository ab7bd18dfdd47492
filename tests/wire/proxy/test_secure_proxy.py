"""A line behind Kamailio, by TLS on both sides of it: who has a certificate gets in, who hasn't doesn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config import Address
from ivr.demo.line import LineSetup, RunningLine
from tests.certificates import Authority
from tests.wire.baresip import baresip
from tests.wire.kamailio import HOST, ProxyTls, kamailio
from tests.wire.line.watching import logged, mark, until_idle
from tests.wire.ports import free_port
from tests.wire.sip.tls_peer import client_context, refused

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

LINE = "127.0.0.2"


async def test_a_caller_comes_by_tls_through_the_proxy(tmp_path: Path) -> None:
    house, foreign = Authority(tmp_path / "tls"), Authority(tmp_path / "foreign", "foreign")
    own, proxied = house.signs("line", LINE), house.signs("proxy", HOST)
    port = free_port(LINE)
    tls = f'listen = "{LINE}:{port}"\ncertificate = "{own.pem}"\nkey = "{own.key_pem}"\nca = "{house.pem}"\n'
    tls += f'client_ca = "{house.pem}"\nrequire_client = "demand"'
    trunk = f'[[sip.trunks]]\nname = "proxy"\ntransport = "tls"\ntls_names = ["sip:{HOST}"]\n'
    node = f"{LINE}:{port};transport=tls"
    setup = LineSetup(tmp_path / "line", sip=f"{LINE}:0", allow="127.0.0.9/32", tls=tls, extra=trunk)
    secured = ProxyTls(Address(HOST, free_port(HOST)), proxied, house.pem)
    async with RunningLine.running(setup) as line, kamailio([node], tls=secured) as proxy:
        await proxy.until("up", node)
        since, uri = mark(line), f"sip:line@{secured.address};transport=tls"
        async with baresip(tmp_path / "phone", tls=house.signs("phone", "127.0.0.1"), ca=house.pem) as phone:
            await phone.command("dial", uri)
            await phone.wait("CALL_ESTABLISHED")
            began = await logged(line, "call.start", since=since)
            assert (began["trunk"], began["transport"]) == ("proxy", "tls")
            await phone.press("3")
            await logged(line, "dialogue.key", since=since)
            await phone.command("hangup")
            await phone.wait("CALL_CLOSED")
        assert (await logged(line, "call.end", since=since))["ended_by"] == "caller"
        since = mark(line)
        for credentials in (foreign.signs("phone", "127.0.0.1"), None):
            assert await refused(secured.address, client_context(house.pem, credentials))
        await until_idle(line)
        assert "call.start" not in line.log.read_text("utf-8")[since:]
