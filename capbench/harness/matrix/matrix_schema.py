"""The JSON Schema of matrix files, for editors: `python -m capbench.harness.matrix.matrix_schema` prints it.

Draft 7, which is what TOML editors know (taplo, and with it Even Better TOML) and what SchemaStore asks for. It covers
what one key says alone; what several say together, and whether files exist, is for `capbench check`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from capbench.harness.matrix.toml_file import MatrixFile

__all__ = ["MATRIX_SCHEMA_FILE", "matrix_schema_text"]

MATRIX_SCHEMA_FILE = Path(__file__).with_name("matrix-1.schema.json")
"""The published copy; a test keeps it equal to what the reader of matrix files accepts."""
_UNWRITTEN: tuple[object, ...] = (None, "", [], {})
"""Defaults that only say "not written"."""


def matrix_schema_text() -> str:
    """The schema as it is committed."""
    schema = _for_editors(MatrixFile.model_json_schema())
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "capbench matrix",
        **schema,
        "description": "A matrix of capbench: what is exported (cases) by what (subjects). See docs/matrix.md.",
    }
    return json.dumps(schema, indent=1) + "\n"


def _for_editors(node: Any, *, is_table_of_names: bool = False) -> Any:
    """The schema in the words of draft 7, without null, which TOML does not have."""
    if isinstance(node, list):
        return [_for_editors(part) for part in node]
    if not isinstance(node, dict):
        return node.replace("#/$defs/", "#/definitions/") if isinstance(node, str) else node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if not is_table_of_names and (key == "title" or (key == "default" and value in _UNWRITTEN)):
            continue
        found["definitions" if key == "$defs" else key] = _for_editors(
            value, is_table_of_names=key in ("properties", "$defs") and not is_table_of_names
        )
    readings = [reading for reading in found.get("anyOf", ()) if reading != {"type": "null"}]
    if "anyOf" in found and len(readings) == 1:
        del found["anyOf"]
        # Draft 7 ignores what stands beside a reference.
        found = {"allOf": readings, **found} if "$ref" in readings[0] else {**readings[0], **found}
    elif "anyOf" in found:
        found["anyOf"] = readings
    if "$ref" in found and len(found) > 1:
        found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found


if __name__ == "__main__":
    sys.stdout.write(matrix_schema_text())
