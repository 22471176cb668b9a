"""Names of the conversion paths. The pipeline builds what they name; matrix files and results only carry the names."""

from __future__ import annotations

from importlib.metadata import entry_points

__all__ = ["BUILT_IN_PATHS", "PASSTHROUGH", "PATHS_GROUP", "installed_path_names", "path_names"]

PASSTHROUGH = "passthrough"
"""Not a conversion: decoded planes go straight to the encoder, without a GPU."""

BUILT_IN_PATHS = ("cpu", "gpu", "gpu-fused", "gpu-late", "videotoolbox", PASSTHROUGH)
"""Paths that capbench brings along, in the order in which they are listed."""

PATHS_GROUP = "capbench.paths"
"""Entry point group in which installed packages offer more."""


def installed_path_names() -> list[str]:
    """Names that installed packages add, sorted; nothing is imported to find out."""
    return sorted({entry.name for entry in entry_points(group=PATHS_GROUP)} - set(BUILT_IN_PATHS))


def path_names() -> list[str]:
    """Every name of a path, built in first."""
    return [*BUILT_IN_PATHS, *installed_path_names()]
