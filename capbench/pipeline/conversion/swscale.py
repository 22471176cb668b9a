"""Path `cpu`: RGBA crosses to the CPU, and swscale makes NV12 of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.conversion.interface import Finishing
from capbench.pipeline.decode.decoded_planes import copy_rows, plane_rows
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.upload_ring import ROW_ALIGNMENT_BYTES

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder

__all__ = ["CpuPath", "RgbaReadback", "SwscaleToNv12"]

_SWSCALE_MATRIX = {
    MatrixCoefficients.BT601: "bt601",
    MatrixCoefficients.BT709: "bt709",
    MatrixCoefficients.BT2020: "bt2020",
}


class SwscaleToNv12:
    """RGBA frames to NV12 by FFmpeg's scale filter, whose output frames come from a pool. Sites chroma as requested."""

    def __init__(self, width: int, height: int, colour: ColourSpec, threads: int) -> None:
        graph = av.filter.Graph()
        # 0 lets FFmpeg take one a core; anything else pins it.
        graph.threads = threads
        source = graph.add(
            "buffer",
            video_size=f"{width}x{height}",
            pix_fmt="rgba",
            time_base="1/1000000000",
            range="pc",
            colorspace="gbr",
        )
        # By itself swscale halves chroma by pairs of pixels, which lies between the columns. Told to filter all of it
        # to the left one it weighs [1 2 1] / 4.
        left = {"flags": "bilinear+full_chroma_inp", "out_h_chr_pos": "0"}
        # Without an explicit destination matrix swscale writes BT.601 and says nothing.
        scale = graph.add(
            "scale",
            in_range="pc",
            out_range="tv" if colour.range is Range.LIMITED else "pc",
            out_color_matrix=_SWSCALE_MATRIX[colour.matrix],
            **(left if colour.siting is ChromaSiting.LEFT else {"flags": "bilinear"}),
        )
        layout = graph.add("format", pix_fmts="nv12")
        graph.link_nodes(source, scale, layout, graph.add("buffersink")).configure()
        self._graph = graph

    def convert(self, frame: av.VideoFrame) -> av.VideoFrame:
        """An `av.VideoFrame` in nv12 with the PTS of the rgba one."""
        self._graph.vpush(frame)
        return self._graph.vpull()


class RgbaReadback:
    """What the paths share that bring RGBA to the CPU: 4 bytes a pixel cross the bus."""

    picture_format = "rgba"
    finishing = Finishing.ASIDE

    def __init__(self, compositor: Compositor) -> None:
        self._compositor = compositor
        self._picture = compositor.picture
        self._width, self._height = compositor.canvas.width, compositor.canvas.height
        self._stride = -(-self._width * 4 // ROW_ALIGNMENT_BYTES) * ROW_ALIGNMENT_BYTES
        self.staging_bytes = self._stride * self._height
        self.readback_bytes = self._width * self._height * 4

    def record(self, encoder: GPUCommandEncoder, staging: GPUBuffer) -> None:
        """Composite, then copy the RGBA texture."""
        self._compositor.draw(encoder)
        target = {"buffer": staging, "offset": 0, "bytes_per_row": self._stride, "rows_per_image": self._height}
        encoder.copy_texture_to_buffer({"texture": self._picture}, target, (self._width, self._height, 1))

    def read(self, mapped: NDArray[np.uint8], frame: av.VideoFrame) -> None:
        """Copy the RGBA rows without their padding."""
        picture = mapped[: self.staging_bytes].reshape(self._height, self._stride)
        copy_rows(picture, plane_rows(frame.planes[0]), self._width * 4)


class CpuPath(RgbaReadback):
    """The classic exporter and the baseline: swscale converts on its own thread."""

    def __init__(
        self,
        gpu: GpuContext,
        compositor: Compositor,
        colour: ColourSpec,
        *,
        threads: int,
        siting: ChromaSiting = ChromaSiting.CENTRE,
    ) -> None:
        """As every factory; `siting` is left only where this path continues a stream that is already tagged so."""
        del gpu
        super().__init__(compositor)
        self.siting = siting
        self._scaler = SwscaleToNv12(self._width, self._height, replace(colour, siting=siting), threads)

    def finish(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Let swscale make NV12."""
        return self._scaler.convert(frame)

    def close(self) -> None:
        """Do nothing: the device is the renderer's, and the filter graph goes with this object."""
