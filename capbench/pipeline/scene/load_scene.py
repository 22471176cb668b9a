"""Reading scene files, with errors that point at the file, the line and the key."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from capbench.errors import SceneError
from capbench.files import parse_toml, read_text
from capbench.pipeline.scene.scene_schema import Scene
from capbench.resources import matrix_folder
from capbench.units import shown
from capbench.unknown_names import did_you_mean, unknown_key

__all__ = ["load_scene", "scene_names"]

_MOST_PROBLEMS = 10
"""Named in one message: the line of each is looked for in the whole text."""
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def scene_names() -> list[str]:
    """Names of the scenes that are shipped."""
    return sorted(path.stem for path in (matrix_folder() / "scenes").glob("*.toml"))


def load_scene(name_or_file: str | Path) -> Scene:
    """Read a shipped scene by name, or a TOML file. Raises `SceneError` that points at the key."""
    shipped = matrix_folder() / "scenes" / f"{name_or_file}.toml"
    path = shipped if str(name_or_file) in scene_names() else Path(name_or_file)
    if "\0" not in str(path) and not os.path.lexists(path):
        known = scene_names()
        meant = did_you_mean(str(name_or_file), known)
        raise SceneError(f"unknown scene {shown(str(name_or_file))}; available: {', '.join(known)}{meant}")
    text = read_text(path, SceneError)
    values = parse_toml(text, path, SceneError)
    try:
        return Scene.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        problems = error.errors()[:_MOST_PROBLEMS]
        raise SceneError("\n".join(_sentence(path, text, problem) for problem in problems)) from None


def _sentence(path: Path, text: str, problem: object) -> str:
    assert isinstance(problem, dict)
    location = [part for part in problem["loc"] if isinstance(part, int) or re.fullmatch(r"[a-z_0-9]+", part)]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    line = _line_of(text, location)
    place = f"{path}:{line}" if line else str(path)
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = unknown_key(Scene, problem["loc"])
    return f"{place}: {key}: {message}" if key else f"{place}: {message}"


def _line_of(text: str, location: Sequence[int | str]) -> int | None:
    """Line, from 1, of the deepest part of a key's location that the file writes out; None where it writes none."""
    table: list[int | str] = []
    counts: dict[str, int] = {}
    best_depth, best_line = 0, None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header.group(1)
            if line.lstrip().startswith("[["):
                counts[name] = counts.get(name, -1) + 1
            table = []
            for depth, part in enumerate(parts := name.split(".")):
                table.append(part)
                if (array := ".".join(parts[: depth + 1])) in counts:
                    table.append(counts[array])
            found = table
        elif assignment := _ASSIGNMENT.match(line):
            found = [*table, *(part.strip("\"'") for part in assignment.group(1).split("."))]
        else:
            continue
        if len(found) > best_depth and list(location[: len(found)]) == found:
            best_depth, best_line = len(found), number
    return best_line
