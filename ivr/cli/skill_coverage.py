"""Skill coverage: who can take calls for each skill that the flows hand callers over with, as `ivr doctor` says it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ivr.cli.finding import Finding
from ivr.config import Config, DeskConfig
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.skills import skills_wanted
from ivr.ports.line import GENERAL

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def skill_coverage(config: Config, library: FlowLibrary, accounts: Collection[str]) -> Iterator[Finding]:
    """``accounts``: those that may take calls, by name. Whoever has no phone of the configuration is a generalist until
    a supervisor says otherwise."""
    desk = config.desk
    opens = any(getattr(desk.hours, day) for day in DAYS)
    phones = {agent.name: agent.skills for agent in desk.agents if agent.on_call or opens}
    on_the_console = {name: phones.get(name, (GENERAL,)) for name in accounts}
    if not phones and not on_the_console:
        why = "nobody has a phone or an account" if not desk.agents else "the office never opens, nobody is on call"
        remedy = "set [desk.hours] or on_call, or: ivr accounts add NAME --role agent"
        yield Finding("bad", "the line", f"{why}: nobody can ever take a call", remedy)
        return
    for skill in sorted({GENERAL, *skills_wanted(library)}):
        takers = [name for name, skills in phones.items() if skill in skills and name not in on_the_console]
        people = [f"{name} (console)" for name, skills in on_the_console.items() if skill in skills]
        if takers or people:
            yield Finding("ok", f"skill {skill}", ", ".join([*takers, *people]))
            continue
        detail = f"nobody has it: {_instead(skill, desk, {**phones, **on_the_console})}"
        yield Finding("note", f"skill {skill}", detail, f'give it to somebody: skills = ["{skill}"] in [[desk.agents]]')


def _instead(skill: str, desk: DeskConfig, known: dict[str, tuple[str, ...]]) -> str:
    """Who takes its callers as things are."""
    has = {each for skills in known.values() for each in skills}
    relaxed = [each for each in desk.line.relax if each.skill == skill and each.to in has]
    if relaxed:
        return f"its callers wait {relaxed[0].after_s:.0f} s for nobody, then {relaxed[0].to} takes them"
    return "generalists take its callers" if GENERAL in has else "whoever there is takes its callers"
