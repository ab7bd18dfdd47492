"""Changes of words: from what somebody wrote to edits of files, or to every reason why not.

Only the line of a text changes. Who rewrites a translation marks it as one of the text that stands there now; where a
text that others translate is rewritten, those without a mark get that of the text which they translate.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.wording import SLOT, names_in
from ivr.dialogue.flows.yaml_tree import read_tree
from ivr.errors import FlowError
from ivr.workshop.edits import FileEdit, Replacement, digest_of, replaced
from ivr.workshop.words.catalogue import (
    NEUTRAL,
    Catalogue,
    SpokenText,
    Unit,
    parts,
    text_digest,
    units,
)
from ivr.workshop.words.layout import Layout, Part, RawPath, prompt_value

LONGEST = 2000
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wrote for the text of ``key``. ``was``: the digest of the words that they saw; ``of``: of the
    prompt that they translated, "" for the one that is there now. ``right``: the translation stands as it is."""

    key: str
    text: str
    was: str = ""
    of: str = ""
    right: bool = False


class ChangesRefused(FlowError):
    """Nothing was saved. ``reasons``: all of them, a sentence each."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Plan:
    """``edits`` of files, and ``told``: what they come to, in words."""

    edits: tuple[FileEdit, ...]
    told: tuple[str, ...]


def planned(catalogue: Catalogue, changes: Sequence[Change]) -> Plan:
    """Raises ChangesRefused with everything that is wrong."""
    return _Planner(catalogue).plan(changes)


@dataclass
class _File:
    """What is to change in one file, and the data that it must come to."""

    before: str | None
    expected: Any = None
    replacements: list[Replacement] = field(default_factory=list)


Voice = tuple[str, str, str, str, str]  # owner, section, name, language, persona


class _Planner:
    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.texts = {text.key: text for text in catalogue.texts()}
        self.files: dict[str, _File] = {}
        self.reasons: list[str] = []
        self.told: list[str] = []
        self.rewritten: dict[tuple[str, str, str], str] = {}  # units in their own language -> their new digest

    def plan(self, changes: Sequence[Change]) -> Plan:
        groups: dict[Voice, dict[str, Change]] = {}
        for change in changes:
            if (text := self.texts.get(change.key)) is None:
                self.reasons.append(f"{change.key}: there is no such text (any more)")
            elif self._counts(text, change):
                unit = text.unit
                voice = (unit.owner, unit.section, unit.name, text.language, text.persona)
                if change.key in groups.setdefault(voice, {}):
                    self.reasons.append(f"{change.key} is here twice")
                groups[voice][change.key] = change
        ours = [self._base(group) for group in groups.values()]
        for is_base, group in sorted(zip(ours, groups.values(), strict=True), key=lambda each: not each[0]):
            self._group(list(group.values()), is_base=is_base, translated=groups.keys())
        if self.reasons:
            raise ChangesRefused(self.reasons)
        return Plan(tuple(self._edits()), tuple(self.told))

    def _base(self, group: Mapping[str, Change]) -> bool:
        text = self.texts[next(iter(group))]
        return (text.language, text.persona) == (text.unit.language, text.unit.persona)

    # -- what is refused -------------------------------------------------------------------------------------------

    def _counts(self, text: SpokenText, change: Change) -> bool:
        """Whether there is anything to do; what is wrong with it is noted."""
        new = " ".join(change.text.split())
        if change.right and text.origin == "own" and (not new or new == text.text):
            return True
        if not new and text.origin in ("missing", "shared", "built in"):
            return False
        if new == text.text or text_digest(new) == change.was:
            return False
        problem = ""
        if not new:
            problem = "it is empty: callers would hear nothing"
        elif change.was and change.was != text.digest:
            problem = f"somebody else changed it meanwhile to “{text.text}”; load it again, then make your change"
        elif len(new) > LONGEST:
            problem = f"it is longer than {LONGEST:,} characters"
        elif _NO_TEXT.search(new):
            problem = "it has a character that is no text"
        else:
            problem = self._other_names(text, new)
        if problem:
            self.reasons.append(f"{text.key}: {problem}")
        return not problem

    def _other_names(self, text: SpokenText, new: str) -> str:
        """What is wrong with its {placeholders}."""
        if re.search("[{}]", SLOT.sub("", new)):
            return "it has a brace without its partner: what is filled in stands in {braces}"
        wanted, has = set(names_in(text.base or text.text)), set(names_in(new))
        if has == wanted or has == set(names_in(text.text)):
            return ""
        if text.base and text.part not in {part for part, _, _ in parts(text.unit.prompt)}:  # built otherwise
            wanted = {name for _, _, each in parts(text.unit.prompt) for name in names_in(each)}
            if has <= wanted:
                return ""
        told = [f"{{{name}}} is missing" for name in sorted(wanted - has)]
        told += [f"there is no {{{name}}} in “{text.base or text.text}”" for name in sorted(has - wanted)]
        return "; ".join(told)

    # -- what is done ------------------------------------------------------------------------------------------------

    def _group(self, changes: list[Change], *, is_base: bool, translated: Any) -> None:
        first = self.texts[changes[0].key]
        unit, key = first.unit, (first.unit.owner, first.unit.section, first.unit.name)
        if is_base:
            new = {self.texts[c.key].part: " ".join(c.text.split()) for c in changes}
            self.rewritten[key] = text_digest("\0".join(new.get(p, text) for p, _, text in parts(unit.prompt)))
            self._mark_translations(unit, translated)
        mark = "" if is_base else self.rewritten.get(key) or next((c.of for c in changes if c.of), "") or unit.digest
        if first.origin in ("base", "own"):
            self._rewrite(changes, mark)
        else:
            self._add(first, changes, mark)

    def _rewrite(self, changes: list[Change], mark: str) -> None:
        first = self.texts[changes[0].key]
        file = self._file(first.file)
        layout = self.catalogue.layout(first.file)
        path: RawPath = first.unit.path if first.origin == "base" else (first.unit.section, first.unit.name)
        for change in changes:
            text = self.texts[change.key]
            new = " ".join(change.text.split()) or text.text
            if new != text.text:
                raw = layout.raw(path, text.part)
                if raw is None:
                    self.reasons.append(f"{text.key}: it can't be told apart in {text.file}:{text.line}; edit the file")
                    return
                file.replacements.append(layout.rewritten(path, text.part, new))
                _set(file.expected, raw, new)
                self.told.append(f"{text.key}: “{text.text}” becomes “{new}”")
            elif change.right:
                self.told.append(f"{text.key}: it stands as a translation of “{text.base}”")
        if mark and (marked := layout.marked(path, mark)) is not None:
            file.replacements.append(marked)

    def _add(self, first: SpokenText, changes: list[Change], mark: str) -> None:
        """A prompt that this voice has no words for yet: all of it."""
        unit = first.unit
        _, _, _, prompt = self.catalogue.said(unit, first.language, first.persona)
        new = {self.texts[c.key].part: " ".join(c.text.split()) for c in changes}
        lacking = [
            text.key for text in self._whole(first) if text.part not in new and (text.status == "missing")
        ]  # fmt: skip
        if lacking:
            self.reasons += [f"{key}: write it, too: {unit.name} is said as a whole" for key in lacking]
            return
        said = _said(prompt, new)
        name = _file_name(self.catalogue, first)
        file = self._file(name)
        shown = "" if first.origin == "built in" and not unit.file else mark
        value = prompt_value(said, shown)
        if file.before is None:
            file.expected = _header(first)
            file.replacements = [Replacement(0, 0, _header_text(first))]
            file.before = ""
        self._insert(file, name, first, value)
        self.told += [f"{self.texts[c.key].key}: “{new[self.texts[c.key].part]}” is new" for c in changes]

    def _insert(self, file: _File, name: str, first: SpokenText, value: str) -> None:
        unit = first.unit
        section = file.expected.setdefault(unit.section, {})
        before = [u.name for u in units(self.catalogue.library) if (u.owner, u.section) == (unit.owner, unit.section)]
        behind = list(reversed(before[: before.index(unit.name)]))
        try:
            if file.before == "":  # a new file
                text = replaced("", file.replacements)
                added = Layout(text).added(unit.section, unit.name, value, behind)
                file.replacements = [Replacement(0, 0, replaced(text, [added]))]
            else:
                layout = self.catalogue.layout(name)
                file.replacements.append(layout.added(unit.section, unit.name, value, behind))
        except KeyError:
            self.reasons.append(f"{first.key}: {unit.section}: of {name} stands on one line; add it there by hand")
            return
        section[unit.name] = read_tree(f"{unit.name}:{value}\n").data[unit.name]

    def _whole(self, first: SpokenText) -> Iterator[SpokenText]:
        """Every text of the same prompt in the same voice."""
        for text in self.texts.values():
            if (text.unit, text.language, text.persona) == (first.unit, first.language, first.persona):
                yield text

    def _mark_translations(self, unit: Unit, changed: Any) -> None:
        """Those that nobody marked are of the text that is replaced now."""
        for language, persona in self.catalogue.library.voices:
            found = self.catalogue.found(unit, language, persona)
            if found is None or (unit.owner, unit.section, unit.name, language, persona) in changed:
                continue
            layout = self.catalogue.layout(found[0])
            path: RawPath = (unit.section, unit.name)
            if not layout.mark(path) and (marked := layout.marked(path, unit.digest)) is not None:
                self._file(found[0]).replacements.append(marked)

    # -- files -------------------------------------------------------------------------------------------------------

    def _file(self, name: str) -> _File:
        if name not in self.files:
            before = self.catalogue.library.sources.get(name)
            data = None if before is None else copy.deepcopy(read_tree(before).data)
            self.files[name] = _File(before, data)
        return self.files[name]

    def _edits(self) -> Iterator[FileEdit]:
        for name, file in self.files.items():
            if not file.replacements:
                continue
            before = self.catalogue.library.sources.get(name)
            edit = FileEdit(name, digest_of(before), tuple(_merged(file.replacements)))
            read = read_tree(replaced(before or "", edit.replacements))
            if read.faults or read.data != file.expected:  # a layout that we don't understand
                raise ChangesRefused([f"{name} is laid out in a way that can't be edited from here; edit the file"])
            yield edit


def _merged(replacements: Sequence[Replacement]) -> Iterator[Replacement]:
    """Insertions at one place become one, in their order; a line's mark before the lines behind it."""
    joined: list[Replacement] = []
    for each in sorted(replacements, key=lambda each: (each.start, each.end, each.text.startswith("\n"))):
        last = joined[-1] if joined else None
        if last is not None and last.start == last.end == each.start == each.end:
            joined[-1] = Replacement(each.start, each.end, last.text + each.text)
        else:
            joined.append(each)
    return iter(joined)


