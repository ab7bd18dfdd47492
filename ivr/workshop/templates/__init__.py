"""New flows from templates: files that pass the checker and whose scripts pass, to be changed into what is wanted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.state import RESERVED_TARGETS
from ivr.errors import ConfigError

TEMPLATES: Mapping[str, str] = {
    "menu": "one open question with a few answers",
    "form": "asks for a date and a number, reads them back, returns them",
    "action": "asks for a title and does something in the company's systems",
    "http": "asks for a number and looks it up in a service of the company",
    "handoff": "finds out what it is about and gets a person",
}
SERVICE = "my_service"
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class NewFlow:
    """``files``: name -> text. ``unspoken``: languages of the folder that the template has no words in."""

    name: str
    files: Mapping[str, str]
    unspoken: tuple[str, ...] = ()


def new_flow(
    name: str, template: str, *, library: FlowLibrary | None = None, taken: Collection[str] = (), service: str = SERVICE
) -> NewFlow:
    """Raises ConfigError for a name that can't be, or is ``taken`` (file names of the folder)."""
    if template not in TEMPLATES:
        raise ConfigError(f"there is no template {template}", remedy=f"one of: {', '.join(TEMPLATES)}")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} can't be a flow's name", remedy="small letters, digits and _, a letter first")
    if name in RESERVED_TARGETS or name == "universals":
        raise ConfigError(f"{name} means something already", remedy="choose another name")
    languages = library.languages if library is not None else ()
    spoken = [v for v in languages if files(__name__).joinpath(f"{template}.{v}.yaml").is_file()]
    found = {f"{name}.yaml": _text(template, "", name, service)}
    found |= {f"{name}.{language}.yaml": _text(template, f".{language}", name, service) for language in spoken}
    found[f"{name}.test.yaml"] = _text(template, ".test", name, service)
    clash = sorted(set(found) & set(taken))
    if clash:
        raise ConfigError(f"{', '.join(clash)}: there already, and left alone", remedy="choose another name")
    unspoken = tuple(v for v in languages if v not in ("en-US", *spoken))
    return NewFlow(name, found, unspoken)


def _text(template: str, part: str, name: str, service: str) -> str:
    text = files(__name__).joinpath(f"{template}{part}.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("SERVICE", service)
