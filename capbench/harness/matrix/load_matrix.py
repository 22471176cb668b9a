"""Reading a matrix: find the file, read what it includes, expand, with errors that point at file and key."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from capbench.errors import MatrixError
from capbench.files import is_file, is_folder, parse_toml, read_text, read_toml
from capbench.harness.matrix.expand import expand_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.matrix.table_values import known_paths
from capbench.harness.matrix.toml_file import MatrixFile
from capbench.resources import matrix_folder
from capbench.units import shown
from capbench.unknown_names import nearest, unknown_key

__all__ = ["load_matrix", "parse_matrix"]

_MOST_PROBLEMS = 10
"""Named in one message."""
_DEEPEST_INCLUDE = 32
"""Files that include each other in a chain."""
_MOST_FILES = 1000
"""Files of one matrix: each may name a hundred more."""
_MOST_BESIDE = 1000
"""Entries of a folder that are looked at for a name like one that is not there."""


def load_matrix(name_or_path: str | Path) -> RunMatrix:
    """Read a matrix by the name of a shipped one or by its path. Raises `MatrixError` that points at file and key."""
    path = _find(str(name_or_path), beside=Path.cwd())
    files: dict[Path, MatrixFile] = {}
    _read_with_includes(path, files, chain=())
    return expand_matrix(path, files, known_paths())


def parse_matrix(text: str, path: Path) -> RunMatrix:
    """The matrix of a text as if it lay at `path`. Raises `MatrixError` as `load_matrix` does."""
    files: dict[Path, MatrixFile] = {}
    _add_with_includes(path, parse_toml(text, path, MatrixError), files, chain=())
    return expand_matrix(path, files, known_paths())


def _find(name: str, *, beside: Path, said_in: str = "") -> Path:
    written = beside / name
    if is_file(written):
        # A pipe's name leads to nothing on the disk, so only files are followed.
        return written.resolve() if os.path.isfile(written) else written.absolute()  # noqa: PTH113  never raises
    shipped = matrix_folder() / f"{name}.toml"
    if re.fullmatch(r"[\w-]+", name) and is_file(shipped):
        return shipped.resolve()
    if is_folder(written):
        raise MatrixError(f"{said_in}{name} is a directory; name a matrix file inside it")
    shipped_names = sorted(_shipped_names())
    if "\0" not in name and os.path.lexists(written):
        return written.absolute()  # a device, or behind a folder that may not be searched: reading it explains
    meant = _meant(name, shipped_names, beside)
    raise MatrixError(
        f"{said_in}no matrix {shown(name)}: neither a file nor a built-in matrix ({', '.join(shipped_names)}){meant}"
    )


def _meant(name: str, shipped_names: Sequence[str], beside: Path) -> str:
    """The built-in matrix, or the TOML file in the folder of the name, that is called nearly so."""
    folder = Path(name).parent
    try:
        entries = [entry.name for entry in itertools.islice((beside / folder).iterdir(), _MOST_BESIDE)]
    except (OSError, ValueError):
        entries = []
    written = {Path(entry).stem: str(folder / entry) for entry in sorted(entries) if entry.endswith(".toml")}
    written |= {shipped: shipped for shipped in shipped_names}
    near = nearest(Path(name).stem, written)
    return "" if near is None else f"; did you mean {written[near]!r}?"


def _shipped_names() -> list[str]:
    """Shipped files that are a matrix of their own: those with cases or includes, not subjects, scenes or gates."""
    return [
        path.stem
        for path in matrix_folder().glob("*.toml")
        if re.search(r"^(\[\[(case|corpus)\]\]|include\s*=)", read_text(path, MatrixError), re.MULTILINE)
    ]


def _read_with_includes(path: Path, files: dict[Path, MatrixFile], chain: tuple[Path, ...]) -> None:
    """Add `path` to `files` after everything it includes. A file that two others include counts once."""
    if path in chain:
        circle = " -> ".join(step.name for step in (*chain[chain.index(path) :], path))
        raise MatrixError(f"{chain[-1]}:include: circular include: {circle}")
    if path in files:
        return
    if len(chain) >= _DEEPEST_INCLUDE:
        raise MatrixError(f"{chain[-1]}:include: more than {_DEEPEST_INCLUDE} levels of includes")
    if len(files) >= _MOST_FILES:
        raise MatrixError(f"{chain[-1]}:include: more than {_MOST_FILES} files in total")
    _add_with_includes(path, read_toml(path, MatrixError), files, chain)


def _add_with_includes(
    path: Path, raw: dict[str, object], files: dict[Path, MatrixFile], chain: tuple[Path, ...]
) -> None:
    """Likewise, for a file that was read."""
    parsed = _parse(path, raw)
    for index, name in enumerate(parsed.include):
        included = _find(name, beside=path.parent, said_in=f"{path}:include[{index}]: ")
        _read_with_includes(included, files, (*chain, path))
    files[path] = parsed


def _parse(path: Path, raw: dict[str, object]) -> MatrixFile:
    try:
        return MatrixFile.model_validate(raw)
    except ValidationError as error:
        problems = _without_other_readings(error.errors())
        lines = [_describe(path, raw, dict(problem)) for problem in problems[:_MOST_PROBLEMS]]
        if len(problems) > _MOST_PROBLEMS:
            lines.append(f"and {len(problems) - _MOST_PROBLEMS} more problems")
        raise MatrixError("\n".join(lines)) from error


def _without_other_readings(problems: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without "should be a string" where a table was written: that it may be a string too is not what is wrong."""
    inside = {problem["loc"][:-2] for problem in problems if len(problem["loc"]) > 2}
    return [
        problem
        for problem in problems
        if not (problem["type"] == "string_type" and problem["loc"][-1] == "str" and problem["loc"][:-1] in inside)
    ]


def _describe(path: Path, raw: dict[str, Any], problem: dict[str, Any]) -> str:
    """`file:key: message` of one pydantic error, with the case's or subject's name where it has one."""
    key = ""
    node: Any = raw
    for position, step in enumerate(problem["loc"], start=1):
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and step < len(node) else None
            key += f"[{step}]"
            if isinstance(node, dict) and isinstance(label := node.get("name", node.get("case")), str):
                key += f"({label})"
        elif (
            not isinstance(node, dict)
            or step in node
            or (problem["type"] == "missing" and position == len(problem["loc"]))
        ):
            # pydantic names the members of a union too; only real keys help the reader.
            node = node.get(step) if isinstance(node, dict) else None
            key += f".{step}" if key else step
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = unknown_key(MatrixFile, problem["loc"])
    elif problem["type"] not in ("missing", "value_error"):
        message += f", got {shown(problem['input'])}"
    return f"{path}:{key or 'top level'}: {message}"
