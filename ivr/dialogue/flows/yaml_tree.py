"""YAML text -> plain data and, beside it, where in the file everything stands.

Scalars are resolved by our own rules, not YAML 1.1's: ``on``, ``yes`` and ``no`` are words, ``05`` is text (a key never
loses its zero). What lets one file stand for a huge or executable structure (anchors, aliases, merge keys, tags) is
refused as it is met, so no file can make the reader build more than it contains.

The event stream comes from PyYAML's libyaml binding: measured 35 times faster than ruamel.yaml's own parser (0.03 s
against 1.0 s for 1,000 states), which ``format.py`` uses where comments matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ivr.dialogue.flows.finding import Finding
from ivr.typography import CURLY, retyped

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_FAULTS = 100

_SHARE = "put what is shared into a fragment and take it in with use:"

Path = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+\Z")
_BEGINS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(slots=True)
class Spot:
    """Where one node stands: its value and, in a mapping, its key. Lines and columns count from 1."""

    line: int
    column: int
    text: str = ""
    key_line: int = 0
    key_column: int = 0
    key: str = ""
    inside: dict[str | int, Spot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the text itself, before it means anything."""

    code: str
    line: int
    column: int
    text: str
    why: str
    remedy: str

    def finding(self, file: str) -> Finding:
        return Finding(self.code, "error", file, self.line, self.column, self.text, self.why, self.remedy)


@dataclass(slots=True)
class Tree:
    """``data`` is None when nothing could be read; ``root`` parallels it."""

    data: Any
    root: Spot
    faults: list[Fault]


class _Stop(Exception):
    """Raised once, to stop reading."""


def read_tree(text: str) -> Tree:
    """Never raises for anything a file can contain, and takes time linear in its size."""
    if faults := _unreadable(text) or _tabs(text := text.removeprefix("\ufeff")):
        return Tree(None, Spot(1, 1), faults)
    reader = _Reader(text.splitlines())
    try:
        data, root = reader.document(yaml.parse(text, Loader=_LOADER))
    except _Stop:
        return Tree(None, Spot(1, 1), reader.faults)
    except yaml.YAMLError as error:
        reader.faults.append(_syntax(error, reader.lines))
        return Tree(None, Spot(1, 1), reader.faults)
    return Tree(data, root, reader.faults)


def _unreadable(text: str) -> list[Fault]:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        why = f"the file is larger than {MAX_BYTES:,} bytes"
        return [Fault("too-large", 0, 0, "", why, "split the flow into sub-flows, one file each")]
    for number, line in enumerate(text.split("\n"), 1):
        for column, character in enumerate(line, 1):
            if "\ud800" <= character <= "\udfff":
                why = "the file is not UTF-8 text"
                return [Fault("wrong-encoding", number, column, "", why, "save it as UTF-8 in your editor")]
            if (character < " " and character not in "\t\r") or character in "\x7f\ufffe\uffff\x85\u2028\u2029":
                why = f"there is a control character (U+{ord(character):04X}) in the text"
                return [Fault("wrong-encoding", number, column, "", why, "delete it; save the file as UTF-8")]
    return []


def _tabs(text: str) -> list[Fault]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        column = line.find("\t")
        if column >= 0:
            why = "there is a tab; YAML indents with spaces only"
            found.append(Fault("tab", number, column + 1, line.strip(), why, "replace the tab by two spaces"))
    return found[:MAX_FAULTS]


def _syntax(error: yaml.YAMLError, lines: list[str]) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    line = min(line, max(len(lines), 1))
    problem = str(getattr(error, "problem", None) or "the text cannot be read as YAML")
    context = getattr(error, "context", None)
    why = f"this is not YAML: {problem}" + (f" ({context})" if context else "")
    text = lines[line - 1].strip() if line <= len(lines) else ""
    remedy = retyped(text, *lines[line - 2 : line - 1]) or _syntax_remedy(problem, text)
    return Fault("syntax", line, column, text, why, remedy)


def _syntax_remedy(problem: str, text: str) -> str:
    if "mapping values are not allowed" in problem:
        return 'a text that contains ": " needs quotes around it; or this line is indented too far'
    if "expected <block end>" in problem or "could not find expected ':'" in problem or "simple key" in problem:
        return "line this up with the lines above it, and end every key with a colon"
    if "expected ',' or" in problem:
        ends = "close the bracket, or the quotes (perhaps on the line above)"
        return f"{ends}, put commas between the items, and quotes around texts with commas, colons or brackets"
    if "quoted scalar" in problem or "unexpected end of stream" in problem:
        return "close the quotes"
    if "cannot start any token" in problem:
        return "put quotes around texts that begin with @, `, %, & or *"
    return "look at the quotes, colons and indentation here and one line above"


