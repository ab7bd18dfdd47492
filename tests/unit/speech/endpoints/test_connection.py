"""Connections to endpoints: what goes wrong before anything is asked, each in words that say what to do."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ivr.config import SecondEarConfig
from ivr.speech.endpoints.failure import EndpointFailed
from ivr.speech.second_ear import transcriber
from tests.endpoints import MODEL

KINDS = ("openai", "vosk_server")
PCM = b"\x01\x02" * 4000


async def asked(kind: str, at: str, *, tls: bool = False) -> EndpointFailed:
    """How asking the endpoint at HOST:PORT fails."""
    url = f"http{'s' * tls}://{at}/v1" if kind == "openai" else f"ws{'s' * tls}://{at}"
    more = {"model": MODEL} if kind == "openai" else {}
    ear = transcriber(SecondEarConfig.model_validate({"kind": kind, "url": url, **more}))
    try:
        async with asyncio.timeout(20):
            with pytest.raises(EndpointFailed) as failed:
                await ear.transcribe(PCM, "en-US", ())
    finally:
        await ear.aclose()
    return failed.value


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "endpoint")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / "endpoint.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def saying(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Something that says so to whoever comes, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_that_nobody_vouches_for_is_told_as_that(kind: str, tmp_path: Path) -> None:
    async with saying(b"", self_signed(tmp_path)) as at:
        failed = await asked(kind, at, tls=True)
    assert failed.refused and "certificate is not trusted" in str(failed) and "SSL_CERT_FILE" in failed.remedy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_tls_where_none_is_spoken_is_told_as_that(kind: str, answer: bytes) -> None:
    async with saying(answer) as at:
        failed = await asked(kind, at, tls=True)
    assert "check url" in failed.remedy or "is url rightly" in failed.remedy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example.com ESMTP\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"te',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nnotgz",
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    ],
    ids=["mail", "half", "bad chunk", "long header", "bad gzip", "wrong accept"],
)
async def test_what_speaks_something_else_is_a_failure_in_words(kind: str, answer: bytes) -> None:
    async with saying(answer) as at:
        failed = await asked(kind, at)
    assert failed.remedy


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_there_and_no_such_host_are_told_apart(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = await asked(kind, f"127.0.0.1:{port}")
    assert "can't be reached" in str(nobody) and nobody.remedy == "is it running?" and not nobody.refused
    unknown = await asked(kind, "endpoint.invalid:80")
    assert "host is not known" in str(unknown) and "check url" in unknown.remedy
