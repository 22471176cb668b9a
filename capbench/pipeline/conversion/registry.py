"""The conversion paths, by name: built in, and from the entry point group `capbench.paths`."""

from __future__ import annotations

from importlib.metadata import entry_points

from capbench.errors import AdapterError, InputError
from capbench.pipeline.conversion.interface import ConversionPath, Finishing, PathFactory
from capbench.pipeline.conversion.second_device import LatePath
from capbench.pipeline.conversion.shader import FusedPath, GpuPath
from capbench.pipeline.conversion.swscale import CpuPath
from capbench.pipeline.conversion.videotoolbox import videotoolbox_path
from capbench.results.path_names import PASSTHROUGH, PATHS_GROUP, path_names

__all__ = ["FLOOR", "PASSTHROUGH", "ConversionPath", "Finishing", "PathFactory", "path_factory", "path_names"]

FLOOR = "floor"
"""Not a path to choose: decode and encode with nothing between, whatever the scene. No exporter can be faster."""

_BUILT_IN: dict[str, PathFactory] = {
    "cpu": CpuPath,
    "gpu": GpuPath,
    "gpu-fused": FusedPath,
    "gpu-late": LatePath,
    "videotoolbox": videotoolbox_path,
}


def path_factory(name: str) -> PathFactory:
    """The factory of a path. Raises `InputError` for an unknown name, `AdapterError` for one that fails to load."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for entry in entry_points(group=PATHS_GROUP, name=name):
        try:
            factory: PathFactory = entry.load()
        except Exception as error:  # a third party's import may raise anything
            raise AdapterError(f"path {name!r} from {entry.value} does not load: {error}") from error
        return factory
    raise InputError(f"unknown path {name!r}; available: {', '.join(path_names())}")
