"""[sip.tls], and what trunks say of certificates: what fits together and what doesn't, said at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.config import SipConfig, Trunk, load_config
from ivr.errors import ConfigError

TLS = {"certificate": "line.pem", "key": "line.key"}
PIN = "ab" * 32
PBX = {"name": "pbx", "transport": "tls"}
ACCOUNT = {"username": "u", "password": "env:X"}


def sip(trunks: list[dict[str, object]], tls: dict[str, object] | None = None, **others: object) -> SipConfig:
    found = {"transports": ["udp", "tls"], "tls": {**TLS, **(tls or {})}, "trunks": trunks, **others}
    return SipConfig.model_validate(found)


def test_names_and_pins_are_read_as_they_are_compared() -> None:
    trunk = Trunk.model_validate({**PBX, "tls_names": ["sip:PBX.Example.com.", "[2001:DB8::1]"]})
    assert trunk.tls_names == ("pbx.example.com", "2001:db8::1") and trunk.certified
    colons = ":".join(["AB"] * 32)
    assert Trunk.model_validate({**PBX, "tls_pin": colons}).tls_pin == (PIN,)
    assert Trunk.model_validate({**PBX, "tls_pin": [PIN, f"sha256={PIN}"]}).tls_pin == (PIN, PIN)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"tls_names": ["*.example.com"]}, "no wildcards"),
        ({"tls_names": ["sip:alice@example.com"]}, "is no domain"),
        ({"tls_pin": "abcd"}, "no SHA-256 fingerprint"),
        ({"tls_names": ["pbx.example.com"], "transport": "tcp"}, 'need transport = "tls"'),
        ({"tls_pin": PIN, "transport": "udp"}, 'need transport = "tls"'),
        ({}, "allow, inbound_auth, register or tls_names"),
    ],
)
def test_trunks_that_no_certificate_can_tell(keys: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Trunk.model_validate({**PBX, **keys})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"transports": ["udp", "tls"]}, r"needs \[sip.tls\]"),
        ({"tls": TLS}, 'transports has no "tls"'),
        ({"trunks": [{**PBX, "allow": ["192.0.2.1"]}]}, 'trunk pbx: transport = "tls" needs'),
        ({"transports": []}, "one at least"),
        ({"transports": ["tls"], "tls": {**TLS, "require_client": "demand"}}, "needs client_ca"),
        ({"transports": ["tls"], "tls": {**TLS, "require_client": "off", "client_ca": "a"}}, "never looked at"),
        ({"transports": ["tls"], "tls": {**TLS, "require_client": "always"}}, "require_client"),
        ({"transports": ["tls"], "tls": {"certificate": "a"}}, "key"),
        (
            {"transports": ["tls"], "tls": TLS, "trunks": [{**PBX, "tls_names": ["pbx.example.com"]}]},
            "client_ca is missing",
        ),
        (
            {
                "transports": ["tls"],
                "tls": {**TLS, "require_client": "off"},
                "trunks": [{**PBX, "tls_pin": PIN}],
            },
            "asks nobody for the certificate that pbx is known by",
        ),
    ],
)
def test_what_does_not_fit_together(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SipConfig.model_validate(settings)


def test_what_fits_together() -> None:
    sip([{**PBX, "tls_names": ["pbx.example.com"]}], {"client_ca": "ca.pem", "require_client": "demand"})
    sip([{**PBX, "tls_pin": PIN}], {"require_client": "demand"})
    sip([{**PBX, "tls_names": ["pbx.example.com"], "register": "sip:pbx.example.com", **ACCOUNT}])
    sip([{**PBX, "allow": ["192.0.2.1"]}], {"require_client": "off"})


def test_files_are_taken_from_the_folder_of_the_configuration_and_all_faults_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[sip]\ntransports = ["udp", "tls"]\n[sip.tls]\ncertificate = "tls/line.pem"\nkey = "/etc/line.key"\n'
    )
    tls = load_config(path).sip.tls
    assert tls is not None and tls.certificate == tmp_path / "tls/line.pem" and tls.key == Path("/etc/line.key")
    path.write_text(
        '[sip.tls]\ncertificate = "a"\nkey = "b"\n'
        '[[sip.trunks]]\nname = "a"\ntransport = "tls"\nallow = ["192.0.2.1"]\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert re.search(r"transports has no \"tls\".*; trunk a: ", str(caught.value))


@pytest.mark.parametrize("target", ["sips:agent@desk.example", "sip:agent@desk.example;transport=tls"])
def test_agents_are_reached_by_tls_where_there_is_one(tmp_path: Path, target: str) -> None:
    path = tmp_path / "config.toml"
    agent = f'[[desk.agents]]\nname = "sam"\ntarget = "{target}"\n'
    path.write_text(agent)
    with pytest.raises(ConfigError, match=r"sip.transports has no tls"):
        load_config(path)
    path.write_text('[sip]\ntransports = ["udp", "tls"]\n[sip.tls]\ncertificate = "a"\nkey = "b"\n' + agent)
    assert load_config(path).desk.agents[0].target == target
