"""Known vulnerabilities: found by range and by list, accepted by name; an old copy of the database says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from tests.advisories import affects, main

LOCK = """\
aiohttp==3.9.0 ; python_full_version < '3.14' and sys_platform == 'linux' \\
    --hash=sha256:00
ruamel-yaml==0.19.1 \\
    --hash=sha256:11
"""


def advisory(**more: object) -> dict[str, object]:
    events = [{"introduced": "0"}, {"fixed": "3.8.6"}, {"introduced": "3.9.0"}, {"fixed": "3.9.2"}]
    return {
        "id": "PYSEC-2024-24",
        "modified": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
        "aliases": ["CVE-2024-1"],
        "summary": "follows links\nout of its folder",
        "affected": [{"package": {"name": "AioHTTP"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
        **more,
    }


@pytest.mark.parametrize(
    ("version", "hit"), [("3.8.5", True), ("3.8.6", False), ("3.9.0", True), ("3.9.1", True), ("3.9.2", False)]
)
def test_a_range_ends_where_it_is_fixed(version: str, hit: bool) -> None:
    assert affects(advisory(), "aiohttp", Version(version)) is hit
    assert not affects(advisory(withdrawn="2024-02-01"), "aiohttp", Version(version))
    assert not affects(advisory(), "aiohttp-jinja2", Version(version))


def test_versions_may_be_listed_and_the_last_one_be_affected() -> None:
    listed = advisory(affected=[{"package": {"name": "x"}, "versions": ["1.0", "not a version"]}])
    assert affects(listed, "x", Version("1.0.0")) and not affects(listed, "x", Version("1.1"))
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "1"}, {"last_affected": "2"}]}, {"type": "GIT"}]
    last = advisory(affected=[{"package": {"name": "x"}, "ranges": ranges}])
    assert affects(last, "x", Version("2")) and not affects(last, "x", Version("2.1"))


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_what_is_locked_is_looked_up(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lock").write_text(LOCK)
    folder = tmp_path / "database" / "aiohttp"
    folder.mkdir(parents=True)
    written = json.dumps(advisory()) if kind == "json" else yaml.safe_dump(advisory())
    (folder / f"PYSEC-2024-24.{kind}").write_text(written)
    words = [str(tmp_path / "database"), "--lock", str(tmp_path / "lock")]
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "aiohttp 3.9.0: PYSEC-2024-24 CVE-2024-1: follows links out of its folder" in said
    assert "2 packages, 1 vulnerable" in said
    assert main([*words, "--accept", "PYSEC-2024-24"]) == 0


def test_an_old_copy_says_nothing_of_today(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(LOCK)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(advisory(modified="2024-01-01T00:00:00Z", affected=[])))
    assert main([str(tmp_path), "--lock", str(tmp_path / "lock")]) == 2
    (tmp_path / "a.yaml").unlink()
    assert main([str(tmp_path), "--lock", str(tmp_path / "lock")]) == 2, "nor does an empty one"
