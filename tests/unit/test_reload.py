"""Reload: what changes, what needs a restart, and that a fault changes nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.config import Config, load_config
from ivr.errors import ConfigError
from ivr.reload import LIVE, Reload, differences
from tests.audit import FakeAudit

SHIPPED = Path(__file__).parents[2] / "config.toml"


def reading(text: str, path: Path) -> Callable[[], Config]:
    path.write_text(text, encoding="utf-8")
    return lambda: load_config(path)


async def fine(_: Config) -> None:
    return None


class Part:
    def __init__(self) -> None:
        self.told: list[Config] = []

    def __call__(self, config: Config) -> None:
        self.told.append(config)


async def test_live_keys_are_handed_out_and_the_others_named(tmp_path: Path) -> None:
    part = Part()
    reload = Reload(Config(), fine, [part])
    text = """
        [sip]
        max_calls = 7
        listen = "127.0.0.1:5070"
        [desk]
        caller_id = "sip:other@127.0.0.1"
        [[desk.agents]]
        name = "one"
        target = "sip:one@127.0.0.1"
        [retention]
        calls = "3d"
    """
    with capture_logs() as logs:
        await reload.run(reading(text, tmp_path / "config.toml"))
    (told,) = part.told
    assert told.sip.max_calls == 7 and told.desk.agents[0].name == "one" and told.retention.calls.days == 3
    assert told.sip.address.port == 5060 and told.desk.caller_id == "sip:line@127.0.0.1", "those need a restart"
    named = next(entry["keys"] for entry in logs if entry["event"] == "config.restart_needed")
    assert {"sip.listen", "desk.caller_id"} <= set(named) and not set(named) & LIVE
    changed = next(entry["changed"] for entry in logs if entry["event"] == "config.reloaded")
    assert set(changed) & {"sip.max_calls", "desk.agents", "retention.calls"} == set(changed) - {"logs.path"}


async def test_what_still_needs_a_restart_is_named_again(tmp_path: Path) -> None:
    reload = Reload(Config(), fine, [])
    for _ in range(2):
        with capture_logs() as logs:
            await reload.run(reading('[media]\nports = "20000-20999"', tmp_path / "config.toml"))
        assert any(entry["event"] == "config.restart_needed" for entry in logs)


@pytest.mark.parametrize(
    "text",
    [
        "[sip]\nmax_cals = 7", "[sip]\nmax_calls = 0", "[sip", '[flows]\ntime_zone = "Mars/Olympus"', "\x00",
        '[[sip.trunks]]\nname = "t"\nregister = "sip:x"\nusername = "u"\npassword = "env:NOBODY_SET_THIS"',
        '[[flows.services]]\nname = "s"\nurl = "http://x"\nsecrets = { token = "file:/nowhere/at/all" }',
        f"x = {'[' * 5000}",
    ],
)  # fmt: skip
async def test_a_fault_changes_nothing(tmp_path: Path, text: str) -> None:
    part = Part()
    reload = Reload(Config(), fine, [part])
    with capture_logs() as logs:
        await reload.run(reading(text, tmp_path / "config.toml"))
    assert [entry["event"] for entry in logs] == ["config.rejected"] and logs[0]["error"]
    assert part.told == [] and reload.config == Config()


async def test_a_file_that_is_gone_or_no_text_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    reload = Reload(Config(), fine, [])
    for is_folder in (False, True):
        if is_folder:
            path.mkdir()
        with capture_logs() as logs:
            await reload.run(lambda: load_config(path))
        assert [entry["event"] for entry in logs] == ["config.rejected"]
    path.rmdir()
    path.write_bytes(b"\xff\xfe\x00")
    with capture_logs() as logs:
        await reload.run(lambda: load_config(path))
    assert [entry["event"] for entry in logs] == ["config.rejected"]


async def test_what_the_line_could_not_go_on_with_changes_nothing(tmp_path: Path) -> None:
    async def no_skill(wanted: Config) -> None:
        raise ConfigError(f"nobody has the skill for {len(wanted.desk.agents)} agents")

    part = Part()
    with capture_logs() as logs:
        await Reload(Config(), no_skill, [part]).run(reading("[sip]\nmax_calls = 7", tmp_path / "config.toml"))
    assert logs[0]["event"] == "config.rejected" and "skill" in logs[0]["error"] and part.told == []


async def test_what_nobody_foresaw_is_told_and_the_next_reload_works(tmp_path: Path) -> None:
    async def stumbles(wanted: Config) -> None:
        if wanted.sip.max_calls == 7:
            raise TypeError("a fault of ours")

    part = Part()
    reload = Reload(Config(), stumbles, [part])
    with capture_logs() as logs:
        assert not await reload.run(reading("[sip]\nmax_calls = 7", tmp_path / "config.toml"))
    assert [entry["event"] for entry in logs] == ["config.check_raised", "config.rejected"]
    assert not reload.accepted and part.told == [] and reload.config == Config()
    assert await reload.run(reading("[sip]\nmax_calls = 8", tmp_path / "config.toml")) and reload.accepted
    assert reload.config.sip.max_calls == 8


async def test_a_part_that_raises_keeps_the_new_configuration_from_no_other(tmp_path: Path) -> None:
    def breaks(_: Config) -> None:
        raise KeyError("a fault of ours")

    part = Part()
    reload = Reload(Config(), fine, [breaks, part])
    with capture_logs() as logs:
        await reload.run(reading("[sip]\nmax_calls = 7", tmp_path / "config.toml"))
    assert [told.sip.max_calls for told in part.told] == [7] and reload.config.sip.max_calls == 7
    assert logs[0]["event"] == "config.part_failed" and not reload.accepted, "metrics and systemd say so"


async def test_a_secret_that_was_missing_before_is_no_new_fault(tmp_path: Path) -> None:
    trunk = '[[sip.trunks]]\nname = "t"\nregister = "sip:x"\nusername = "u"\npassword = "env:NOBODY_SET_THIS"\n'
    running = reading(trunk, tmp_path / "config.toml")()
    reload = Reload(running, fine, [])
    await reload.run(reading("[sip]\nmax_calls = 7\n" + trunk, tmp_path / "config.toml"))
    assert reload.config.sip.max_calls == 7


def test_live_keys_are_keys_of_the_file() -> None:
    shipped = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    for dotted in LIVE:
        section, _, key = dotted.partition(".")
        assert section in shipped and key in type(getattr(Config(), section)).model_fields
    assert differences(Config(), Config()) == []


async def test_a_reload_is_noted_and_waits_for_no_audit_log(tmp_path: Path) -> None:
    audit = FakeAudit()
    reload = Reload(Config(), fine, [], audit)
    await reload.run(reading("[sip]\nmax_calls = 7\n[media]\ntimeout_s = 9", tmp_path / "config.toml"))
    await reload.run(reading("[sip]\nmax_calls = 0", tmp_path / "config.toml"))
    done, rejected = audit.events
    assert (done.actor, done.action, done.result) == ("signal", "config.reloaded", "done")
    assert done.after is not None and "sip.max_calls" in done.after["changed"]
    assert "media.timeout_s" in done.after["postponed"]
    assert rejected.result.startswith("rejected: ")
    audit.broken = True
    await reload.run(reading("[sip]\nmax_calls = 8", tmp_path / "config.toml"))
    assert reload.config.sip.max_calls == 8
