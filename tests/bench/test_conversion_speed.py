"""How long the single steps take. Run with `nox -s microbench`; on a software adapter these are CPU times."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_layout import Nv12Layout
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.conversion.swscale import SwscaleToNv12
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import SourcePlanes
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.readback_ring import ReadbackRing
from capbench.pipeline.gpu.upload_ring import PlaneUploader, UploadSlot
from capbench.quality.oracle import rgb_to_nv12
from tests.gpu.conversion import picture_of

SIZES = [(1920, 1080), (3840, 2160)]
at_every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def naming_the_adapter(benchmark: BenchmarkFixture, gpu: GpuContext) -> BenchmarkFixture:
    """Figures without the adapter's name are worthless."""
    benchmark.extra_info["adapter"] = gpu.adapter
    benchmark.extra_info["adapter_is_software"] = gpu.is_software
    return benchmark


@at_every_size
def test_convert_by_compute_shader(benchmark: BenchmarkFixture, gpu: GpuContext, size: tuple[int, int]) -> None:
    """An RGBA texture to an NV12 buffer, the conversion of path gpu."""
    texture = gpu.texture(*size, "rgba8unorm", "TEXTURE_BINDING|COPY_DST", "picture")
    conversion = texture_to_nv12(gpu, texture, CanvasSize(*size), ColourSpec())
    # One word is read back each time: mapping it is the only finite way to wait for the pass that wgpu-py 0.32 has.
    ring: ReadbackRing[None] = ReadbackRing(gpu, 4, slots=1)

    def convert() -> None:
        encoder = gpu.device.create_command_encoder()
        conversion.record(encoder)
        encoder.copy_buffer_to_buffer(conversion.buffer, 0, ring.next_buffer(), 0, 4)
        gpu.device.queue.submit([encoder.finish()])
        ring.submitted(None)
        ring.wait()
        ring.take(lambda _: None)

    naming_the_adapter(benchmark, gpu)(convert)


@at_every_size
@pytest.mark.parametrize("threads", [1, 0])
def test_convert_by_swscale(benchmark: BenchmarkFixture, size: tuple[int, int], threads: int) -> None:
    """RGBA in CPU memory to NV12, the conversion of path cpu."""
    frame = av.VideoFrame(*size, "rgba")
    plane_samples(frame.planes[0], 4)[:] = 128
    frame.pts = 0
    scaler = SwscaleToNv12(*size, ColourSpec(siting=ChromaSiting.CENTRE), threads)

    benchmark(scaler.convert, frame)


@pytest.mark.parametrize("kind", ["gradient", "random"])
def test_convert_by_the_oracle(benchmark: BenchmarkFixture, kind: str) -> None:
    """The float64 oracle, at 1080p: what a validation that holds frames against it has to pay."""
    benchmark(rgb_to_nv12, picture_of(kind, 1920, 1080), ColourSpec())


@at_every_size
@pytest.mark.parametrize("slots", [1, 3])
def test_upload(benchmark: BenchmarkFixture, gpu: GpuContext, size: tuple[int, int], slots: int) -> None:
    """Decoded planes to textures through mapped buffers, filled and submitted by one thread."""
    planes = SourcePlanes(*size, size[0] // 2, size[1] // 2)
    uploader = PlaneUploader(gpu, planes, slots)
    frame = av.VideoFrame(*size, "yuv420p")

    def upload() -> None:
        encoder = gpu.device.create_command_encoder()
        uploader.record(frame, encoder)
        gpu.device.queue.submit([encoder.finish()])
        uploader.submitted()

    naming_the_adapter(benchmark, gpu)(upload)


@at_every_size
@pytest.mark.parametrize("interleaves", [False, True], ids=["planes", "interleaved"])
def test_fill(benchmark: BenchmarkFixture, gpu: GpuContext, size: tuple[int, int], *, interleaves: bool) -> None:
    """Decoded planes into a mapped buffer, which may happen on another thread: no GPU takes part."""
    planes = SourcePlanes(*size, size[0] // 2, size[1] // 2)
    slot = PlaneUploader(gpu, planes, 1, interleaves_chroma=interleaves).slots[0]

    benchmark(slot.fill, av.VideoFrame(*size, "yuv420p"))


@at_every_size
def test_record_a_filled_slot(benchmark: BenchmarkFixture, gpu: GpuContext, size: tuple[int, int]) -> None:
    """What is left of an upload for the thread that submits."""
    planes = SourcePlanes(*size, size[0] // 2, size[1] // 2)
    uploader, frame = PlaneUploader(gpu, planes, 1), av.VideoFrame(*size, "yuv420p")

    def filled() -> tuple[tuple[UploadSlot], dict[str, object]]:
        uploader.slots[0].fill(frame)
        return (uploader.slots[0],), {}

    def record(slot: UploadSlot) -> None:
        encoder = gpu.device.create_command_encoder()
        uploader.record_filled(slot, encoder)
        gpu.device.queue.submit([encoder.finish()])
        uploader.submitted()

    named = naming_the_adapter(benchmark, gpu)
    named.pedantic(record, setup=filled, rounds=50)  # type: ignore[no-untyped-call]  # annotated but for this


@at_every_size
def test_copy_a_picture_out(benchmark: BenchmarkFixture, size: tuple[int, int]) -> None:
    """A mapped NV12 picture into the frame that an encoder takes."""
    layout = Nv12Layout(CanvasSize(*size))

    benchmark(layout.copy_to_frame, np.zeros(layout.size_bytes, np.uint8), av.VideoFrame(*size, "nv12"))


@at_every_size
@pytest.mark.parametrize(("kind", "bytes_a_pixel"), [("nv12", 1.5), ("rgba", 4)])
def test_readback(
    benchmark: BenchmarkFixture, gpu: GpuContext, size: tuple[int, int], kind: str, bytes_a_pixel: float
) -> None:
    """A GPU buffer to CPU memory, as large as a picture of that kind."""
    size_bytes = int(size[0] * size[1] * bytes_a_pixel)
    picture = gpu.buffer(size_bytes, "COPY_SRC", kind)
    ring: ReadbackRing[None] = ReadbackRing(gpu, size_bytes, slots=1)
    target = np.empty(size_bytes, np.uint8)

    def copy(mapped: NDArray[np.uint8]) -> None:
        np.copyto(target, mapped[:size_bytes])

    def read_back() -> None:
        encoder = gpu.device.create_command_encoder()
        encoder.copy_buffer_to_buffer(picture, 0, ring.next_buffer(), 0, size_bytes)
        gpu.device.queue.submit([encoder.finish()])
        ring.submitted(None)
        ring.wait()
        ring.take(copy)

    naming_the_adapter(benchmark, gpu)(read_back)
