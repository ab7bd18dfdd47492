"""What the documents say, held against the product: commands, links, configuration keys, files to deploy."""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel

from ivr import deploy
from ivr.__main__ import parser
from ivr.cli.flow import TOOLS
from ivr.config import Config, load_config
from ivr.extras import installing
from ivr.web import api, live, pages

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "flows/README.md",
        "audio/README.md",
        "ivr/deploy/README.md",
    )
]
CONFIG = ROOT / "config.toml"


def commands(path: Path) -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("ivr "):
                yield line.partition(" #")[0].strip()


@pytest.mark.parametrize("line", sorted({line for path in DOCUMENTS for line in commands(path)}))
def test_every_command_in_the_documents_is_one(line: str) -> None:
    words = shlex.split(line.split("|")[0].split(">")[0])[1:]
    assert parser().parse_args([re.sub(r"^[A-Z]+$", "1", word) for word in words]).handler


def test_nothing_tells_to_install_a_stranger_s_package() -> None:
    """On package registries "ivr" is somebody else's: extras come from the source's folder."""
    wrong = re.compile(r"pip install (-\S+ )*['\"]?ivr\b")
    code = [path for room in ("ivr", "tests/bench") for path in (ROOT / room).rglob("*.py")]
    assert not [path for path in (*DOCUMENTS, CONFIG, *code) if wrong.search(path.read_text("utf-8"))]
    assert wrong.search("pip install ivr[otel]") and wrong.search("pip install -q 'ivr[demo]'")
    assert installing("otel").endswith("-m pip install '.[otel]'")


def _parsers(root: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield root
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _parsers(inner)


@pytest.mark.parametrize("command", list(_parsers(parser())), ids=lambda command: command.prog)
def test_every_command_explains_itself(command: argparse.ArgumentParser) -> None:
    assert command.format_help().startswith(f"usage: {command.prog}")


def test_every_file_to_deploy_is_told_of_apart_from_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["deploy", "--help"])
    said = capsys.readouterr().out
    for name, (_, about) in deploy.NAMES.items():
        assert re.search(rf"^  {name}  +{re.escape(about)}$", said, re.M), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), f"{path.name} links to {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{path.name} links to {target}"


def test_the_layout_names_everything_at_the_top() -> None:
    table = (
        (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## How the house is laid out")[2].partition("## ")[0]
    )
    modules = {path.name for path in (ROOT / "ivr").glob("*.py")} - {"__init__.py", "__main__.py"}
    rooms = {f"ivr/{path.parent.name}/" for path in (ROOT / "ivr").glob("*/__init__.py")}
    assert not [name for name in (*modules, *rooms) if name not in table]


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        nested = [a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(a, type)]
        models = [a for a in nested if issubclass(a, BaseModel)]
        if models:
            yield from _keys(models[0], f"{key}.")
        else:
            yield key


def uncommented() -> str:
    """The shipped file with everything that is commented out switched on, TLS by its transport, too."""
    shipped = CONFIG.read_text("utf-8").replace('transports = ["udp", "tcp"]', 'transports = ["udp", "tcp", "tls"]')
    return re.sub(r"^# (?=\[+[a-z]|\w+ = )", "", shipped, flags=re.M)


def _given(value: object, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _given(inner, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from _given(inner, prefix)
    if prefix:
        yield prefix


def test_the_flow_guide_names_every_tool() -> None:
    guide = (ROOT / "flows" / "README.md").read_text("utf-8")
    assert not [tool for tool in TOOLS if not re.search(rf"`ivr flow {tool}\b", guide)]


def test_every_address_of_the_console_and_the_api_is_told_of() -> None:
    """The API's each; the console's by its page, whatever that asks for by itself. How one logs in is on the page."""
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## The API")[2].partition("\n## ")[0]
    named = {path for code in re.findall(r"`([^`]+)`", guide) for path in re.findall(r"/[^\s?]+", code)}
    served = {route.path for route in (*api.ROUTES, *pages.ROUTES, *live.ROUTES)}
    assert len(served) > 40

    def told(path: str) -> bool:
        draft = path.removeprefix("/api/drafts/{draft}")
        if path.startswith("/api/"):
            return path in named or (draft != path and draft in named)
        return any(path == page or path.startswith(f"{page}/") for page in {*named, "/login", "/logout", "/static"})

    assert not [path for path in sorted(served - {"/"}) if not told(path)]


def test_the_shipped_configuration_names_every_key_there_is() -> None:
    given = set(_given(tomllib.loads(uncommented())))
    assert set(_keys(Config)) <= given, "a key is nowhere explained"


def test_what_the_shipped_configuration_has_commented_out_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(uncommented(), encoding="utf-8")
    assert load_config(path).flows.services[0].name == "deliveries"


@pytest.mark.parametrize("name", deploy.NAMES)
def test_files_to_deploy_are_there_and_whole(name: str) -> None:
    text = deploy.text(name)
    addresses = re.findall(r"\b(?!0\.0\.0\.0|127\.)\d+\.\d+\.\d+\.\d+\b", text)
    assert {address.rpartition(".")[0] for address in addresses} <= {"192.0.2"}, "the range for documentation"
    assert addresses or name in ("systemd", "container", "kamailio-tls", "logrotate", "runbook", "alerts", "dashboard")
    if name == "freeswitch":
        ElementTree.fromstring(f"<all>{text}</all>")


def test_the_guide_names_every_address_of_the_proxys_file_as_it_stands_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    shown = "".join(re.findall(r"```kamailio\n(.*?)```", guide, re.S)).splitlines()
    text = deploy.text("kamailio")
    shipped = [line for line in text.splitlines() if "192.0.2." in line and not line.startswith("# ")]
    listed = re.findall(r"^# +(1 sip:.+)$", text, re.M)
    assert shipped and listed and shown == [*shipped, *listed]
    assert "/etc/kamailio/dispatcher.list" in guide and 'list_file", "/etc/kamailio/dispatcher.list"' in text
