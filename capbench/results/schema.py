"""The JSON Schema of a run's file, for readers that are not Python: `python -m capbench.results.schema` prints it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from capbench.results.run_record import SCHEMA_VERSION, RunResult

__all__ = ["SCHEMA_FILE", "run_schema_text"]

SCHEMA_FILE = Path(__file__).with_name(f"run-{SCHEMA_VERSION}.schema.json")
"""The published copy; a test keeps it equal to what the records say."""


def run_schema_text() -> str:
    """The schema as it is committed: JSON Schema draft 2020-12."""
    schema = RunResult.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(run_schema_text())
