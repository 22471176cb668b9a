"""The published JSON Schema of matrix files agrees with what the reader accepts."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from capbench.errors import MatrixError
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.matrix_schema import MATRIX_SCHEMA_FILE, matrix_schema_text
from capbench.resources import matrix_folder

_SCHEMA = json.loads(MATRIX_SCHEMA_FILE.read_text(encoding="utf-8"))
_NO_MATRIX = {"gates"}
"""Files of the folder that are of another kind."""


def test_the_committed_schema_is_what_the_code_says() -> None:
    """After a change, write it anew from what `python -m capbench.harness.matrix.matrix_schema` prints."""
    assert MATRIX_SCHEMA_FILE.read_text(encoding="utf-8") == matrix_schema_text()


def test_it_is_a_schema_of_the_draft_that_editors_know() -> None:
    Draft7Validator.check_schema(_SCHEMA)

    assert _SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "null" not in matrix_schema_text()


@pytest.mark.parametrize("file", sorted(matrix_folder().glob("*.toml")), ids=lambda file: file.stem)
def test_it_accepts_the_built_in_matrices(file: Path) -> None:
    errors = list(Draft7Validator(_SCHEMA).iter_errors(tomllib.loads(file.read_text(encoding="utf-8"))))

    assert bool(errors) == (file.stem in _NO_MATRIX)


_CASE = "[[case]]\nname = 'one'\nrecording = '1080p-1min'\n"


@pytest.mark.parametrize(
    "text",
    [
        _CASE + "fps = 30\nwidth = 640\n",
        _CASE + "fps = '30000/1001'\n[case.thresholds]\nwall_s = { max = 3 }\n",
        "[[case]]\nname = 'own'\nrecording = { width = 64, height = 64 }\nduration_s = 1\n",
        _CASE + "[[subject]]\nname = 'x'\ncommand = ['a', '{p}', '{output}']\nprepare = 'sync'\n"
        "[subject.product]\np = [1, 'two', true]\n",
    ],
)
def test_what_the_reader_accepts_it_accepts(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)

    load_matrix(tmp_path / "mine.toml")

    assert not list(Draft7Validator(_SCHEMA).iter_errors(tomllib.loads(text)))


@pytest.mark.parametrize(
    "text",
    [
        _CASE + "scenne = 'bare'\n",
        _CASE + "blocks = 0\n",
        _CASE + "width = 33\n",
        _CASE + "interleave = 'sometimes'\n",
        "[[case]]\nname = 'a b'\nrecording = '1080p-1min'\n",
        _CASE + "[[subject]]\nname = 'x'\ncommand = 3\n",
        _CASE + "[[subject]]\nname = 'x'\nsuffix = '.mkv'\n",
        _CASE + "[default]\nblocks = 3\n",
    ],
)
def test_what_one_key_says_wrongly_it_refuses_as_the_reader_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)

    with pytest.raises(MatrixError):
        load_matrix(tmp_path / "mine.toml")

    assert list(Draft7Validator(_SCHEMA).iter_errors(tomllib.loads(text)))
