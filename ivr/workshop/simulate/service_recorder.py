"""A recorder of services: simulated calls ask the real ones, and what they answer becomes mock files to replay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from yarl import URL

from ivr.actions.http import SIGNATURES, Exchanged, HttpActions
from ivr.actions.registry import parse
from ivr.config import HttpService
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import ConfigError, IvrError
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall
from ivr.workshop.simulate.mock_services import SUFFIX, Exchange, parse_mock, services_of
from ivr.workshop.simulate.personal_data import PersonalData, personal_names, secret_names

_ABOUT = "Recorded from the real service. Secrets, names and telephone numbers are replaced; look through it once more."


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written. ``remarks``: what will be otherwise when it is replayed."""

    files: tuple[Path, ...]
    remarks: tuple[str, ...]


class ServiceRecorder:
    """``services`` are asked for real; ``aclose`` it. Raises ConfigError at once for what could not be written."""

    def __init__(self, services: Sequence[HttpService], library: FlowLibrary, folder: Path) -> None:
        named = services_of(library)
        self._services = {s.name: s for s in services if s.name in named}
        if not self._services:
            what = ", ".join(sorted(named)) or "no service at all"
            raise ConfigError(
                f"nothing to record: the flows call {what}, and config.toml has none of them",
                remedy="say where it is under [[flows.services]]",
            )
        self._library, self._folder = library, folder
        self._known = [secret.reveal() for s in self._services.values() for secret in s.secrets.values()]
        if there := [path for path in map(self._path, self._services) if path.exists()]:
            raise ConfigError(f"{there[0]} is there already, and is not changed", remedy="name another folder")
        self._heard: list[Exchanged] = []
        self._http = HttpActions(list(self._services.values()), heard=self._heard.append)

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}{SUFFIX}"

    def answers(self, service: str) -> bool:
        return service in self._services

    async def aclose(self) -> None:
        await self._http.aclose()

    async def perform(self, call: ActionCall) -> ActionResult:
        return await self._http.call(parse(SIGNATURES[0], call))

    async def vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        """Those that the services have; one that does not answer has none."""
        found: dict[str, tuple[Term, ...]] = {}
        for name, spec in self._library.sourced:
            try:
                places = spec.places.model_dump()
                found[name] = await self._http.vocabulary(spec.service, spec.path, spec.query, places, f"record/{name}")
            except IvrError:
                continue
        return found

    def write(self) -> Recorded:
        """A file for each service that was asked. Raises ConfigError."""
        data = PersonalData(secret_names(self._library), personal_names(self._library), self._known)
        for each in self._heard:
            data.learn(dict(each.url.query))
            data.learn(_json(each.body))
            data.learn(_json(each.content))
        files, remarks = [], list[str]()
        for service in dict.fromkeys(each.service for each in self._heard):
            exchanges: dict[str, dict[str, Any]] = {}
            for each in (e for e in self._heard if e.service == service):
                asked, answered = self._request(each, data), _answer(each, data)
                kept = exchanges.setdefault(json.dumps(asked, sort_keys=True, default=str), asked | answered)
                if kept != asked | answered:
                    remarks.append(f"{service}: {asked['on']} was answered in two ways; the first is kept")
            files.append(self._written(service, list(exchanges.values())))
        return Recorded(tuple(files), tuple(dict.fromkeys(remarks)))

    def _request(self, each: Exchanged, data: PersonalData) -> dict[str, Any]:
        base = URL(self._services[each.service].url).path.rstrip("/")
        path = data.path(unquote(each.url.path).removeprefix(base)) or "/"
        plain = "/".join("{part}" if set(part) & set(" {}?") else part for part in path.split("/"))
        asked: dict[str, Any] = {"on": f"{each.method} {plain}"}
        if each.url.query:
            asked["query"] = data.masked(dict(each.url.query))
        if (body := _json(each.body)) and isinstance(body, dict):
            asked["body"] = data.masked(body)
        return asked

    def _written(self, service: str, exchanges: list[dict[str, Any]]) -> Path:
        exchanges.sort(key=lambda e: -len(e.get("query", {})) - len(e.get("body", {})))  # the most particular first
        made = {"mock": service, "about": _ABOUT, "answers": exchanges}
        text = yaml.safe_dump(made, allow_unicode=True, sort_keys=False, width=120)
        path = self._path(service)
        if findings := parse_mock(path.name, text).findings:
            raise ConfigError(findings[0].render(), remedy="what it answers can't be replayed")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", remedy="name a folder that can be written") from error
        return path


def _answer(each: Exchanged, data: PersonalData) -> dict[str, Any]:
    if not each.status:
        return {"silent": True}
    found: dict[str, Any] = {"status": each.status} if each.status != Exchange().status else {}
    payload = _json(each.content)
    return found if payload is None else found | {"json": data.masked(payload)}


def _json(content: bytes | None) -> Any:
    try:
        return json.loads(content or b"null")
    except ValueError:
        return None
