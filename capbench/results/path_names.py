"""Names of conversion paths and decoders. The pipeline builds what they name; matrix files and results carry them."""

from __future__ import annotations

from importlib.metadata import entry_points

__all__ = [
    "ANY_DECODER",
    "BUILT_IN_PATHS",
    "DECODERS",
    "HARDWARE_DECODERS",
    "HARDWARE_ENCODER_SUFFIXES",
    "PASSTHROUGH",
    "PATHS_GROUP",
    "SOFTWARE_DECODER",
    "installed_path_names",
    "path_names",
]

PASSTHROUGH = "passthrough"
"""Not a conversion: decoded planes go straight to the encoder, without a GPU."""

BUILT_IN_PATHS = ("cpu", "gpu", "gpu-fused", "gpu-late", "videotoolbox", PASSTHROUGH)
"""Paths that capbench brings along, in the order in which they are listed."""

PATHS_GROUP = "capbench.paths"
"""Entry point group in which installed packages offer more."""

SOFTWARE_DECODER = "software"
"""FFmpeg's own decoder on the CPU: reports damage, and is the same everywhere."""

ANY_DECODER = "auto"
"""The first hardware decoder that works for a source, otherwise software."""

HARDWARE_DECODERS = ("cuda", "vaapi", "videotoolbox", "d3d11va")
"""Hardware decoders by FFmpeg's names of their devices, in the order in which `auto` tries them."""

HARDWARE_ENCODER_SUFFIXES = (
    *("_nvenc", "_qsv", "_amf", "_vaapi", "_videotoolbox", "_mf", "_v4l2m2m", "_vulkan", "_d3d12va"),
)
"""What FFmpeg's names of hardware encoders end in."""

DECODERS = (SOFTWARE_DECODER, ANY_DECODER, *HARDWARE_DECODERS)
"""All that `--decoder` takes."""


def installed_path_names() -> list[str]:
    """Names that installed packages add, sorted; nothing is imported to find out."""
    return sorted({entry.name for entry in entry_points(group=PATHS_GROUP)} - set(BUILT_IN_PATHS))


def path_names() -> list[str]:
    """Every name of a path, built in first."""
    return [*BUILT_IN_PATHS, *installed_path_names()]
