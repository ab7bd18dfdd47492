"""config.toml: what is accepted, what is refused, and how the refusal reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.config import Address, Agent, Trunk, load_config
from ivr.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "config.toml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_allows_loopback_and_nobody_else() -> None:
    config = load_config(SHIPPED)
    assert config.sip.address.loopback
    assert [t.name for t in config.sip.trunks] == ["loopback"]
    assert set(config.sip.trunks[0].allow) == {"127.0.0.0/8", "::1/128"}


def test_paths_are_taken_from_the_files_own_folder(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "[flows]\ndirectory = 'mine'\n"))
    assert config.flows.directory == tmp_path / "mine"
    assert config.store.url == f"sqlite+aiosqlite:///{tmp_path}/var/ivr.sqlite3"


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path, "[sip]\nlisten = 'nowhere'\nmax_cals = 3\n[media]\nports = '9-1'\n[flows]\ntime_zone = 'Mars'\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    text = str(caught.value)
    for part in ("sip.listen", "unknown key sip.max_cals", "media.ports", "Mars", "IANA"):
        assert part in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[http]\nlisten = '0.0.0.0:8080'\n", "http.token"),
        ("[http]\ntoken = 'hunter2'\n", "secrets do not belong"),
        ("[[sip.trunks]]\nname = 'x'\n", "a trunk needs"),
        ("[[sip.trunks]]\nname = 'x'\nregister = 'sip:pbx'\n", "username and password"),
        ("[[desk.agents]]\nname = 'a'\ntarget = 'agent at desk'\n", "not a SIP URI"),
        ("[[flows.services]]\nname = 'x'\nurl = 'ftp://x/'\n", "HOST/PATH"),
        ("[[flows.services]]\nname = 'x'\nurl = 'http:///x'\n", "HOST/PATH"),
        ("[[flows.services]]\nname = 'x'\nurl = '//x/y'\n", "HOST/PATH"),
        ("[[flows.services]]\nname = 'x'\nurl = 'https://x/?all'\n", "HOST/PATH"),
        ("[[flows.services]]\nname = 'x'\nurl = 'https://x'\nheaders = { A = 'B {t}' }\n", "secrets has no t"),
        ("[[flows.services]]\nname = 'x'\nurl = 'https://x'\nheaders = { 'A B' = 'c' }\n", "not a header"),
        ("[[flows.services]]\nname = 'x'\nurl = '/a'\n" * 2, "two are called x"),
        ("[sip\n", "Expected"),
        ("[media]\nports = '16000-16001'\n", "four ports"),
        ("[media]\nports = '16001-16004'\n", "four ports"),
        ("[media]\nbrowser_addresses = ['line.example.com']\n", "media.browser_addresses"),
        ("[media]\nbrowser_addresses = ['0.0.0.0']\n", "nobody can send to 0.0.0.0"),
    ],
)
def test_unsafe_or_broken_settings_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        load_config(write(tmp_path, text))


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config FILE"):
        load_config(tmp_path / "none.toml")


def test_overrides_win(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "[sip]\nlisten = '127.0.0.1:5060'\n"), {"sip.listen": "127.0.0.1:0"})
    assert config.sip.listen == (Address("127.0.0.1", 0),)


def test_overrides_of_what_is_no_table_are_told_as_its_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for text in ("sip = 3", "[[sip]]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match="sip: Input should be a valid dictionary"):
            load_config(path, {"sip.listen": "127.0.0.1:0"})


def test_a_secret_that_is_not_there_is_told_before_any_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
    [[sip.trunks]]
    name = "pbx"
    register = "sip:pbx.example.com"
    username = "ivr"
    password = "file:/nowhere/at/all"
    [[flows.services]]
    name = "billing"
    url = "https://billing.example.com"
    headers = { Authorization = "Bearer {token}" }
    secrets = { token = "env:TEST_BILLING_TOKEN" }
    """
    monkeypatch.delenv("TEST_BILLING_TOKEN", raising=False)
    config = load_config(write(tmp_path, text))
    with pytest.raises(ConfigError) as caught:
        config.check_secrets()
    assert "trunk pbx: secret file /nowhere/at/all" in str(caught.value)
    assert "service billing, token: the environment variable TEST_BILLING_TOKEN is not set" in str(caught.value)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[sip]\r\nmax_calls = 7\r\n")
    assert load_config(path).sip.max_calls == 7


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[sip]\nlisten = “127.0.0.1:5060”\n".encode(), "listen = .*curly quotes “ ” by straight ones"),
        ("[sip]\nmax_calls\u00a0= 7\n".encode(), r"U\+00A0"),
        ("[sip]\nmax_calls = 7\n".encode("utf-16"), "not UTF-8 text"),
        (b"[sip]\nadvertise = 'caf\xe9'\n", "not UTF-8 text"),
    ],
)
def test_what_no_keyboard_makes_is_told_in_clear_words(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert re.search(says, f"{caught.value} {caught.value.remedy}", re.DOTALL)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("sips:agent@192.0.2.20", "TLS"),
        ("SIPS:agent@192.0.2.20", "TLS"),
        ("sip:agent@192.0.2.20;transport=tls", "sip.transports has no tls"),
        ("sip:agent@192.0.2.20;transport=WS", "udp, tcp and tls, not ws"),
        ("sip:agent@192.0.2.20;transport=", "not nothing"),
        ("sip:agent@192.0.2.20;transport=udp;transport=sctp", "not sctp"),
        ("sip:agent@192.0.2.20:0", "0 is no port"),
        ("sip:agent@192.0.2.20:65536", "65536 is no port"),
        ("sip:agent@192.0.2.20:", "not a SIP URI"),
        ("sip:agent@192.0.2.20:sip", "not a SIP URI"),
        ("sip:agent@", "not a SIP URI"),
        ("sip:@192.0.2.20", "not a SIP URI"),
        ("sip:agent@:5060", "not a SIP URI"),
        ("sip:", "not a SIP URI"),
        ("tel:+15035550100", "not a SIP URI"),
        ("agent@192.0.2.20", "not a SIP URI"),
        ("sip:agent@[2001:db8::1", "not a SIP URI"),
        ("sip:agent@2001:db8::1", "not a SIP URI"),
        ("sip:agent@300.0.2.20", "neither an address nor a host name"),
        ("sip:agent@-desk", "neither an address nor a host name"),
        ("sip:agent@desk..example", "neither an address nor a host name"),
        ("sip:agent@0.0.0.0", "nobody is at"),
        ("sip:agent@[ff02::1]", "nobody is at"),
    ],
)
def test_a_target_that_cannot_be_dialled_is_refused_and_says_why(tmp_path: Path, target: str, says: str) -> None:
    for text in (
        f"[[desk.agents]]\nname = 'a'\ntarget = '{target}'\n",
        f"[[sip.trunks]]\nname = 'a'\nusername = 'u'\npassword = 'env:P'\nregister = '{target}'\n",
    ):
        with pytest.raises(ConfigError, match=says):
            load_config(write(tmp_path, text))


