"""The formatter: one way to lay out a flow file. Comments, quotes, the order of everything and its meaning stay.

Two spaces a level, dashes indented, one space inside nothing, at most one blank line, no trailing blanks, lines not
wrapped. The result is read again and compared: a file whose meaning would change is left as it was.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.yaml_tree import read_tree

_BLANKS = re.compile(r"\n{3,}")
_ROUNDS = 5  # comments may move once before they rest
_ENDLESS = 100_000  # columns: never wrap


@dataclass(frozen=True, slots=True)
class Formatted:
    """``text`` is the file laid out, or unchanged when ``findings`` say why it cannot be."""

    text: str
    findings: tuple[Finding, ...] = ()


def format_text(name: str, text: str) -> Formatted:
    """Lay out one file. Never raises; a file that cannot be read comes back as it is, with findings."""
    tree = read_tree(text)
    if tree.faults or tree.data is None:
        return Formatted(text, ordered(fault.finding(name) for fault in tree.faults))
    laid = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for _ in range(_ROUNDS):
        before, laid = laid, _once(laid)
        if laid == before:
            break
    else:
        return Formatted(text)
    again = read_tree(laid)
    if again.faults or again.data != tree.data or _comments(laid) != _comments(text):
        return Formatted(text)
    return Formatted(laid)


def _once(text: str) -> str:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = _ENDLESS
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    try:
        yaml.dump(yaml.load(text), out)
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        return text  # ruamel reads a little less than we do; such files stay as they are
    lines = (line.rstrip() for line in out.getvalue().split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip("\n") + "\n"


def _comments(text: str) -> list[str]:
    """Comment texts in order, as far as lines show them; quoted # count alike before and after."""
    return [part.strip() for line in text.splitlines() for _, found, part in [line.partition("#")] if found]
