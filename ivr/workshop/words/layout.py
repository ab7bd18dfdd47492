"""The layout of a flow file: where each text stands in it, and the edits that change only that; comments stay.

A mark is a comment at the end of a prompt's line, ``# of 3f2a9c``: the digest of the text that it translates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ivr.dialogue.flows.yaml_tree import scalar
from ivr.workshop.edits import Replacement

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARK = re.compile(r"[ ]*#[ ]*of ([0-9a-f]{6})[ ]*\Z")
_PLAIN = re.compile(r"[^\W_][^\n:#{}\[\],&*!|>'\"%@`]*[^\s:#{}\[\],]|[^\W_]")

RawPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A text's place in its prompt: for which time, which item of the list, which variant (-1 for the one text)."""

    count: int = 1
    place: int = 0
    variant: int = -1

    def __str__(self) -> str:
        return f"{self.count}.{self.place}" + (f".{self.variant}" if self.variant >= 0 else "")


class Layout:
    """One file that could be read. Lines count from 1, offsets in characters from 0."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._shift = len(text) - len(text.removeprefix("\ufeff"))
        plain = text.removeprefix("\ufeff")
        self._lines = plain.split("\n")
        self._starts: list[int] = [self._shift]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self.root: Any = yaml.compose(plain, Loader=_LOADER)

    def _at(self, mark: Any) -> int:
        return min(self._starts[min(int(mark.line), len(self._lines))] + int(mark.column), len(self.text))

    def node(self, path: RawPath) -> Any:
        """The node at ``path``; None where there is none."""
        node = self.root
        for step in path:
            node = _inner(node, step)
            if node is None:
                return None
        return node

    def line(self, path: RawPath, part: Part) -> int:
        """Where a text of the prompt at ``path`` stands, or the prompt; 0 where neither does."""
        prompt = self.node(path)
        if prompt is None:
            return 0
        node, _ = _text_node(prompt, part) or (prompt, ())
        return int(node.start_mark.line) + 1

    def raw(self, path: RawPath, part: Part) -> RawPath | None:
        """The path of a text as the file has it, below what only the model knows."""
        prompt = self.node(path)
        found = None if prompt is None else _text_node(prompt, part)
        return None if found is None else (*path, *found[1])

    def rewritten(self, path: RawPath, part: Part, text: str) -> Replacement:
        """Raises KeyError where no text stands there."""
        prompt = self.node(path)
        found = None if prompt is None else _text_node(prompt, part)
        if found is None:
            raise KeyError(path)
        node = found[0]
        start, end = self._at(node.start_mark), self._at(node.end_mark)
        if node.style in ("|", ">"):  # it ends where the next thing begins
            end = start + len(self.text[start:end].rstrip())
        return Replacement(start, end, written(text, node.style))

    # -- marks -----------------------------------------------------------------------------------------------------

    def _mark_end(self, path: RawPath) -> int | None:
        """The end of the line that has the mark of what stands at ``path``; None where several things share it."""
        key, value = _entry(self.node(path[:-1]), path[-1])
        if key is None or self.node(path[:-1]).flow_style:
            return None
        begins, ends = int(value.start_mark.line), int(value.end_mark.line)
        block = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
        apart = begins != int(key.start_mark.line)
        line = int(key.start_mark.line) if block or apart else ends
        return self._starts[line] + len(self._lines[line])

    def mark(self, path: RawPath) -> str:
        """ "": it has none."""
        end = self._mark_end(path) if self.node(path) is not None else None
        found = None if end is None else _MARK.search(self.text[self._line_start(end) : end])
        return "" if found is None else found[1]

    def _line_start(self, end: int) -> int:
        return self.text.rfind("\n", 0, end) + 1

    def marked(self, path: RawPath, digest: str) -> Replacement | None:
        """None where there is no line for it, or where it stands there already."""
        end = self._mark_end(path)
        if end is None or self.mark(path) == digest:
            return None
        begin = self._line_start(end)
        line = self.text[begin:end]
        old = _MARK.search(line)
        kept = line[: old.start()] if old else line.rstrip()
        return Replacement(begin + len(kept), end, f"  # of {digest}")

    # -- what is new -------------------------------------------------------------------------------------------------

    def added(self, section: str, name: str, value: str, after: Iterable[str]) -> Replacement:
        """``name`` put under ``section``, behind the first of ``after`` that is there. ``value``: as it is written
        behind the colon. Raises KeyError where the section is written on one line."""
        block = self.node((section,))
        if block is None:
            end = len(self.text.rstrip("\n"))
            return Replacement(end, len(self.text), f"\n\n{section}:\n{_entry_lines(name, value, '  ')}\n")
        if not isinstance(block, yaml.MappingNode) or block.flow_style or not block.value:
            raise KeyError(section)
        indent = " " * int(block.value[0][0].start_mark.column)
        before = next((known for known in after if _inner(block, known) is not None), None)
        if before is None:
            at = self._starts[int(block.value[0][0].start_mark.line)]
            return Replacement(at, at, _entry_lines(name, value, indent) + "\n")
        at = self._end_of_entry(block, before)
        return Replacement(at, at, "\n" + _entry_lines(name, value, indent))

    def _end_of_entry(self, block: Any, name: str) -> int:
        """The end of the last line of an entry's value."""
        _, value = _entry(block, name)
        last = _last_line(value)
        end = self._starts[last] + len(self._lines[last])
        if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
            stop = self._at(value.end_mark)
            return self._line_start(stop) - 1 if stop < len(self.text) else len(self.text.rstrip("\n"))
        return end


