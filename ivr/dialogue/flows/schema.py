"""The JSON Schema of flow files, made from the model: completion and hovers in editors.

One schema for all four kinds, told apart by the key each must have. What the model's validators accept besides its own
types (a prompt as plain text, an edge as a state's name, durations, tapered prompts) is written into it here.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ivr.dialogue.flows import model, state
from ivr.dialogue.flows.glossary import key_help
from ivr.dialogue.flows.source import KINDS

FILE_NAME = "flow.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER_OR_TEXT: dict[str, Any] = {"type": ["string", "number"]}
_PROMPT: dict[str, Any] = {
    "description": "What is said: a text with {slots}, an item, or a list of them.",
    "anyOf": [
        _TEXT,
        {"$ref": "#/$defs/PromptItem"},
        {"type": "array", "items": {"anyOf": [_TEXT, {"$ref": "#/$defs/PromptItem"}]}},
    ],
}
_TAPERED: dict[str, Any] = {
    "description": "A prompt, or prompts by count: {1: the first time, 3: from the third time on}.",
    "anyOf": [
        _TEXT,
        {"$ref": "#/$defs/PromptItem"},
        {"$ref": "#/$defs/Prompt/anyOf/2"},
        {
            "type": "object",
            "propertyNames": {"pattern": "^[1-9]$"},
            "additionalProperties": {"$ref": "#/$defs/Prompt"},
            "minProperties": 1,
        },
    ],
}
_DURATION: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?(ms|s|m|h)$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 600},
    ]
}
_SHORT = {  # definitions that may also be written shorter
    "EdgeSpec": _TEXT,
    "VariableSpec": {"enum": list(model.SlotType.__args__)},  # type: ignore[attr-defined]
    "IntentSpec": {"type": "array", "items": _NUMBER_OR_TEXT},
    "Confirm": {"enum": list(state.ConfirmPolicy.__args__)},  # type: ignore[attr-defined]
}
_DURATIONS = frozenset({"timeout", "hangover", "action_timeout", "every"})


def flow_schema() -> dict[str, Any]:
    """The schema as plain data, the same for the same model."""
    definitions: dict[str, Any] = {}
    for kind in KINDS.values():
        own = kind.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
        definitions |= own.pop("$defs", {})
        definitions[kind.__name__] = own
    definitions = {name: _shaped(name, body) for name, body in sorted(definitions.items())}
    for name, short in _SHORT.items():
        definitions[f"{name}Long"] = definitions[name]
        about = definitions[name].get("description", "")
        definitions[name] = {"description": about, "anyOf": [short, {"$ref": f"#/$defs/{name}Long"}]}
    definitions["Prompt"] = _PROMPT
    definitions["TaperedPrompt"] = _TAPERED
    definitions["Duration"] = _DURATION
    branches: dict[str, Any] = {"$ref": "#/$defs/Universals"}
    for key, kind in reversed(list(KINDS.items())[:-1]):
        branches = {"if": {"required": [key]}, "then": {"$ref": f"#/$defs/{kind.__name__}"}, "else": branches}
    return {
        "$schema": _DIALECT,
        "title": "Flow file",
        "description": "One file in flows/: a flow, a fragment, the wording of a flow, or the universals.",
        "type": "object",
        "anyOf": [{"required": [key]} for key in KINDS],
        **branches,
        "$defs": definitions,
    }


def schema_text() -> str:
    """What belongs into flows/flow.schema.json."""
    return json.dumps(flow_schema(), indent=2, ensure_ascii=False) + "\n"


def _shaped(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """One definition as files may write it, with descriptions for hovers."""
    body = dict(body)
    body.pop("title", None)
    if "description" in body:
        body["description"] = re.sub(r"\s+", " ", body["description"].replace("``", "")).strip()
    properties = {}
    for field, spec in body.get("properties", {}).items():
        shaped: dict[str, Any] = {"$ref": "#/$defs/Duration"} if field in _DURATIONS else _relaxed(spec)
        about = key_help(field, name)
        properties[field] = {"description": about, **shaped} if about else shaped
    if properties:
        body["properties"] = properties
    return body


def _relaxed(node: Any) -> Any:
    """Prompts by their short forms, numbers where text is wanted, no titles and no defaults."""
    if isinstance(node, list):
        return [_relaxed(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "array" and node.get("items") == {"$ref": "#/$defs/PromptItem"}:
        return {"$ref": "#/$defs/Prompt"}
    if "oneOf" in node:  # what the model tells apart by its keys may fit both, as {} does
        node = {("anyOf" if key == "oneOf" else key): inner for key, inner in node.items() if key != "discriminator"}
    inner = node.get("additionalProperties")
    if isinstance(inner, dict) and inner.get("items") == {"$ref": "#/$defs/PromptItem"}:
        return {"$ref": "#/$defs/TaperedPrompt"}
    relaxed = {k: _relaxed(v) for k, v in node.items() if k not in ("title", "default", "propertyNames")}
    if node.get("type") == "string":
        if "pattern" in node and node["pattern"] == "^[1-9]?$":
            return {"type": ["string", "integer"], "pattern": "^[1-9]?$", "minimum": 1, "maximum": 9}
        relaxed["type"] = "string" if "pattern" in node else ["string", "number"]
    return relaxed
