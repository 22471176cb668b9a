"""What a conversion path is: where and how the composited picture becomes NV12."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.gpu.device import GpuContext

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder

__all__ = ["ConversionPath", "Finishing", "PathFactory"]


class Finishing(Enum):
    """Where a path's `finish` runs, between readback and encoder."""

    NOT_NEEDED = "not needed"
    """What is read back is NV12 already."""
    ASIDE = "aside"
    """On its own thread, while the next frame is drawn."""
    IN_LINE = "in line"
    """On the render thread, which draws nothing meanwhile."""


class ConversionPath(Protocol):
    """One way from the uploaded frame to an NV12 picture, set up for one export.

    `record` and `read` run on the render thread. `finish` and `close` run on the convert thread where `finishing` is
    `ASIDE`, else on the render thread too.
    """

    siting: ChromaSiting
    """Where the path puts chroma; the stream is tagged so."""
    staging_bytes: int
    """Bytes that `record` copies into the staging buffer, padding included."""
    readback_bytes: int
    """Bytes of picture that `read` takes from mapped memory for each frame, padding not counted."""
    picture_format: str
    """FFmpeg pixel format of the frames that `read` fills: `nv12`, or what `finish` takes."""
    finishing: Finishing
    """Whether and where `finish` must run before the encoder."""

    def record(self, encoder: GPUCommandEncoder, staging: GPUBuffer) -> None:
        """Record everything from the uploaded planes to the staging buffer on a `wgpu.GPUCommandEncoder`."""

    def read(self, mapped: NDArray[np.uint8], frame: av.VideoFrame) -> None:
        """Copy `staging_bytes` of mapped memory into an `av.VideoFrame` of `picture_format`."""

    def finish(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Turn that frame into an `av.VideoFrame` in nv12."""

    def close(self) -> None:
        """Release what the path opened itself."""


class PathFactory(Protocol):
    """Sets a path up on the renderer's device. Raises `UnavailableError` with the reason where it cannot run."""

    def __call__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> ConversionPath:
        """Make the path; `threads` is for software conversion, 0 is one a core."""
