"""Whole small lines to begin with: a company's name, its hours and its languages make them its own.

Templates are the files beside this one, ``TEMPLATE.FILE``, and those that every line has, ``common.FILE``. A line of
one that ends in ``#es`` is there where Spanish is spoken only, in ``#one`` where it isn't, one in ``#TEMPLATE`` in that
one; ``@NAME@`` is what the company said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from zoneinfo import available_timezones

from ivr.dialogue.checker.symbols import capitals_in, sign_in
from ivr.errors import ConfigError
from ivr.workshop.lines.opening_hours import OpeningHours

FIRST, SPANISH = "en-US", "es-ES"
LANGUAGES = (FIRST, SPANISH)
HOURS, HUMAN, ZONE = "mon-fri 09:00-17:00", "sip:agent@127.0.0.1:5090", "America/Los_Angeles"
"""What is taken where nothing is said."""
_NAMED = {"en": FIRST, "english": FIRST, "inglés": FIRST, "es": SPANISH, "spanish": SPANISH, "español": SPANISH}
_MARK = re.compile(r"^(.*?)((?:\s+#[a-z]+)+)$")
_SPANISH_ONLY, _ONE_LANGUAGE = "es", "one"
_MARKS = frozenset({_SPANISH_ONLY, _ONE_LANGUAGE})
_PLACE = re.compile(r"@([A-Z_]+)@")
_COMPANY = re.compile(r"[^\x00-\x1f\"\\{}<>@#\[\]|*_`]{1,60}\Z")
_SIP = re.compile(r"sips?:[^\s\"\\<>@]+@[^\s\"\\<>@]+\Z")
_NUMBER = re.compile(r"\+?[0-9 ()./-]{3,24}\Z")
_WHOLE = ("config.toml", "README.md")  # beside the folder of flows
_IGNORED = "# Secrets, and what is made anew, belong into no repository.\n.env\n*.key\n*.pem\nvar/\naudio/.cache/\n"


@dataclass(frozen=True, slots=True)
class Template:
    about: str
    service: str


TEMPLATES: Mapping[str, Template] = {
    "dentist": Template("appointments: book, move, cancel; emergencies to a person at once", "practice"),
    "shop": Template("orders: where one is, by number or caller; returns and complaints to a person", "shop"),
    "reception": Template("an office: departments and people by name, messages, the way there", "office"),
}


def languages_of(text: str) -> tuple[str, ...]:
    """As somebody writes them: tags or names, in any case, with commas."""
    named = {**_NAMED, **{tag.lower(): tag for tag in LANGUAGES}}
    return tuple(dict.fromkeys(named.get(each.lower(), each) for each in map(str.strip, text.split(",")) if each))


def demand_template(name: str) -> None:
    if name not in TEMPLATES:
        raise ConfigError(f"there is no template {name}", remedy=f"one of: {', '.join(TEMPLATES)}")


def demand_languages(tags: Sequence[str]) -> None:
    if strange := [tag for tag in tags if tag not in LANGUAGES]:
        known = ", ".join(LANGUAGES)
        raise ConfigError(
            f"there are no words in {strange[0]} yet", remedy=f"choose among {known}; more are written later"
        )
    if not tags:
        raise ConfigError("a line speaks a language", remedy=f"choose among {', '.join(LANGUAGES)}")


def demand_company(name: str, languages: Sequence[str]) -> None:
    """A name that is said as it is written, in each of ``languages``."""
    if not name.strip() or not _COMPANY.match(name):
        raise ConfigError(f"{name!r} can't be said", remedy="write the company's name in letters, as it is said")
    for language in languages:
        for why, remedy in (sign_in(name, language), capitals_in(name)):
            if why:
                raise ConfigError(f"the company's name is spoken: {why}", remedy=remedy)


def demand_human(address: str) -> str:
    if not _SIP.match(address):
        raise ConfigError(
            f"{address!r} is no SIP address", remedy="write sip:NAME@HOST, such as sip:front-desk@192.0.2.10"
        )
    return address


def demand_number(number: str) -> None:
    if not _NUMBER.match(number):
        raise ConfigError(f"{number!r} is no telephone number", remedy="write it with digits, such as +1 503 555 0100")


def demand_time_zone(name: str) -> str:
    zones = available_timezones()
    if name in zones:
        return name
    cities = {zone.rpartition("/")[2].replace("_", " ").lower(): zone for zone in sorted(zones) if "/" in zone}
    meant = {**cities, **{zone.lower(): zone for zone in zones}}
    like = get_close_matches(name.replace("_", " ").lower(), meant, 1, 0.75)
    such = meant[like[0]] if like else ZONE
    raise ConfigError(f"{name!r} is no time zone", remedy=f"write one such as {such}")


@dataclass(frozen=True, slots=True)
class NewLine:
    """What a line is made of. ``human``: the SIP address of who answers as a person."""

    company: str
    template: str
    languages: Sequence[str] = (FIRST,)
    hours: OpeningHours = OpeningHours.of(HOURS)  # noqa: RUF009 - frozen
    human: str = HUMAN
    number: str = ""
    time_zone: str = ZONE

    def __post_init__(self) -> None:
        """Raises ConfigError for what can't be."""
        demand_template(self.template)
        demand_languages(self.languages)
        demand_company(self.company, self.languages)
        demand_human(self.human)
        demand_time_zone(self.time_zone)
        if self.number:
            demand_number(self.number)

    def files(self) -> Mapping[str, str]:
        """Path -> text."""
        made = {path: self._text(name) for path, name in self._names()}
        made[".gitignore"] = _IGNORED
        return dict(sorted(made.items()))

    def _names(self) -> Iterator[tuple[str, str]]:
        for entry in files(__name__).iterdir():
            owner, _, name = entry.name.partition(".")
            if owner not in ("common", self.template) or not name:
                continue
            if name in _WHOLE:
                yield name, entry.name
            elif SPANISH in self.languages or not (f".{SPANISH}." in name or name.startswith("spanish.")):
                yield f"flows/{self._named(name)}", entry.name

    def _named(self, name: str) -> str:
        return f"{TEMPLATES[self.template].service}.{name}" if name == "mock.yaml" else name

    def _text(self, name: str) -> str:
        text = files(__name__).joinpath(name).read_text(encoding="utf-8")
        lines = [self._line(line) for line in text.splitlines()]
        return _PLACE.sub(self._said, "\n".join(line for line in lines if line is not None) + "\n")

    def _line(self, line: str) -> str | None:
        marked = _MARK.match(line)
        if marked is None or not (marks := set(marked[2].replace("#", " ").split())) <= {*_MARKS, *TEMPLATES}:
            return line
        here = {self.template, _SPANISH_ONLY if SPANISH in self.languages else _ONE_LANGUAGE}
        return marked[1] if marks <= here else None

    def _said(self, place: re.Match[str]) -> str:
        template = TEMPLATES[self.template]
        values = {
            "COMPANY": self.company.strip(),
            "ABOUT": f"A {self.template}'s line; {template.about}.",
            "SERVICE": template.service,
            "HUMAN": self.human,
            "FIRST": self.languages[0],
            "TIME_ZONE": self.time_zone,
            "NUMBER": f"\n[[flows.numbers]]  # the number that people call\ncalled = {json.dumps(self.number)}\n"
            if self.number
            else "",
            "HOURS": self.hours.toml(),
            "HOURS_SAID": self.hours.said(FIRST),
            "HOURS_SAID_ES": self.hours.said(SPANISH),
            "SIP": "sip:line@127.0.0.1:5060",
        }
        return values[place[1]]
