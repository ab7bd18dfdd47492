"""Plug-ins: packages that are really installed, found by their entry points, proven by the checker, run in calls."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.actions import ActionRegistry
from ivr.actions.plugins import plugins
from ivr.company import Company
from ivr.errors import ConfigError
from ivr.ports import ActionCall
from ivr.workshop.simulate.sandbox import Sandbox
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

WEATHER = """
from ivr.actions import ActionSet
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import ActionResult
from ivr.identity import IdentityLevel

DONE = []


async def look(invocation):
    DONE.append(invocation["day"])
    return ActionResult("dry", {"degrees": 21})


def made():
    look_up = ActionSignature(
        "weather.look", (Parameter("day", "date"),), ("dry", "wet"), {"degrees": "number"}, needs=IdentityLevel.UNKNOWN
    )
    return ActionSet([look_up], {"weather.look": look})


NOTHING = 7
HALF = ActionSet([ActionSignature("weather.change")])
OURS = ActionSet([ActionSignature("callback.request")], {"callback.request": look})
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, empty as yet."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.cache_clear()
    yield tmp_path
    plugins.cache_clear()
    sys.modules.pop("acme_weather", None)


def install(site: Path, *entries: str, module: str = WEATHER) -> None:
    (site / "acme_weather.py").write_text(module)
    info = site / "acme_weather-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-weather\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[ivr.actions]\n" + "".join(f"{entry}\n" for entry in entries))


def test_without_any_there_are_none(site: Path) -> None:
    assert plugins() == ()


def test_what_is_installed_is_known_run_and_only_rehearsed_in_simulations(site: Path) -> None:
    install(site, "weather = acme_weather:made")
    (plugin,) = plugins()
    assert (plugin.name, plugin.package) == ("weather", "acme-weather 1.2")
    assert Company().all_signatures["weather.look"].returns == {"degrees": "number"}
    call = ActionCall("weather.look", {"day": "2026-07-04"}, "k", "c", {})
    rehearsed = asyncio.run(Sandbox().perform(call))
    assert (rehearsed.outcome, rehearsed.values, sys.modules["acme_weather"].DONE) == ("dry", {}, [])
    really = asyncio.run(ActionRegistry(plugin.actions).perform(call))
    assert (really.outcome, really.values) == ("dry", {"degrees": 21})


@pytest.mark.parametrize(
    ("entries", "module", "why"),
    [
        (["weather = acme_weather:made"], "import nothing_like_it\n", "can't be loaded: ModuleNotFoundError"),
        (["weather = acme_weather:gone"], WEATHER, "can't be loaded: AttributeError"),
        (["weather = acme_weather:NOTHING"], WEATHER, "of acme-weather 1.2 brings no actions"),
        (["weather = acme_weather:HALF"], WEATHER, "declares weather.change and can't do it"),
        (["a = acme_weather:made", "b = acme_weather:made"], WEATHER, "b has actions that another has: weather.look"),
        (["ours = acme_weather:OURS"], WEATHER, "the line's own names: callback.request"),
    ],
)
def test_one_that_cannot_be_used_is_told_before_any_call(site: Path, entries: list[str], module: str, why: str) -> None:
    install(site, *entries, module=module)
    with pytest.raises(ConfigError) as raised:
        Company().all_signatures  # noqa: B018 - it is asked for
    assert why in str(raised.value)


def test_doctor_lists_them_and_the_checker_holds_flows_against_them(site: Path) -> None:
    install(site, "weather = acme_weather:made")
    (site / "flows").mkdir()
    (site / "flows" / "main.yaml").write_text(
        "flow: main\nstart: look\nstates:\n"
        "  look: {action: weather.look, with: {dya: call.id}, on: {dry: human, failed: human, timeout: human}}\n"
    )
    (site / "flows" / "universals.yaml").write_text(UNIVERSALS)
    (site / "flows" / "human.yaml").write_text(HUMAN)
    (site / "config.toml").write_text('[flows]\ndirectory = "flows"\n[company]\npackage = ""\n')

    def ivr(*arguments: str) -> str:
        code = f"import sys; sys.path.insert(0, {str(site)!r}); from ivr.__main__ import main; sys.exit(main())"
        command = [sys.executable, "-c", code, *arguments, "--config", "config.toml"]
        done = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "weather (acme-weather 1.2): weather.look" in ivr("doctor")
    said = ivr("flow", "check")
    assert "weather.look called dya" in said and "weather.look can end in wet" in said