def _set(data: Any, path: RawPath, text: str) -> None:
    for step in path[:-1]:
        data = data[step if step in data or isinstance(data, list) else int(step)]
    data[path[-1] if isinstance(data, list) or path[-1] in data else int(path[-1])] = text


def _said(prompt: TaperedPrompt, new: Mapping[Part, str]) -> dict[int, list[dict[str, Any]]]:
    """A prompt with other words, as the file has its items."""
    found: dict[int, list[dict[str, Any]]] = {}
    for count, items in prompt.items():
        for place, item in enumerate(items):
            told: dict[str, Any] = {"if": item.condition} if item.condition else {}
            if item.say:
                told["say"] = new.get(Part(count, place), item.say)
            if item.variants:
                told["variants"] = [
                    new.get(Part(count, place, at), text) for at, text in enumerate(item.variants)
                ]  # fmt: skip
            told |= {"audio": item.audio} if item.audio else {}
            told |= {"language": item.language} if item.language else {}
            found.setdefault(count, []).append(told)
    return found


def _file_name(catalogue: Catalogue, text: SpokenText) -> str:
    if (text.language, text.persona) == (text.unit.language, text.unit.persona):
        return next(p.file for p in catalogue.library.parsed.values() if p.kind == UNIVERSALS_FILE)
    own = catalogue.overlays(text.unit.owner, text.language, text.persona)
    persona = "" if text.persona == NEUTRAL else f".{text.persona}"
    return next((file for file, words in own if words.wording == text.unit.owner), None) or (
        f"{text.unit.owner}.{text.language}{persona}.yaml"
    )


def _header(text: SpokenText) -> dict[str, Any]:
    persona = {} if text.persona == NEUTRAL else {"persona": text.persona}
    return {"wording": text.unit.owner, "language": text.language, **persona}


def _header_text(text: SpokenText) -> str:
    return "".join(f"{key}: {value}\n" for key, value in _header(text).items())