def test_a_target_over_a_transport_that_is_off_is_refused(tmp_path: Path) -> None:
    agents = "[[desk.agents]]\nname = 'a'\ntarget = 'sip:a@192.0.2.20;transport=udp'\n"
    load_config(write(tmp_path, agents))
    with pytest.raises(ConfigError, match="no udp"):
        load_config(write(tmp_path, "[sip]\ntransports = ['tcp']\n" + agents))


@pytest.mark.parametrize(
    "target",
    [
        "sip:agent@192.0.2.20", "sip:192.0.2.20:5090", "SIP:agent@Desk-1.example.com.;transport=TCP",
        "sip:+15035550100;npdi@trunk.example:5080", "sip:agent:word@[2001:db8::1]:5060", "sip:a@desk?Subject=x",
    ],
)  # fmt: skip
def test_targets_as_they_are_written(tmp_path: Path, target: str) -> None:
    config = load_config(write(tmp_path, f"[[desk.agents]]\nname = 'a'\ntarget = '{target}'\n"))
    assert config.desk.agents[0].target == target


def test_half_of_the_media_ports_are_for_those_who_join_the_callers(tmp_path: Path) -> None:
    for ports, callers in (("16000-16003", 1), ("16000-16999", 250), ("16001-16010", 2)):
        assert load_config(write(tmp_path, f"[media]\nports = '{ports}'\n")).media.callers == callers


TRUNK = '[[sip.trunks]]\nname = "pbx"\nallow = ["192.0.2.10"]\n'


def test_srtp_is_off_unless_somebody_wants_it(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, TRUNK + '[[desk.agents]]\nname = "a"\ntarget = "sip:a@192.0.2.20"\n'))
    assert config.sip.trunks[0].srtp == "off"
    assert config.desk.agents[0].srtp is None, "that of its trunk"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'{TRUNK}srtp = "require"', 'needs transport = "tls"'),
        (f'{TRUNK}transport = "tcp"\nsrtp = "require"', 'needs transport = "tls"'),
        (f'{TRUNK}srtp = "on"', "srtp"),
        ('[[desk.agents]]\nname = "a"\ntarget = "sip:a@192.0.2.20"\nsrtp = "require"', "needs TLS"),
        ('[[desk.agents]]\nname = "a"\ntarget = "sip:a@192.0.2.20;transport=tcp"\nsrtp = "require"', "needs TLS"),
    ],
)
def test_keys_that_anybody_could_read_are_not_called_required(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_config(write(tmp_path, text))


def test_srtp_by_tls_may_be_required() -> None:
    assert Trunk(name="pbx", allow=("192.0.2.10",), transport="tls", srtp="require").srtp == "require"
    for target in ("sips:a@192.0.2.20", "sip:a@192.0.2.20;transport=TLS"):
        agent = Agent.model_construct(name="a", target=target, srtp="require")
        assert Agent.keys_are_hidden(agent) is agent  # type: ignore[operator]  # pydantic hides the method
