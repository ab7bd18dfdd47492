"""Secrets that a line uses and fails with show nowhere: not in its log, its words, its probes, its commands' output."""

from __future__ import annotations

import asyncio
import base64
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from ivr.demo.line import LineSetup, RunningLine
from ivr.sip.message import SipRequest, encode, parse_message, response_to
from tests.wire.line.watching import logged, mark, ready_when

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PASSWORD, TOKEN, BILLING, DATABASE = "swordfish-pbx", "swordfish-http", "swordfish-billing", "swordfish-db"
KEY = base64.b64encode(b"swordfish-recording-key-32-bytes").decode()
SECRETS = (PASSWORD, TOKEN, BILLING, KEY, DATABASE)


class Registrar(asyncio.DatagramProtocol):
    """Challenges with digest authentication, and refuses whatever comes then, naming the Authorization it was shown."""

    def __init__(self) -> None:
        self.shown = asyncio.Event()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse_message(data)
        assert isinstance(request, SipRequest)
        if credentials := request.headers.first("authorization"):
            answer = response_to(request, 403)
            answer.headers.set("Warning", f'399 pbx "{credentials[:40]}"')
            self.shown.set()
        else:
            answer = response_to(request, 401)
            answer.headers.set("WWW-Authenticate", 'Digest realm="pbx", nonce="n", algorithm=MD5')
        self.transport.sendto(encode(answer), addr)


@asynccontextmanager
async def registrar() -> AsyncIterator[tuple[int, Registrar]]:
    made = asyncio.get_running_loop().create_datagram_endpoint(Registrar, local_addr=("127.0.0.1", 0))
    transport, protocol = await made
    try:
        yield transport.get_extra_info("sockname")[1], protocol
    finally:
        transport.close()


async def said(*words: str, **environment: str) -> str:
    """What a command writes, its environment's secrets included."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )  # fmt: skip
    return (await process.communicate())[0].decode()


async def test_no_secret_shows_whatever_fails(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    for name, value in (("pbx", PASSWORD), ("billing", BILLING), ("recordings", KEY)):
        (credentials / name).write_text(value)
        (credentials / name).chmod(0o644)  # so that the doctor has something to say
    async with registrar() as (port, pbx), aiohttp.ClientSession() as session:
        extra = f"""
            [[sip.trunks]]
            name = "pbx"
            register = "sip:127.0.0.1:{port}"
            username = "ivr"
            password = "credential:pbx"
            [[flows.services]]
            name = "billing"
            url = "http://127.0.0.1:9/"
            headers = {{ Authorization = "Bearer {{token}}" }}
            secrets = {{ token = "file:{credentials}/billing" }}
            [recording]
            enabled = true
            folder = "{tmp_path}/recordings"
            key = "credential:recordings"
        """
        environment = {"CREDENTIALS_DIRECTORY": str(credentials), "IVR_HTTP_TOKEN": TOKEN}
        setup = LineSetup(tmp_path, extra=extra, environment=environment)
        written = setup.write()
        shown = re.sub(r'(\[http\]\nlisten = "127.0.0.1:0")', r'\1\ntoken = "env:IVR_HTTP_TOKEN"', written.read_text())
        shown = shown.replace('level = "info"', 'level = "debug"')
        seen: list[str] = []

        class Setup(LineSetup):
            def write(self) -> Path:
                written.write_text(shown)
                return written

        words = ("--config", str(written))
        async with RunningLine.running(Setup(tmp_path, extra=extra, environment=environment)) as line:
            await asyncio.wait_for(pbx.shown.wait(), 30)
            _, body = await ready_when(line.http, lambda body: "403" in str(body["registrations"]))
            seen.append(str(body))
            for bearer in ("wrong", TOKEN[:-1], TOKEN):
                async with session.get(f"{line.http}/api/config", headers={"Authorization": f"Bearer {bearer}"}) as got:
                    seen.append(f"{got.status} {await got.text()}")
            since = mark(line)
            written.write_text(shown.replace("max_calls = 200", "max_calls = x"))
            line.process.send_signal(signal.SIGHUP)
            await logged(line, "config.rejected", since=since)
            (credentials / "pbx").unlink()
            written.write_text(shown.replace('username = "ivr"', 'username = "other"'))
            line.process.send_signal(signal.SIGHUP)
            await logged(line, "sip.registration_failed", since=since)
            http = ("--http", line.http.removeprefix("http://"))
            asked = (("config", "diff", str(written)), ("drain", *words), ("health", *words), ("doctor", *words))
            seen += [await said(*each, *http, **environment) for each in asked]
        seen.append(await said("config", "check", str(written), **environment))
        for url in (f"postgresql+asyncpg://ivr:{DATABASE}@127.0.0.1:9/ivr", f"nonsense://ivr:{DATABASE}@127.0.0.1"):
            for command in ("db status", "doctor", "serve"):
                seen.append(await said(*command.split(), *words, "--database", url, **environment))
                seen.append(await said(*command.split(), *words, "--database", "env:U", **environment, U=url))
    seen.append((tmp_path / "ivr.log").read_text())
    assert all(len(text) > 5 for text in seen) and any("refuses" in text or "draining" in text for text in seen)
    for text in seen:
        assert "Traceback" not in text
        found = [secret for secret in SECRETS if secret in text]
        assert not found, f"{found} in {text[:2000]}"
