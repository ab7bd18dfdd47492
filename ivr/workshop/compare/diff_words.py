"""The diff of words: variables, intents, the universals, and the wordings in other languages and personas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.dialogue.flows.glossary import VERBS
from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary, OverlayKey
from ivr.dialogue.flows.model import UNIVERSALS, IntentSpec, Risk, Universal, Universals, VariableSpec, Wording
from ivr.workshop.compare.change import (
    Change,
    changed_fields,
    changed_items,
    listed,
    marked,
    named,
    prompt_change,
    spelled,
)
from ivr.workshop.compare.renames import Names, retold_id

_SPECS = ("type", "vocabularies", "minimum", "maximum", "length", "survive", "secret")
_NOTE = "another note to colleagues"


def variable_changes(section: str, place: str, old: VariableSpec | None, new: VariableSpec | None) -> Iterator[Change]:
    """``place``: "variable NAME" or "parameter NAME"."""
    what = place.partition(" ")[0]
    if old is not None and new is not None:
        for key, was, now in changed_fields(old, new, _SPECS):
            yield Change(section, place, "variable", f"{VERBS[key]} {named(now)}, was {named(was)}")
        for value, was, now in changed_items(old.values, new.values):
            yield from phrase_changes(section, place, was, now, f" (for {value})")
        if old.about != new.about:
            yield Change(section, place, "about", _NOTE, old.about, new.about)
    elif new is not None:
        yield Change(section, place, "variable-added", f"a new {what}, {new.type}")
    else:
        yield Change(section, place, "variable-removed", f"this {what} is gone")


def intent_changes(section: str, place: str, old: IntentSpec | None, new: IntentSpec | None) -> Iterator[Change]:
    if old is not None and new is not None:
        yield from phrase_changes(section, place, old.phrases, new.phrases)
        if old.risk != new.risk:
            effect = "it may only lead to a human" if new.risk else "it need not lead to a human any more"
            text = f"its risk is {named(new.risk)}, was {named(old.risk)}"
            yield Change(section, place, "risk", text, effect=effect, care=bool(old.risk))
        if old.about != new.about:
            yield Change(section, place, "about", _NOTE, old.about, new.about)
    elif new is not None:
        yield Change(section, place, "intent-added", f"new: callers may say {listed(new.phrases)}")
    elif old is not None:
        yield Change(section, place, "intent-removed", f"gone: {listed(old.phrases)} mean nothing of their own now")


def phrase_changes(
    section: str,
    place: str,
    old: tuple[str, ...] | None,
    new: tuple[str, ...] | None,
    what: str = "",
    *,
    care: bool = False,
) -> Iterator[Change]:
    gained = [p for p in new or () if p not in (old or ())]
    lost = [p for p in old or () if p not in (new or ())]
    if gained:
        yield Change(section, place, "phrases-gained", f"callers may also say{what}: {listed(gained)}")
    if lost:
        yield Change(section, place, "phrases-lost", f"no longer listened for{what}: {listed(lost)}", care=care)


# --- the universals ------------------------------------------------------------------------------------------------


def universal_changes(old: Universals, new: Universals) -> Iterator[Change]:
    section = UNIVERSALS_FILE
    texts = {
        "language": "their language is",
        "persona": "their persona is",
        "human_flow": "every road to a human ends in the flow",
    }
    for key, was, now in changed_fields(old, new, texts):
        yield Change(section, "", key.replace("_", "-"), f"{texts[key]} {now}, was {was}", care=key == "human_flow")
    for name, before, after in changed_fields(old, new, UNIVERSALS):
        yield from _universal(name, before, after)
    if old.one_language != new.one_language:
        text = f"the company says that it serves in {new.one_language} alone"
        text = text if new.one_language else f"the company no longer says that it serves in {old.one_language} alone"
        yield Change(section, "", "one-language", text, care=True)
    nobody = Universal(phrases=())
    for name, before, after in changed_items(old.languages, new.languages):
        yield from _universal(f"language {name}", before or nobody, after or nobody)
    for name, before, after in changed_fields(old, new, ("yes", "no")):
        yield from phrase_changes(section, name, before, after)
    for name, was, now in changed_items(old.risks, new.risks):
        yield from _risk(f"risk {name}", was, now)
    yield from _concepts(section, "", old.concepts, new.concepts)
    for name, before, after in changed_items(old.prompts, new.prompts):
        was_said, now_said = marked(spelled(before), spelled(after))
        yield Change(section, f"sentence {name}", "prompt", "other words", was_said, now_said)


def _universal(place: str, old: Universal, new: Universal) -> Iterator[Change]:
    human = place == "human"
    yield from phrase_changes(UNIVERSALS_FILE, place, old.phrases, new.phrases, care=human)
    if old.keys != new.keys:
        text = f"its keys are {named(new.keys)}, were {named(old.keys)}"
        yield Change(UNIVERSALS_FILE, place, "key", text, care=human and bool(set(old.keys) - set(new.keys)))


def _concepts(
    section: str, place: str, old: Mapping[str, tuple[str, ...]], new: Mapping[str, tuple[str, ...]]
) -> Iterator[Change]:
    for name, before, after in changed_items(old, new):
        where = f"{place}, concept {name}".removeprefix(", ")
        yield from phrase_changes(section, where, before, after, " where no phrase fits")


def _risk(place: str, old: Risk | None, new: Risk | None) -> Iterator[Change]:
    section = UNIVERSALS_FILE
    if new is None:
        effect = "who says such things no longer gets a human at once"
        yield Change(section, place, "risk-removed", "this risk is gone", effect=effect, care=True)
    elif old is None:
        effect = f"who says {listed((*new.phrases, *new.keywords), 3)} gets a human, or is asked whether they want one"
        yield Change(section, place, "risk-added", "a new risk", effect=effect)
    else:
        yield from phrase_changes(section, place, old.phrases, new.phrases, care=True)
        yield from phrase_changes(section, place, old.keywords, new.keywords, " in all that is said", care=True)
        if old.question != new.question:
            was_said, now_said = marked(spelled(old.question), spelled(new.question))
            yield Change(section, place, "prompt", "asked in other words", was_said, now_said)
        for key, was, now in changed_fields(old, new, ("reason", "skill", "priority")):
            yield Change(section, place, "handoff", f"the {key} given to the human is {now}, was {was}")


# --- the words of other languages and personas -----------------------------------------------------------------------


def wording_changes(
    old: FlowLibrary, new: FlowLibrary, flows: Names, names: Mapping[str, tuple[Names, Names]]
) -> Iterator[Change]:
    """``names``: for each new flow, its states' and intents' new names by the old."""
    before = {(flows.get(k[0], k[0]), k[1], k[2]): w for k, w in old.wordings.items()}
    for key in dict.fromkeys((*before, *new.wordings)):
        was, now = before.get(key), new.wordings.get(key)
        if was is not None and now is not None:
            yield from _wording(new, key, told(was, *names.get(key[0], ({}, {}))), now)
        elif now is not None:
            yield Change(_owner(new, key), _voice(key), "wording-added", f"new words: {len(now.prompts)} prompts")
        else:
            effect = "they hear the flow's own words there"
            yield Change(key[0], _voice(key), "wording-removed", "these words are gone", effect=effect, care=True)


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
    for name, before, after in changed_items(old.prompts, new.prompts):
        yield from prompt_change(_owner(library, key, "prompts", name), place, name, before, after)
    for name, was, now in changed_items(old.labels, new.labels):
        text = f"the key menu names {name} otherwise"
        section = _owner(library, key, "labels", name)
        yield Change(section, place, "label", text, *marked(was or "nothing", now or "nothing"))
    for name, one, other in changed_items(old.intents, new.intents):
        yield from phrase_changes(_owner(library, key, "intents", name), place, one, other, f" (for {name})")
    for name, values, new_values in changed_items(old.values, new.values):
        section = _owner(library, key, "values", name)
        for value, one, other in changed_items(values or {}, new_values or {}):
            yield from phrase_changes(section, place, one, other, f" (for {name} {value})")
    for name, one, other in changed_items(old.keywords, new.keywords):
        yield from phrase_changes(key[0], place, one, other, f" in all that is said (for {name})", care=True)
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
    before, after) where the flow's own words changed."""
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
                yield Change(flow, _voice(key), "wording-stale", text, *marked(was, now), care=True)
