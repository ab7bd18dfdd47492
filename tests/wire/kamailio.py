"""Kamailio with the file that we ship, its addresses named as an operator would name them, in the foreground."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ivr import deploy
from ivr.config import Address
from tests.certificates import Credentials
from tests.wire.ports import free_port

REMEDY = "wire tests need Kamailio: sudo apt-get install kamailio (Debian, Ubuntu); its service need not run"
HOST = "127.0.0.4"  # the proxy's; callers are 127.0.0.1, lines have hosts of their own
PROBE = (
    "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKprobe;rport\r\n"
    "From: <sip:probe@127.0.0.1>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(slots=True)
class Kamailio:
    """It listens at ``address``. ``said``: its log so far, a line each."""

    address: Address
    folder: Path
    said: list[str] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def target(self) -> str:
        return str(self.address)

    def state(self, line: str) -> str:
        """What it said last of the line at HOST:PORT: "down", or "up"."""
        found = [re.search(rf"line (up|down): sip:{re.escape(line)}$", said) for said in self.said]
        return next((match[1] for match in reversed(found) if match), "up")

    async def until(self, state: str, line: str, timeout_s: float = 60.0) -> None:
        """The line is "up" or "down" in its eyes. Raises AssertionError with the log."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.state(line) == state)
        except TimeoutError:
            raise AssertionError(f"{line} is not {state}; Kamailio said:\n" + "\n".join(self.said[-40:])) from None

    async def read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._changed:
                self.said.append(line.decode(errors="replace").rstrip())
                self._changed.notify_all()


def program() -> str:
    found = shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found or pytest.fail(REMEDY)


@dataclass(frozen=True, slots=True)
class ProxyTls:
    """Kamailio with TLS at ``address``: its certificate, and who signs for whom it talks to."""

    address: Address
    own: Credentials
    ca: Path


def configuration(
    folder: Path, address: Address, lines: Sequence[str], trunks: str, pbx: str, tls: ProxyTls | None = None
) -> Path:
    """The shipped file and its dispatcher.list in ``folder``; what an operator would edit is, and nothing else."""
    nodes = folder / "dispatcher.list"
    nodes.write_text("".join(f"1 sip:{line}\n" for line in lines))
    text = deploy.text("kamailio")
    switched: tuple[tuple[str, str], ...] = ()
    if tls is not None:
        switched = (
            ("\n##!define TLS\n", "\n#!define TLS\n"),
            ("listen=tls:192.0.2.10:5061", f"listen=tls:{tls.address}"),
            ('"/etc/kamailio/tls.cfg"', f'"{folder / "tls.cfg"}"'),
        )
        files = deploy.text("kamailio-tls")
        for shipped, path in (("proxy.pem", tls.own.pem), ("proxy.key", tls.own.key_pem), ("ca.pem", tls.ca)):
            assert files.count(f"/etc/kamailio/tls/{shipped}") == 2, "both ways"
            files = files.replace(f"/etc/kamailio/tls/{shipped}", str(path))
        (folder / "tls.cfg").write_text(files)
    for shipped, named in (
        *switched,
        ("listen=udp:192.0.2.10:5060", f"listen=udp:{address}"),
        ("listen=tcp:192.0.2.10:5060", f"listen=tcp:{address}"),
        ('TRUNKS "192.0.2.20/32,192.0.2.21/32"', f'TRUNKS "{trunks}"'),
        ('PBX "192.0.2.20:5060"', f'PBX "{pbx}"'),
        ('"/etc/kamailio/dispatcher.list"', f'"{nodes}"'),
    ):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, named)
    path = folder / "kamailio.cfg"
    path.write_text(text)
    return path


@asynccontextmanager
async def kamailio(
    lines: Sequence[str],
    *,
    trunks: str = "127.0.0.1/32",
    pbx: str = "127.0.0.1:9",
    tls: ProxyTls | None = None,
) -> AsyncIterator[Kamailio]:
    """In front of ``lines`` (HOST:PORT each), answering. Everything it writes goes into a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ivr-kam-"))  # short: a socket's path has at most 107 bytes
    proxy = Kamailio(Address(HOST, free_port(HOST)), folder)
    async with running(proxy, configuration(folder, proxy.address, lines, trunks, pbx, tls)):
        yield proxy


@asynccontextmanager
async def running(proxy: Kamailio, path: Path) -> AsyncIterator[None]:
    """Kamailio with the file at ``path``, answering OPTIONS. Its folder is removed afterwards."""
    folder = proxy.folder
    process = await asyncio.create_subprocess_exec(
        *(program(), "-DD", "-E", "-f", str(path), "-Y", str(folder), "-w", str(folder), "-P", str(folder / "pid")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    reading = asyncio.create_task(proxy.read(process.stderr))
    try:
        await _answering(proxy, process)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await reading
        shutil.rmtree(folder, ignore_errors=True)


class _Asking(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answered.set()


async def _answering(proxy: Kamailio, process: asyncio.subprocess.Process) -> None:
    """It answers OPTIONS, sent as often as SIP does."""
    loop = asyncio.get_running_loop()
    transport, asking = await loop.create_datagram_endpoint(_Asking, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        async with asyncio.timeout(20):
            while not asking.answered.is_set() and process.returncode is None:
                probe = PROBE.format(address=proxy.address, port=port).encode()
                transport.sendto(probe, (proxy.address.host, proxy.address.port))
                with suppress(TimeoutError):
                    await asyncio.wait_for(asking.answered.wait(), 0.2)
    finally:
        transport.close()
    if not asking.answered.is_set():
        raise AssertionError("Kamailio did not start:\n" + "\n".join(proxy.said[-40:]))
