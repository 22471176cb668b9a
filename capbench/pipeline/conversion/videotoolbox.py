"""Path `videotoolbox`: the hardware transfer session of macOS. Listed everywhere; says why it cannot run."""

from __future__ import annotations

import sys
from typing import NoReturn

from capbench.colour import ColourSpec
from capbench.errors import AdapterError
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.gpu.device import GpuContext

__all__ = ["videotoolbox_path"]


def videotoolbox_path(gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> NoReturn:
    """Raise `AdapterError`: on macOS because it is not built, elsewhere because the system has no such session."""
    del gpu, compositor, colour, threads
    if sys.platform == "darwin":
        # Untested it could be wrong in colour or stride without anybody noticing: no Mac was available.
        reason = "VTPixelTransferSession is not connected yet"
    else:
        reason = f"VTPixelTransferSession exists only on macOS, and this is {sys.platform}"
    raise AdapterError(f"path videotoolbox cannot run: {reason}; pass --path gpu")
