"""How what callers say and hear differs: variables, intents, the universals, and the words of other languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary, OverlayKey
from ivr.dialogue.flows.model import IntentSpec, Risk, Universal, Universals, VariableSpec, Wording
from ivr.workshop.compare.change import Change, Weight, listed, marked, named, spelled
from ivr.workshop.compare.renames import Names, retold_id

_SPECS = {
    "type": "is a",
    "vocabularies": "comes from",
    "minimum": "is at least",
    "maximum": "is at most",
    "length": "has the length",
    "survive": "survives a dropped call:",
    "secret": "is kept out of logs:",
}


def variable_changes(
    section: str, old: Mapping[str, VariableSpec], new: Mapping[str, VariableSpec], what: str
) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        place = f"{what} {name}"
        if before is None and after is not None:
            yield Change(section, place, "variable-added", f"a new {what}, {after.type}")
        elif after is None and before is not None:
            yield Change(section, place, "variable-removed", f"this {what} is gone")
        elif before is not None and after is not None and before != after:
            for key, text in _SPECS.items():
                was, now = getattr(before, key), getattr(after, key)
                if was != now:
                    yield Change(section, place, "variable", f"{text} {named(now)}, was {named(was)}")
            for value in dict.fromkeys((*before.values, *after.values)):
                yield from phrase_changes(
                    section, place, before.values.get(value, ()), after.values.get(value, ()), f" (for {value})"
                )
            if before.about != after.about:
                yield Change(section, place, "about", "another note to colleagues", before.about, after.about)


def intent_changes(section: str, old: Mapping[str, IntentSpec], new: Mapping[str, IntentSpec]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        place = f"intent {name}"
        if before is None and after is not None:
            yield Change(section, place, "intent-added", f"new: callers may say {listed(after.phrases)}")
        elif after is None and before is not None:
            text = f"gone: {listed(before.phrases)} mean nothing of their own now"
            yield Change(section, place, "intent-removed", text)
        elif before is not None and after is not None:
            yield from phrase_changes(section, place, before.phrases, after.phrases)
            if before.risk != after.risk:
                weight: Weight = "care" if before.risk else "plain"
                effect = "it need not lead to a human any more" if not after.risk else "it may only lead to a human"
                text = f"its risk is {named(after.risk)}, was {named(before.risk)}"
                yield Change(section, place, "risk", text, effect=effect, weight=weight)
            if before.about != after.about:
                yield Change(section, place, "about", "another note to colleagues", before.about, after.about)


def phrase_changes(
    section: str, place: str, old: tuple[str, ...], new: tuple[str, ...], what: str = "", *, care: bool = False
) -> Iterator[Change]:
    gained = [p for p in new if p not in old]
    lost = [p for p in old if p not in new]
    if gained:
        yield Change(section, place, "phrases-gained", f"callers may also say{what}: {listed(gained)}")
    if lost:
        weight: Weight = "care" if care else "plain"
        yield Change(section, place, "phrases-lost", f"no longer listened for{what}: {listed(lost)}", weight=weight)


# --- the universals ------------------------------------------------------------------------------------------------


def universal_changes(old: Universals, new: Universals) -> Iterator[Change]:
    section = UNIVERSALS_FILE
    for key, text in (
        ("language", "their language is"),
        ("persona", "their persona is"),
        ("human_flow", "every road to a human ends in the flow"),
    ):
        was, now = getattr(old, key), getattr(new, key)
        if was != now:
            weight: Weight = "care" if key == "human_flow" else "plain"
            yield Change(section, "", key.replace("_", "-"), f"{text} {now}, was {was}", weight=weight)
    for name in ("human", "repeat", "help", "back", "goodbye"):
        before, after = getattr(old, name), getattr(new, name)
        assert isinstance(before, Universal)
        assert isinstance(after, Universal)
        yield from phrase_changes(section, name, before.phrases, after.phrases, care=name == "human")
        if before.keys != after.keys:
            lost = set(before.keys) - set(after.keys)
            text = f"its keys are {named(after.keys)}, were {named(before.keys)}"
            human: Weight = "care" if name == "human" and lost else "plain"
            yield Change(section, name, "key", text, weight=human)
    for name in dict.fromkeys((*old.languages, *new.languages)):
        was_chosen, is_chosen = (u.languages.get(name) or Universal(phrases=()) for u in (old, new))
        place = f"language {name}"
        yield from phrase_changes(section, place, was_chosen.phrases, is_chosen.phrases)
        if was_chosen.keys != is_chosen.keys:
            text = f"its keys are {named(is_chosen.keys)}, were {named(was_chosen.keys)}"
            yield Change(section, place, "key", text)
    for name in ("yes", "no"):
        yield from phrase_changes(section, name, getattr(old, name), getattr(new, name))
    for name in dict.fromkeys((*old.risks, *new.risks)):
        yield from _risk(name, old.risks.get(name), new.risks.get(name))
    yield from _concepts(UNIVERSALS_FILE, "", old.concepts, new.concepts)
    for name in dict.fromkeys((*old.prompts, *new.prompts)):
        if old.prompts.get(name) != new.prompts.get(name):
            was, now = marked(spelled(old.prompts.get(name)), spelled(new.prompts.get(name)))
            yield Change(section, f"sentence {name}", "prompt", "other words", was, now)


def _concepts(
    section: str, place: str, old: Mapping[str, tuple[str, ...]], new: Mapping[str, tuple[str, ...]]
) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        where = f"{place}, concept {name}".removeprefix(", ")
        yield from phrase_changes(section, where, old.get(name, ()), new.get(name, ()), " where no phrase fits")


def _risk(name: str, old: Risk | None, new: Risk | None) -> Iterator[Change]:
    section, place = UNIVERSALS_FILE, f"risk {name}"
    if new is None:
        effect = "who says such things no longer gets a human at once"
        yield Change(section, place, "risk-removed", "this risk is gone", effect=effect, weight="care")
        return
    if old is None:
        effect = f"who says {listed((*new.phrases, *new.keywords), 3)} gets a human at once"
        yield Change(section, place, "risk-added", "a new risk", effect=effect)
        return
    yield from phrase_changes(section, place, old.phrases, new.phrases, care=True)
    yield from phrase_changes(section, place, old.keywords, new.keywords, " in all that is said", care=True)
    for key in ("reason", "skill", "priority"):
        was, now = getattr(old, key), getattr(new, key)
        if was != now:
            yield Change(section, place, "handoff", f"the {key} given to the human is {now}, was {was}")


# --- the words of other languages and personas -----------------------------------------------------------------------


def wording_changes(
    old: FlowLibrary, new: FlowLibrary, flows: Names, names: Mapping[str, tuple[Names, Names]]
) -> Iterator[Change]:
    """``names``: for each new flow, its states' and intents' new names by the old."""
    before = {(flows.get(k[0], k[0]), k[1], k[2]): w for k, w in old.wordings.items()}
    for key in dict.fromkeys((*before, *new.wordings)):
        was, now = before.get(key), new.wordings.get(key)
        place = _voice(key)
        if now is None:
            effect = "they hear the flow's own words there"
            yield Change(key[0], place, "wording-removed", "these words are gone", effect=effect, weight="care")
        elif was is None:
            yield Change(_owner(new, key), place, "wording-added", f"new words: {len(now.prompts)} prompts")
        else:
            yield from _wording(new, key, told(was, *names.get(key[0], ({}, {}))), now)


def _voice(key: OverlayKey) -> str:
    return f"words {key[1]}" + (f" {key[2]}" if key[2] != "neutral" else "")


def told(wording: Wording, states: Names, intents: Names) -> Wording:
    return wording.model_copy(
        update={
            "prompts": {retold_id(k, states, intents): p for k, p in wording.prompts.items()},
            "labels": {retold_id(k, states, intents): p for k, p in wording.labels.items()},
            "intents": {intents.get(k, k): p for k, p in wording.intents.items()},
        }
    )


def _wording(library: FlowLibrary, key: OverlayKey, old: Wording, new: Wording) -> Iterator[Change]:
    place = _voice(key)
    for name in dict.fromkeys((*old.prompts, *new.prompts)):
        before, after = old.prompts.get(name), new.prompts.get(name)
        if before != after:
            section = _owner(library, key, "prompts", name)
            was, now = marked(spelled(before), spelled(after))
            text = f"{name}: {'other' if before and after else 'new' if after else 'no'} words"
            yield Change(section, place, "prompt", text, was if before else "", now if after else "")
    for name in dict.fromkeys((*old.labels, *new.labels)):
        if old.labels.get(name) != new.labels.get(name):
            section = _owner(library, key, "labels", name)
            was, now = marked(old.labels.get(name, "nothing"), new.labels.get(name, "nothing"))
            yield Change(section, place, "label", f"the key menu names {name} otherwise", was, now)
    for name in dict.fromkeys((*old.intents, *new.intents)):
        section = _owner(library, key, "intents", name)
        what = f" (for {name})"
        yield from phrase_changes(section, place, old.intents.get(name, ()), new.intents.get(name, ()), what)
    for name in dict.fromkeys((*old.values, *new.values)):
        section = _owner(library, key, "values", name)
        one, other = old.values.get(name, {}), new.values.get(name, {})
        for value in dict.fromkeys((*one, *other)):
            what = f" (for {name} {value})"
            yield from phrase_changes(section, place, one.get(value, ()), other.get(value, ()), what)
    for name in dict.fromkeys((*old.keywords, *new.keywords)):
        one_risk, other_risk = old.keywords.get(name, ()), new.keywords.get(name, ())
        yield from phrase_changes(key[0], place, one_risk, other_risk, f" in all that is said (for {name})", care=True)
    yield from _concepts(key[0], place, old.concepts, new.concepts)
    if old.voice != new.voice:
        text = f"the voice is {named(new.voice)}, was {named(old.voice)}"
        yield Change(_owner(library, key), place, "voice", text)


def _owner(library: FlowLibrary, key: OverlayKey, part: str = "", name: str = "") -> str:
    """The flow, or the fragment it takes these words from."""
    flow = library.flows.get(key[0])
    for owner in (key[0], *(flow.use if flow is not None else ())):
        for parsed in library.parsed.values():
            wording = parsed.draft
            if (
                isinstance(wording, Wording)
                and (wording.wording, wording.language, wording.persona) == (owner, key[1], key[2])
                and (not part or name in getattr(wording, part))
            ):
                return owner
    return key[0]


def stale_changes(
    old: Mapping[tuple[str, str], Wording], new: FlowLibrary, flow: str, base: Mapping[str, tuple[str, str]]
) -> Iterator[Change]:
    """Words that were left as they were though what they render changed.

    ``old``: the flow's overlays by (language, persona) in the new names. ``base``: prompt or label id -> (its text
    before, after) where the flow's own words changed.
    """
    for key, wording in new.wordings.items():
        if key[0] != flow:
            continue
        before = old.get(key[1:])
        for name, (was, now) in base.items():
            words = wording.prompts.get(name)
            says = spelled(words) if words is not None else wording.labels.get(name)
            if says is None or before is None:
                continue
            kept = before.prompts.get(name) == words if words is not None else before.labels.get(name) == says
            if kept:
                text = f"{name} may be out of date: it still says “{says}”"
                yield Change(flow, _voice(key), "wording-stale", text, *marked(was, now), weight="care")
