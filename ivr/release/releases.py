"""Releases: every version of the whole set of flow files that served callers, as the store keeps it.

Flows call each other, so they go live together: a release is all files, named by the hash of all their contents. The
history of one flow is the releases that changed it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError
from ivr.ports import FlowVersion, Publication

LIBRARY = "*"  # the name under which the store keeps the set; no flow can have it


class VersionStore(Protocol):
    """What is needed of ``ivr.store.flow_versions.FlowVersions``."""

    async def record_version(self, flow: str, version: str, source: str, by: str) -> bool: ...
    async def publish(self, flow: str, version: str, by: str, *, kind: str = "publish") -> str: ...
    async def roll_back(self, flow: str, by: str) -> str: ...
    async def start_canary(
        self, flow: str, version: str, by: str, *, percent: int = 0, numbers: Sequence[str] = ()
    ) -> None: ...
    async def end_canary(self, flow: str, by: str) -> str | None: ...
    async def live_version(self, flow: str) -> FlowVersion | None: ...
    async def canary_version(self, flow: str) -> FlowVersion | None: ...
    async def version(self, flow: str, version: str) -> FlowVersion | None: ...
    async def history(self, flow: str, limit: int = 100) -> Sequence[Publication]: ...


@dataclass(frozen=True, slots=True)
class Release:
    """One version's content. ``flows``: the hash of each flow in it."""

    version: str
    files: Mapping[str, str]
    flows: Mapping[str, str]
    by: str
    at: datetime
    percent: int = 0
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the history. ``changed``: the flows, and the files that are none (company, universals, lists), that
    differ from ``previous``, what was live before (or, for a canary, beside it)."""

    version: str
    previous: str
    kind: str
    by: str
    at: datetime
    changed: tuple[str, ...]


class Releases:
    """Methods raise StoreUnavailable, and FlowError for a version that was never recorded."""

    def __init__(self, versions: VersionStore) -> None:
        self._versions = versions
        self._flows: dict[str, Mapping[str, str]] = {}

    async def record(self, library: FlowLibrary, by: str) -> None:
        content = {"files": dict(library.sources), "flows": dict(library.versions)}
        source = json.dumps(content, ensure_ascii=False, sort_keys=True)
        await self._versions.record_version(LIBRARY, library.version, source, by)

    async def publish(self, version: str, by: str, *, kind: str = "publish") -> None:
        await self._versions.publish(LIBRARY, await self.resolve(version), by, kind=kind)

    async def roll_back(self, by: str, version: str = "") -> str:
        """To ``version``, or to the one before the live one; its name. Raises FlowError when there is none."""
        if not version:
            return await self._versions.roll_back(LIBRARY, by)
        version = await self.resolve(version)
        await self._versions.publish(LIBRARY, version, by, kind="rollback")
        return version

    async def start_canary(self, version: str, by: str, *, percent: int = 0, numbers: Sequence[str] = ()) -> str:
        """The whole name of the version that is on trial now."""
        version = await self.resolve(version)
        await self._versions.start_canary(LIBRARY, version, by, percent=percent, numbers=numbers)
        return version

    async def end_canary(self, by: str) -> str | None:
        return await self._versions.end_canary(LIBRARY, by)

    async def live(self) -> Release | None:
        return _release(await self._versions.live_version(LIBRARY))

    async def canary(self) -> Release | None:
        return _release(await self._versions.canary_version(LIBRARY))

    async def head(self) -> object:
        """Changes whenever somebody publishes, rolls back, or starts or ends a canary; cheap to ask."""
        newest = await self._versions.history(LIBRARY, 1)
        return (newest[0].version, newest[0].kind, newest[0].at) if newest else None

    async def stays_back(self, version: str) -> bool:
        """Whether ``version`` was taken away from callers since the last publication: rolled back from, or put on
        trial. The same files, found again at a restart, then don't go live by themselves."""
        for step in await self._versions.history(LIBRARY):
            if step.kind == "publish":
                return False
            if version == (step.previous if step.kind == "rollback" else step.version):
                return True
        return False

    async def resolve(self, version: str) -> str:
        """A unique beginning of a version's name -> the whole name. Raises FlowError."""
        if await self._versions.version(LIBRARY, version) is not None:
            return version
        steps = await self._versions.history(LIBRARY, 1000)
        known = {name for step in steps for name in (step.version, step.previous) if name}
        matching = sorted(name for name in known if version and name.startswith(version))
        if len(matching) > 1:
            raise FlowError(f"{version} may mean {', '.join(matching)}", remedy="write more of it")
        if not matching:
            raise FlowError(f"{version}: no such version", remedy="ivr flow history lists them")
        return matching[0]

    async def earlier(self, limit: int) -> Sequence[Release]:
        """What served callers, the latest first, each version once."""
        steps = await self._versions.history(LIBRARY, 1000)
        names = list(dict.fromkeys(step.version for step in steps if step.kind != "canary"))[:limit]
        found = [_release(await self._versions.version(LIBRARY, name)) for name in names]
        return [release for release in found if release is not None]

    async def history(self, flow: str = "", limit: int = 50) -> Sequence[Step]:
        """Newest first; of one flow: what changed it. Raises FlowError for a flow that no version has."""
        steps, known = [], False
        entries = await self._versions.history(LIBRARY, 1000)
        for index, entry in enumerate(entries[: None if flow else limit]):
            previous = entry.previous
            if entry.kind in ("canary", "withdraw"):  # on trial beside what was live then
                previous = next((e.version for e in entries[index:] if e.kind in ("publish", "rollback")), "")
            now, before = await self._content(entry.version), await self._content(previous)
            known = known or flow in now or flow in before
            changed = tuple(sorted(name for name in {*now, *before} if now.get(name) != before.get(name)))
            if not flow or flow in changed:
                steps.append(Step(entry.version, previous, entry.kind, entry.by, entry.at, changed))
        if flow and not known:
            raise FlowError(f"no version has a flow {flow}", remedy="ivr flow history, without a name, shows all")
        return steps[:limit]

    async def _content(self, version: str) -> Mapping[str, str]:
        if version and version not in self._flows:
            found = _release(await self._versions.version(LIBRARY, version))
            self._flows[version] = _parts(found) if found else {}
        return self._flows.get(version, {})


def _parts(release: Release) -> Mapping[str, str]:
    """What can change, by name: flows, each with all that it says, and the files that belong to none of them."""
    return {**{name.split(".")[0]: text for name, text in release.files.items()}, **release.flows}


def _release(found: FlowVersion | None) -> Release | None:
    if found is None:
        return None
    content = json.loads(found.source)
    numbers = found.canary_numbers
    return Release(found.version, content["files"], content["flows"], found.by, found.at, found.canary_percent, numbers)