class _Reader:
    """Builds data and spots from parser events, without recursion."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.faults: list[Fault] = []

    def fault(self, code: str, mark: Any, text: str, why: str, remedy: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(code, mark.line + 1, mark.column + 1, text, why, remedy))

    def document(self, events: Iterator[Any]) -> tuple[Any, Spot]:
        root: tuple[Any, Spot] = (None, Spot(1, 1))
        begun = False
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                root = self.node(event, events)
            elif isinstance(event, yaml.DocumentStartEvent):
                if begun:
                    why = "a second document begins here; a file holds one"
                    self.fault("several-documents", event.start_mark, "---", why, "move it to a file of its own")
                    break
                begun = True
        return root

    def node(self, first: Any, events: Iterator[Any]) -> tuple[Any, Spot]:
        """The node that begins with ``first``: an explicit stack of open collections, at most MAX_DEPTH of them."""
        root = self.begin(first)
        if not isinstance(first, _BEGINS):
            return root
        open_: list[tuple[Any, Spot]] = [root]
        keys: list[Any] = [None]  # the pending key event of each open mapping
        for event in events:
            box, place = open_[-1]
            if isinstance(event, _ENDS):
                open_.pop()
                keys.pop()
                if not open_:
                    break
                continue
            if isinstance(box, dict) and keys[-1] is None:
                if not isinstance(event, yaml.ScalarEvent):
                    text = "*" + event.anchor if isinstance(event, yaml.AliasEvent) else ""
                    why = "a key must be plain text, not a list, a mapping or an alias"
                    self.fault("key-not-text", event.start_mark, text, why, "write the key as a word")
                    raise _Stop
                keys[-1] = event
                continue
            data, spot = self.begin(event)
            if isinstance(box, dict):
                self.add(box, place, keys[-1], data, spot)
                keys[-1] = None
            else:
                place.inside[len(box)] = spot
                box.append(data)
            if isinstance(event, _BEGINS):
                if len(open_) >= MAX_DEPTH:
                    why = f"the file is nested more than {MAX_DEPTH} deep"
                    self.fault("too-deep", event.start_mark, "", why, "use sub-flows instead of nesting")
                    raise _Stop
                open_.append((data, spot))
                keys.append(None)
        return root

    def begin(self, event: Any) -> tuple[Any, Spot]:
        """An empty collection or a finished scalar, with its spot."""
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.AliasEvent):
            why = f"*{event.anchor} is a YAML alias; aliases are not allowed in flow files"
            self.fault("alias", mark, "*" + event.anchor, why, _SHARE)
            return None, Spot(line, column, "*" + event.anchor)
        if event.anchor is not None:
            why = f"&{event.anchor} is a YAML anchor; anchors are not allowed in flow files"
            self.fault("anchor", mark, "&" + event.anchor, why, _SHARE)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            why = f"{tag} is a YAML tag; tags are not allowed in flow files"
            self.fault("tag", mark, tag, why, "leave the tag out; put quotes around a text that begins with !")
        if isinstance(event, _BEGINS):
            text = self.lines[line - 1][column - 1 :].rstrip() if line <= len(self.lines) else ""
            return {} if isinstance(event, yaml.MappingStartEvent) else [], Spot(line, column, text)
        plain = not event.style and event.tag is None
        if plain and event.value[:1] and event.value[0] in CURLY:
            why = f"{event.value[0]} is part of the text here: YAML knows straight quotes only"
            self.fault("curly-quotes", mark, event.value, why, retyped(event.value))
        return scalar(event.value) if plain else event.value, Spot(line, column, event.value)

    def add(self, box: dict[Any, Any], place: Spot, key: Any, data: Any, spot: Spot) -> None:
        name, mark = key.value, key.start_mark
        if key.anchor is not None or key.tag is not None:
            self.begin(key)  # reports them
        if name == "<<" and not key.style:
            why = "<< is a YAML merge key; merge keys are not allowed in flow files"
            self.fault("merge-key", mark, name, why, _SHARE)
            return
        if not key.style:
            if remedy := retyped(name):
                self.fault("curly-quotes", mark, name, f"the key {name} has characters that no keyboard makes", remedy)
                return
            meaning = scalar(name)
            if meaning is None or isinstance(meaning, bool | float) or (isinstance(meaning, int) and meaning < 0):
                why = f"the key {name or '(nothing)'} is not a name"
                remedy = "give it a name made of letters; put quotes around it if need be"
                self.fault("key-not-text", mark, name, why, remedy)
                return
        if name in box:
            first = place.inside[name].key_line
            why = f"the key {name} is here twice; it was first given on line {first}"
            self.fault("duplicate-key", mark, name, why, "keep one of the two, or rename one")
            return
        spot.key_line, spot.key_column, spot.key = mark.line + 1, mark.column + 1, name
        place.inside[name] = spot
        box[name] = data


def scalar(value: str) -> str | int | float | bool | None:
    """What an unquoted scalar means: YAML 1.2's core schema without its octal, hexadecimal and exponent forms."""
    if value in _NULLS:
        return None
    if _INT.match(value):
        return int(value)
    return float(value) if _FLOAT.match(value) else _BOOLEANS.get(value, value)