def _last_line(node: Any) -> int:
    """Of a node without what follows it: block collections end where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _entry_lines(name: str, value: str, indent: str) -> str:
    return "\n".join(indent + line if line else line for line in f"{name}:{value}".split("\n"))


def _inner(node: Any, step: str | int) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _entry(node, step)[1]
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def _entry(node: Any, step: str | int) -> tuple[Any, Any]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    return None, None


def _text_node(prompt: Any, part: Part) -> tuple[Any, RawPath] | None:
    """The scalar that holds a part, and its path below the prompt: the file leaves out what needs not be said."""
    node, path = prompt, list[str | int]()

    def down(step: str | int) -> bool:
        nonlocal node
        inner = _inner(node, step)
        if inner is None:
            return False
        node = inner
        path.append(step)
        return True

    if isinstance(node, yaml.MappingNode) and node.value and all(k.value.isdigit() for k, _ in node.value):
        key = next((k.value for k, _ in node.value if int(k.value) == part.count), None)
        if key is None or not down(key):
            return None
    elif part.count != 1:
        return None
    if isinstance(node, yaml.SequenceNode):
        if not down(part.place):
            return None
    elif part.place:
        return None
    if isinstance(node, yaml.MappingNode):
        if part.variant >= 0:
            if not down("variants") or not down(part.variant):
                return None
        elif not down("say"):
            return None
    elif part.variant >= 0:
        return None
    return (node, tuple(path)) if isinstance(node, yaml.ScalarNode) else None


def written(text: str, style: str | None = '"') -> str:
    """A text as a scalar on one line, in the quotes that it had where these will do."""
    if not style and _PLAIN.fullmatch(text) and isinstance(scalar(text), str):
        return text
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def prompt_value(items: Mapping[int, list[dict[str, Any]]], mark: str) -> str:
    """A whole prompt as it is written behind its key's colon, the mark at the end of the first line."""
    tail = f"  # of {mark}" if mark else ""
    counts = {count: [_item(item) for item in said] for count, said in items.items()}
    if all(len(said) == 1 for said in counts.values()):
        if list(counts) == [1]:
            return f" {counts[1][0]}{tail}"
        return " {" + ", ".join(f"{count}: {said[0]}" for count, said in counts.items()) + "}" + tail
    if list(counts) == [1]:
        return tail + "".join(f"\n  - {item}" for item in counts[1])
    lines = (f"\n  {count}:" + "".join(f"\n    - {item}" for item in said) for count, said in counts.items())
    return tail + "".join(lines)


def _item(item: Mapping[str, Any]) -> str:
    if set(item) == {"say"}:
        return written(item["say"])
    told = (
        f"{key}: [{', '.join(map(written, value))}]" if isinstance(value, list) else f"{key}: {_short(key, value)}"
        for key, value in item.items()
    )
    return "{" + ", ".join(told) + "}"


def _short(key: str, value: str) -> str:
    return value if key in ("language", "audio") and _PLAIN.fullmatch(value) else written(value)
