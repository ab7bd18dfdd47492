"""Model downloads against a real local HTTP server."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.speech.models import KNOWN, KnownModel, ModelUnavailable, fetch, known
from ivr.speech.vendors import vosk_models

CONTENT = bytes(range(256)) * 2000


def archive(members: dict[str, bytes], *, links: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            if links:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, data)
    return buffer.getvalue()


GOOD = archive({"vosk-model-x/am/final.mdl": CONTENT, "vosk-model-x/conf/model.conf": b"--beam=10"})


def described(data: bytes) -> KnownModel:
    return KnownModel("x", "xx-XX", "x.zip", hashlib.sha256(data).hexdigest(), len(data))


class Vendor:
    """Serves ``data``; the first ``cuts`` connections break in the middle."""

    def __init__(self) -> None:
        self.data = GOOD
        self.cuts = 0
        self.ranges_ignored = False
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not self.ranges_ignored else 0
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(self.data) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        await response.prepare(request)
        if self.cuts:
            self.cuts -= 1
            await response.write(self.data[start : start + len(self.data) // 3])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(self.data[start:])
        return response


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    made = Vendor()
    app = web.Application()
    app.router.add_get("/models/x.zip", made.serve)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/models/"))
        yield made


async def test_a_model_is_fetched_checked_and_installed(tmp_path: Path, vendor: Vendor) -> None:
    seen: list[tuple[int, int]] = []
    place = await fetch(described(GOOD), tmp_path, base_url=vendor.url, progress=lambda a, b: seen.append((a, b)))
    assert place == tmp_path / "xx-XX"
    assert (place / "am" / "final.mdl").read_bytes() == CONTENT
    assert seen[-1] == (len(GOOD), len(GOOD)) and seen == sorted(seen)
    assert vosk_models(tmp_path) == {"xx-XX": place}
    assert list((tmp_path / ".downloads").iterdir()) == []


async def test_a_broken_connection_is_resumed(tmp_path: Path, vendor: Vendor) -> None:
    vendor.cuts = 2
    place = await fetch(described(GOOD), tmp_path, base_url=vendor.url)
    assert (place / "am" / "final.mdl").read_bytes() == CONTENT
    assert vendor.asked[0] == "" and vendor.asked[1].startswith("bytes=") and len(vendor.asked) == 3


async def test_an_earlier_run_is_gone_on_from(tmp_path: Path, vendor: Vendor) -> None:
    part = tmp_path / ".downloads" / "x.zip.part"
    part.parent.mkdir()
    part.write_bytes(GOOD[:1000])
    await fetch(described(GOOD), tmp_path, base_url=vendor.url)
    assert vendor.asked == ["bytes=1000-"]


async def test_a_server_without_ranges_begins_anew(tmp_path: Path, vendor: Vendor) -> None:
    vendor.cuts, vendor.ranges_ignored = 1, True
    place = await fetch(described(GOOD), tmp_path, base_url=vendor.url)
    assert (place / "am" / "final.mdl").read_bytes() == CONTENT


async def test_a_wrong_checksum_installs_nothing(tmp_path: Path, vendor: Vendor) -> None:
    vendor.data = GOOD[:-1] + b"!"
    with pytest.raises(ModelUnavailable, match="checksum"):
        await fetch(described(GOOD), tmp_path, base_url=vendor.url)
    assert vosk_models(tmp_path) == {}
    assert list((tmp_path / ".downloads").iterdir()) == []  # the next try begins anew


async def test_a_server_that_always_breaks_is_given_up(tmp_path: Path, vendor: Vendor) -> None:
    vendor.cuts, vendor.ranges_ignored = 99, True
    with pytest.raises(ModelUnavailable, match="goes on where it stopped"):
        await fetch(described(GOOD), tmp_path, base_url=vendor.url)


async def test_a_missing_file_is_named(tmp_path: Path, vendor: Vendor) -> None:
    model = KnownModel("y", "yy", "y.zip", "0" * 64, 10)
    with pytest.raises(ModelUnavailable, match=r"y\.zip.*404"):
        await fetch(model, tmp_path, base_url=vendor.url)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (archive({"../evil": b"x", "m/am/final.mdl": b"x"}), "write to"),
        (archive({"/etc/evil": b"x", "m/am/final.mdl": b"x"}), "write to"),
        (archive({"m/..\\..\\evil": b"x", "m/am/final.mdl": b"x"}), "write to"),
        (archive({"C:/evil": b"x", "m/am/final.mdl": b"x"}), "write to"),
        (archive({"m/am/final.mdl": b"/etc/passwd"}, links=True), "not a plain file"),
        (archive({"m/readme": b"x"}), "0 Vosk models"),
        (archive({"a/am/final.mdl": b"x", "b/am/final.mdl": b"x"}), "2 Vosk models"),
        (b"PK not a zip" * 10, "zip"),
    ],
)
async def test_bad_archives_are_refused_whole(tmp_path: Path, vendor: Vendor, data: bytes, complaint: str) -> None:
    vendor.data = data
    root = tmp_path / "models"
    with pytest.raises(ModelUnavailable, match=complaint):
        await fetch(described(data), root, base_url=vendor.url)
    assert [p.name for p in tmp_path.rglob("*") if "evil" in p.name] == []
    assert [p.name for p in root.iterdir()] == [".downloads"]


async def test_a_bomb_is_not_unpacked(tmp_path: Path, vendor: Vendor) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/am/final.mdl", bytes(50_000_000))
    vendor.data = buffer.getvalue()
    with pytest.raises(ModelUnavailable, match="unpack to"):
        await fetch(described(vendor.data), tmp_path, base_url=vendor.url)


async def test_a_new_model_replaces_the_old_one(tmp_path: Path, vendor: Vendor) -> None:
    old = tmp_path / "xx-XX" / "am" / "final.mdl"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    (tmp_path / "xx-XX" / "left-over").write_text("")
    await fetch(described(GOOD), tmp_path, base_url=vendor.url)
    assert old.read_bytes() == CONTENT
    assert not (tmp_path / "xx-XX" / "left-over").exists()


@pytest.mark.parametrize("name_of", [lambda m: m.name, lambda m: m.path, lambda m: m.path.removesuffix(".zip")])
def test_known_models_have_names_and_checksums(name_of: Callable[[KnownModel], str]) -> None:
    for model in KNOWN:
        assert known(name_of(model)) is model
        assert len(model.sha256) == 64 and model.size > 1_000_000


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelUnavailable, match="small-en-us"):
        known("klingon")
