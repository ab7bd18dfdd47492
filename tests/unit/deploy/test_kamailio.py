"""Kamailio reads its file as it ships, and with TLS switched on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ivr.config import Address
from tests.certificates import Authority
from tests.wire.kamailio import ProxyTls, configuration, program


@pytest.mark.parametrize("secured", [False, True])
def test_kamailio_finds_its_file_right(tmp_path: Path, secured: bool) -> None:
    house = Authority(tmp_path / "tls")
    tls = ProxyTls(Address("127.0.0.4", 5061), house.signs("proxy", "127.0.0.4"), house.pem) if secured else None
    lines = ["127.0.0.2:5060", "127.0.0.3:5061;transport=tls"]
    path = configuration(tmp_path, Address("127.0.0.4", 5060), lines, "127.0.0.1/32", "127.0.0.1:5070", tls)
    done = subprocess.run([program(), "-c", "-f", str(path)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "config file ok" in said, said
    assert "ERROR" not in said and "CRITICAL" not in said, said


def test_what_is_wrong_with_it_is_seen(tmp_path: Path) -> None:
    path = configuration(tmp_path, Address("127.0.0.4", 5060), ["127.0.0.2:5060"], "127.0.0.1/32", "127.0.0.1:5070")
    path.write_text(path.read_text().replace('loadmodule "dispatcher.so"', ""))
    assert subprocess.run([program(), "-c", "-f", str(path)], capture_output=True).returncode != 0
