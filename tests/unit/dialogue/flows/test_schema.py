"""The editors' schema: up to date, complete, and of one mind with the loader."""

from __future__ import annotations

import json
from pathlib import Path

from ivr.dialogue.flows.schema import FILE_NAME, flow_schema, schema_text

FLOWS = Path(__file__).parents[4] / "flows"


def test_the_file_beside_the_flows_is_up_to_date() -> None:
    assert (FLOWS / FILE_NAME).read_text("utf-8") == schema_text(), "run: ivr flow schema"


def test_every_key_has_a_hover() -> None:
    schema = flow_schema()
    missing = [
        f"{name}.{field}"
        for name, body in schema["$defs"].items()
        for field, spec in body.get("properties", {}).items()
        if not spec.get("description")
    ]
    assert missing == []


def test_every_reference_resolves() -> None:
    schema = flow_schema()
    references = {m for m in json.dumps(schema).split('"') if m.startswith("#/$defs/")}
    for reference in references:
        node: object = schema
        for part in reference.removeprefix("#/").split("/"):
            node = node[int(part)] if isinstance(node, list) else node[part]  # type: ignore[index]
        assert node


def test_the_kinds_are_told_apart() -> None:
    schema = flow_schema()
    seen = []
    branch = schema
    while "if" in branch:
        seen.append((branch["if"]["required"][0], branch["then"]["$ref"]))
        branch = branch["else"]
    assert seen == [
        ("flow", "#/$defs/Flow"),
        ("fragment", "#/$defs/Fragment"),
        ("wording", "#/$defs/Wording"),
        ("company", "#/$defs/CompanyFile"),
    ]
    assert branch["$ref"] == "#/$defs/Universals"
