"""Validation errors, said the way a flow designer thinks: which word, why not, what instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from rapidfuzz import fuzz, process

from ivr.dialogue.flows.glossary import key_help
from ivr.dialogue.flows.state import WAIT_TAGS
from ivr.dialogue.flows.yaml_tree import Fault, Path, Spot

_WANTED = {  # pydantic's types of error -> what is wanted, and the remedy
    **dict.fromkeys(("string_type",), ("text", "put quotes around the value")),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), ("a whole number", "write a number such as 3")),
    **dict.fromkeys(("float_type", "float_parsing"), ("a number", "write a number such as 2.5")),
    **dict.fromkeys(("bool_type", "bool_parsing"), ("true or false", "write true or false")),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"),
        ("keys with values", "write indented lines of the form key: value"),
    ),
    **dict.fromkeys(("tuple_type", "list_type"), ("a list", "write [one, two], or lines that begin with a dash")),
}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like ``word``, "" when none is like it."""
    choices = [k for k in known if k]
    found = process.extractOne(word, choices, scorer=fuzz.ratio, score_cutoff=60)
    return str(found[0]) if found else ""


def suggestion(word: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy: "did you mean …?" when something known looks alike."""
    close = nearest(word, known)
    return f"did you mean {close}?" if close else otherwise


def listing(words: Iterable[str], limit: int = 25) -> str:
    """``a, b and c`` of at most ``limit`` words."""
    names = list(words)
    shown = names[:limit]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(shown) + more) or "none"


def locate(root: Spot, loc: Iterable[str | int]) -> tuple[Path, Spot]:
    """The deepest place in the file on the way to ``loc``, passing over steps that only the model has (1, 0, say)."""
    spot, path = root, list[str | int]()
    for step in loc:
        inner = spot.inside.get(step)
        if inner is None and not isinstance(step, str):
            step = str(step)
            inner = spot.inside.get(step)
        if inner is not None:
            path.append(step)
            spot = inner
    return tuple(path), spot


def fault_of(error: Mapping[str, Any], model: type[BaseModel], root: Spot) -> tuple[Path, Fault]:
    """One pydantic error as a fault, and the path of what is at fault."""
    kind, loc = str(error["type"]), tuple(step for step in error["loc"] if step not in WAIT_TAGS)
    path, spot = locate(root, loc[:-1] if kind == "missing" else loc)
    value = (spot.line, spot.column, spot.text)
    key = (spot.key_line or spot.line, spot.key_column or spot.column)
    name = next((str(s) for s in reversed(path) if isinstance(s, str)), "this")
    context = error.get("ctx") or {}
    match kind:
        case "extra_forbidden":
            word, known = str(loc[-1]), fields_at(model, loc[:-1])
            remedy = suggestion(word, known, f"known here: {listing(known)}")
            fault = Fault("unknown-key", *key, word, f"{word} means nothing {_what(loc[:-1])}", remedy)
        case "missing":
            word, text = str(loc[-1]), spot.key or spot.text
            remedy = f"add {word}: {key_help(word) or '…'}"
            fault = Fault("missing-key", *key, text, f"{word} is missing {_what(loc[:-1])}", remedy)
        case "literal_error":
            expected = str(context.get("expected", "")).replace(" or ", ", ").split(",")
            allowed = [word for each in expected if (word := each.strip("' "))]  # "" is what stands there by itself
            remedy = suggestion(spot.text, allowed, f"write one of {listing(allowed)}")
            fault = Fault("bad-value", *value, f"{spot.text} is not one of {listing(allowed)}", remedy)
        case "string_pattern_mismatch" if loc[-1] == "key":
            why = "is not a key a choice can have: 0, * and # belong to the universals, and a choice has one key"
            remedy = "write one digit from 1 to 9, without a zero before it"
            fault = Fault("bad-key", *value, f"{spot.text} {why}", remedy)
        case "string_pattern_mismatch":
            why = f"{spot.text!r} is not a name: small letters, digits and _ only, beginning with a letter"
            fault = Fault("bad-name", *value, why, "rename it, for example move_title")
        case _ if kind in _WANTED:
            wanted, remedy = _WANTED[kind]
            fault = Fault("bad-value", *value, f"{name} wants {wanted}, not {_is(error.get('input'))}", remedy)
        case _:
            why = str(error["msg"]).removeprefix("Value error, ")
            why = f"{name}: {why[:1].lower()}{why[1:]}"
            fault = Fault("bad-value", *value, why, _bounds(context, name))
    return path, fault


def _bounds(context: Mapping[str, Any], name: str) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for bound, said in words.items():
        if bound in context:
            return f"write a number of {said} {context[bound]}"
    return f"correct {name}"


def _is(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list | tuple):
        return "a list"
    return "text" if isinstance(value, str) else "a number"


def _what(loc: tuple[str | int, ...]) -> str:
    names = [s for s in loc if isinstance(s, str)]
    if not names:
        return "at the top of the file"
    if len(names) == 2 and names[0] in ("states", "intents", "variables", "parameters", "risks"):
        return f"in {names[0].removesuffix('s')} {names[1]}"
    return f"in {'.'.join(names)}"


# --- what the model allows at a place: read off its own JSON Schema --------------------------------------------


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _node_at(model: type[BaseModel], loc: Iterable[str | int]) -> dict[str, Any]:
    schema = _schema(model)
    definitions: dict[str, Any] = schema.get("$defs", {})

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        while True:
            if "$ref" in node:
                node = definitions[node["$ref"].rsplit("/", 1)[1]]
            elif len(node.get("allOf", ())) == 1:
                node = node["allOf"][0]
            elif "anyOf" in node or "oneOf" in node:
                useful = [n for n in node.get("anyOf", node.get("oneOf", ())) if n.get("type") != "null"]
                if not useful:
                    return node
                node = useful[0]
            else:
                return node

    node = resolve(schema)
    for step in loc:
        if isinstance(step, str) and step in node.get("properties", {}):
            node = resolve(node["properties"][step])
        elif isinstance(node.get("additionalProperties"), dict):
            node = resolve(node["additionalProperties"])
        elif "items" in node:
            node = resolve(node["items"])
        else:
            return {}
    return node


def fields_at(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys the file may have at ``loc``."""
    return list(_node_at(model, loc).get("properties", ()))
