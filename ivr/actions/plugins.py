"""Plug-ins: actions in Python, of packages installed beside the line, by the entry point group ``ivr.actions``.

An entry point names an ``ActionSet``, or a function without arguments that makes one. Its signatures say what flows may
know of the actions (outcomes, risk, what they need): the checker proves flows against them as against any other's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points

from ivr.actions.registry import ActionSet, Invocation
from ivr.errors import ConfigError
from ivr.events import ActionResult

GROUP = "ivr.actions"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point. ``package``: the distribution that has it, with its version; "" where nobody knows."""

    name: str
    package: str
    actions: ActionSet

    @property
    def rehearsed(self) -> ActionSet:
        """For simulated calls: nothing is done anywhere, and each ends in the first of its outcomes."""
        ends = {s.name: partial(_ended, s.outcomes[0]) for s in self.actions.signatures}
        return ActionSet(self.actions.signatures, ends)


async def _ended(outcome: str, invocation: Invocation) -> ActionResult:
    return ActionResult(outcome)


@lru_cache(maxsize=1)
def plugins() -> tuple[Plugin, ...]:
    """Those installed here, by name. Raises ConfigError for one that can't be used: it would be missing in a call."""
    found = tuple(_loaded(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name))
    for plugin, names in _clashes(found):
        remedy = "uninstall one of the two, or have its author rename them"
        raise ConfigError(f"the plug-in {plugin.name} has actions that another has: {names}", remedy=remedy)
    return found


def _loaded(entry: EntryPoint) -> Plugin:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    what = f"the plug-in {entry.name} of {package or entry.value}"
    try:
        named = entry.load()
        actions = named() if callable(named) else named
    except Exception as error:  # whatever a package does on import
        why = f"{what} can't be loaded: {type(error).__name__}: {error}"
        raise ConfigError(why, remedy="mend it, or uninstall the package") from error
    if not isinstance(actions, ActionSet):
        remedy = "its entry point must name an ivr.actions.ActionSet, or a function that makes one"
        raise ConfigError(f"{what} brings no actions", remedy=remedy)
    if missing := [s.name for s in actions.signatures if s.name not in actions.handlers]:
        raise ConfigError(f"{what} declares {', '.join(missing)} and can't do it", remedy="have it bring a handler")
    return Plugin(entry.name, package, actions)


def _clashes(found: tuple[Plugin, ...]) -> Iterator[tuple[Plugin, str]]:
    known: set[str] = set()
    for plugin in found:
        names = {signature.name for signature in plugin.actions.signatures}
        if twice := sorted(names & known):
            yield plugin, ", ".join(twice)
        known |= names
