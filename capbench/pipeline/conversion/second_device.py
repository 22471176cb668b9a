"""Path `gpu-late`: the attempt that was 13 times slower, kept as a specimen.

RGBA crosses to the CPU, goes up again to a second device, is converted there, and the renderer waits for every frame
right after its submit. The picture is right, only slow: a gate must flag this path.
"""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.conversion.interface import Finishing
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.conversion.swscale import RgbaReadback
from capbench.pipeline.decode.decoded_planes import plane_rows
from capbench.pipeline.gpu.device import GpuContext, open_device, wait_for

__all__ = ["LatePath"]


class LatePath(RgbaReadback):
    """RGBA readback, then a second device that converts one frame at a time, while nothing is drawn."""

    finishing = Finishing.IN_LINE

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> None:
        del gpu, threads
        super().__init__(compositor)
        self.siting = colour.siting
        self._canvas = compositor.canvas
        self._colour = colour
        self._second: GpuContext | None = None

    def finish(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Upload to the second device, convert, wait."""
        if self._second is None:
            self._open_second_device()
        assert self._second is not None
        plane = frame.planes[0]
        width, height = self._canvas.width, self._canvas.height
        layout = {"bytes_per_row": plane.line_size, "rows_per_image": height}
        queue = self._second.device.queue
        queue.write_texture({"texture": self._texture}, plane_rows(plane), layout, (width, height, 1))
        encoder = self._second.device.create_command_encoder(label="late")
        self._conversion.record(encoder)
        encoder.copy_buffer_to_buffer(self._conversion.buffer, 0, self._staging, 0, self._conversion.layout.size_bytes)
        queue.submit([encoder.finish()])
        wait_for(self._staging.map_async("READ"), self._second.timeout_s, "the late conversion")
        picture = av.VideoFrame(width, height, "nv12")
        mapped: NDArray[np.uint8] = np.frombuffer(self._staging.read_mapped(copy=False), np.uint8)
        self._conversion.layout.copy_to_frame(mapped, picture)
        del mapped
        self._staging.unmap()
        return picture

    def close(self) -> None:
        """Destroy the second device."""
        if self._second is not None:
            self._second.close()

    def _open_second_device(self) -> None:
        gpu = open_device()
        self._second = gpu
        usage = "TEXTURE_BINDING|COPY_DST"
        self._texture = gpu.texture(self._canvas.width, self._canvas.height, "rgba8unorm", usage, "late picture")
        self._conversion = texture_to_nv12(gpu, self._texture, self._canvas, self._colour)
        size_bytes = self._conversion.layout.size_bytes
        self._staging = gpu.buffer(size_bytes, "MAP_READ|COPY_DST", "late staging")
