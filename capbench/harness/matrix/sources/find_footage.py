"""Footage of other people: which `[[footage]]` tables there are, and what a case that names one takes from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capbench.errors import MatrixError
from capbench.harness.matrix.model import Download
from capbench.harness.matrix.toml_file import MatrixFile
from capbench.results.run_record import Footage
from capbench.units import shown
from capbench.unknown_names import did_you_mean

__all__ = ["declared_footage", "with_footage"]

MOST_PIXELS = 16e10
"""Of all pictures of one clip together: five minutes of 4K at 60 fps, which are encoded once."""


def declared_footage(files: Mapping[Path, MatrixFile]) -> dict[str, Footage]:
    """Every `[[footage]]` table of the files by its name. Raises `MatrixError` for a name that is taken or too much."""
    found: dict[str, Footage] = {}
    for path, file in files.items():
        for index, table in enumerate(file.footage):
            where = f"{path}:footage[{index}]({table.name})"
            if table.name in found:
                raise MatrixError(f"{where}.name: another clip has this name; rename one")
            pixels = table.width * table.height * table.frames
            if pixels > MOST_PIXELS:
                raise MatrixError(
                    f"{where}: {table.width}x{table.height} at {table.fps} fps for {table.duration_s:g} s are "
                    f"{pixels:.2g} pixels, at most {MOST_PIXELS:.2g} are allowed; shorten duration_s"
                )
            found[table.name] = Footage(**dict(table))
    return found


def with_footage(where: str, merged: dict[str, Any], declared: Mapping[str, Footage]) -> dict[str, Any]:
    """A case's settings with the clip that `footage` names, and where it is fetched from.

    Raises `MatrixError` for a name that no table has, and for a length, which the table has.
    """
    name = merged.get("footage")
    if name is None:
        return merged
    if name not in declared:
        known = ", ".join(declared) or "none; include one, or add a [[footage]] table"
        raise MatrixError(
            f"{where}.footage: unknown clip {shown(name)}; available: {known}{did_you_mean(name, declared)}"
        )
    clip = declared[name]
    if merged.get("duration_s") is not None:
        raise MatrixError(f"{where}.duration_s: footage {name!r} has its own length; omit it, or add another table")
    return merged | {"footage": clip, "download": Download(url=clip.url, sha256=clip.sha256.lower())}
