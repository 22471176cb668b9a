"""A conversion path in a package of its own: RGBA to the CPU, a few grey levels there, NV12 out.

Its package names it in pyproject.toml, and `capbench export ... --path posterise` finds it:

    [project.entry-points."capbench.paths"]
    posterise = "posterise:PosterisePath"
"""

import av
import numpy as np

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.conversion.swscale import RgbaReadback
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.gpu.device import GpuContext

LEVELS = 4


class PosterisePath(RgbaReadback):
    """`RgbaReadback` composites and reads RGBA back; what is left is `finish`, on a thread of its own."""

    def __init__(self, _gpu: GpuContext, compositor: Compositor, colour: ColourSpec, **_: int) -> None:
        super().__init__(compositor)
        self.siting = colour.siting  # grey has no chroma, so any siting is right
        self._black, self._span = colour.luma_offset_code, colour.luma_span_codes
        self._weights = np.array([*colour.matrix.kr_kb, 0], np.float32)[[0, 2, 1]]
        self._weights[1] = 1 - self._weights.sum()

    def finish(self, frame: av.VideoFrame) -> av.VideoFrame:
        """An rgba frame to an nv12 frame."""
        rgb = plane_samples(frame.planes[0], 4).reshape(frame.height, frame.width, 4)[..., :3]
        grey = np.rint(rgb @ self._weights / 255 * (LEVELS - 1)) / (LEVELS - 1)
        picture = av.VideoFrame(frame.width, frame.height, "nv12")
        plane_samples(picture.planes[0])[:] = np.rint(self._black + self._span * grey)
        plane_samples(picture.planes[1], 2)[:] = 128
        return picture

    def close(self) -> None:
        """Nothing of its own to release."""
