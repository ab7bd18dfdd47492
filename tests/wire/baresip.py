"""baresip as a second independent telephone for wire tests: it says a recording, sends keys, takes calls and REFERs."""

from __future__ import annotations

import asyncio
import json
import shutil
import wave
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Credentials
from tests.wire.ports import free_port

REMEDY = "wire tests need baresip: sudo apt-get install baresip-core"
_MODULES = (Path("/usr/lib/baresip/modules"), Path("/usr/local/lib/baresip/modules"))
_CONFIG = """\
sip_listen {at}:{sip}
ctrl_tcp_listen 127.0.0.1:{control}
net_interface {host}
module_path {modules}
module g711.so
module aufile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
audio_source aufile,{voice}
rtp_ports 30000-39999
module srtp.so
module dtls_srtp.so
module sndfile.so
snd_path {folder}
"""


class Baresip:
    """A running baresip. ``events`` are its own, e.g. {"type": "CALL_ESTABLISHED", "peeruri": ...}."""

    def __init__(self, uri: str, folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.uri = uri
        self._folder = folder
        self.events: list[dict[str, Any]] = []
        self._writer = writer
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(reader))

    def hearing(self) -> Path:
        """What it hears in its call: a WAV file, which grows."""
        (file,) = self._folder.glob("*-dec.wav")
        return file

    async def command(self, name: str, parameters: str = "") -> str:
        """Run one of baresip's commands ("dial", "hangup", "sndcode" ...); what it printed."""
        body = json.dumps({"command": name, "params": parameters}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        await self._writer.drain()
        answer = await asyncio.wait_for(self._answers.get(), 30)
        if not answer.get("ok"):
            raise AssertionError(f"baresip refused {name} {parameters}: {answer}")
        return str(answer.get("data", ""))

    async def press(self, keys: str) -> None:
        """Send keys by RFC 4733."""
        for key in keys:
            await self.command("sndcode", key)

    async def wait(self, kind: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """The first event of this type. Raises TimeoutError."""
        async with self._changed, asyncio.timeout(timeout_s):
            await self._changed.wait_for(lambda: any(event.get("type") == kind for event in self.events))
        return next(event for event in self.events if event.get("type") == kind)

    def heard(self) -> bytes:
        """What came to its ear in the calls so far, as it understood it: 16-bit PCM at 8 kHz."""
        pcm = b""
        for file in sorted(self._folder.glob("dump-*-dec.wav")):
            raw = file.read_bytes()  # its header is complete only once the call is over
            pcm += raw[raw.index(b"data") + 8 :] if b"data" in raw else b""
        return pcm

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(length + 1))[:-1])
                if message.get("response"):
                    self._answers.put_nowait(message)
                    continue
                async with self._changed:
                    self.events.append(message)
                    self._changed.notify_all()

    async def close(self) -> None:
        self._writer.close()
        await self._reading


async def _started(
    program: str, folder: Path, modules: Path, voice: Path, account: str, extra: str, parameters: str, host: str
) -> tuple[Process, int, int]:
    """On ports that are free; whoever takes one of them meanwhile costs another try."""
    at = f"[{host}]" if ":" in host else host
    for _ in range(3):
        sip, control = free_port(host), free_port()
        config = _CONFIG.format(host=host, at=at, sip=sip, control=control, modules=modules, voice=voice, folder=folder)
        (folder / "config").write_text(config + extra)
        uri = f"<sip:peer@{at}:{sip}{parameters}>"
        (folder / "accounts").write_text(f"{uri};regint=0;audio_codecs=PCMU/8000/1;{account}\n")
        process = await asyncio.create_subprocess_exec(
            *(program, "-6" if ":" in host else "-4", "-f", str(folder)),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        try:
            await asyncio.wait_for(process.stdout.readuntil(b"baresip is ready."), 10)
            return process, sip, control
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            said = error.partial.decode(errors="replace") if isinstance(error, asyncio.IncompleteReadError) else "late"
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    raise AssertionError(f"baresip did not start: {said}")


@asynccontextmanager
async def baresip(
    folder: Path,
    *,
    pcm: bytes = b"",
    answer: bool = True,
    media_encryption: str = "",
    tls: Credentials | None = None,
    ca: Path | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Baresip]:
    """Start one at ``host`` on free ports; ``folder`` holds its configuration. ``media_encryption`` as it calls them:
    "srtp" (best effort), "srtp-mand", "dtls_srtp".

    ``pcm``: 16-bit 8 kHz, what it says in every call (silence without). Unless told otherwise it answers by itself.
    ``tls``: its certificate, and it is called and calls by TLS; ``ca``: whom it believes."""
    program = shutil.which("baresip")
    modules = next((path for path in _MODULES if path.is_dir()), None)
    if program is None or modules is None:
        pytest.fail(REMEDY)
    folder.mkdir(parents=True, exist_ok=True)
    voice = folder / "voice.wav"
    with wave.open(str(voice), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm or b"\0\0" * 80000)
    account = f"answermode={'auto' if answer else 'manual'}"
    if media_encryption:
        account += f";mediaenc={media_encryption}"
    extra = f"sip_certificate {tls.both}\n" + (f"sip_cafile {ca}\n" if ca else "") if tls is not None else ""
    parameters = ";transport=tls" if tls is not None else ""
    process, sip, control = await _started(program, folder, modules, voice, account, extra, parameters, host)
    assert process.stdout is not None
    draining = asyncio.create_task(process.stdout.read())
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", control)
        at = f"[{host}]" if ":" in host else host
        uri = f"sip:peer@{at}:{sip}" if tls is None else f"sip:peer@{at}:{sip + 1};transport=tls"
        phone = Baresip(uri, folder, reader, writer)
        try:
            yield phone
        finally:
            await phone.close()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await draining
