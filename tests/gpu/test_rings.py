"""Upload and readback rings: order, bounds, bytes, and nothing that outlives its mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import SourcePlanes
from capbench.pipeline.gpu.device import GpuContext, open_device
from capbench.pipeline.gpu.gpu_timestamps import FrameTimestamps
from capbench.pipeline.gpu.readback_ring import ReadbackRing
from capbench.pipeline.gpu.upload_ring import PlaneUploader

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUTexture


def fill(gpu: GpuContext, ring: ReadbackRing[int], number: int) -> None:
    """Submit commands that leave `number` in every word of the ring's next buffer."""
    source = gpu.device.create_buffer_with_data(data=np.full(4, number, np.uint32), usage="COPY_SRC")
    encoder = gpu.device.create_command_encoder()
    encoder.copy_buffer_to_buffer(source, 0, ring.next_buffer(), 0, 16)
    gpu.device.queue.submit([encoder.finish()])
    ring.submitted(number)


def take(ring: ReadbackRing[int]) -> tuple[int, int]:
    """Tag and first word of the oldest picture."""
    words: list[int] = []
    ring.wait()
    tag, _ = ring.take(lambda mapped: words.append(int(mapped[:4].view(np.uint32)[0])))
    return tag, words[0]


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_pictures_come_out_once_each_in_order(gpu: GpuContext, slots: int) -> None:
    ring: ReadbackRing[int] = ReadbackRing(gpu, 16, slots)
    taken = []

    for number in range(1, 10):
        if ring.is_full:
            taken.append(take(ring))
        fill(gpu, ring, number)
    while not ring.is_empty:
        taken.append(take(ring))

    assert taken == [(number, number) for number in range(1, 10)]


def test_as_many_are_in_flight_as_there_are_slots(gpu: GpuContext) -> None:
    ring: ReadbackRing[int] = ReadbackRing(gpu, 16, 3)
    for number in range(3):
        assert not ring.is_full
        fill(gpu, ring, number)

    assert ring.is_full
    assert [take(ring)[0] for _ in range(3)] == [0, 1, 2]
    assert ring.is_empty


def test_a_reader_that_fails_gives_the_buffer_back(gpu: GpuContext) -> None:
    """The buffer must be unmapped, or the next submit that writes to it fails."""
    ring: ReadbackRing[int] = ReadbackRing(gpu, 16, 1)
    fill(gpu, ring, 1)
    ring.wait()

    def broken(mapped: NDArray[np.uint8]) -> None:
        raise ZeroDivisionError(mapped.size)

    with pytest.raises(ZeroDivisionError):
        ring.take(broken)

    fill(gpu, ring, 2)
    assert take(ring) == (2, 2)


def ticks_around(gpu: GpuContext, passes: int) -> int:
    """Ticks between the two timestamps of a frame that converts a 1080p picture so many times."""
    texture = gpu.texture(1920, 1080, "rgba8unorm", "TEXTURE_BINDING|COPY_DST", "picture")
    conversion = texture_to_nv12(gpu, texture, CanvasSize(1920, 1080), ColourSpec())
    timestamps, ring = FrameTimestamps(gpu), ReadbackRing[None](gpu, 16, 1)
    encoder = gpu.device.create_command_encoder()
    timestamps.begin(encoder)
    for _ in range(passes):
        conversion.record(encoder)
    timestamps.end(encoder, ring.next_buffer(), ring.timestamp_offset)
    gpu.device.queue.submit([encoder.finish()])
    ring.submitted(None)
    ring.wait()
    return ring.take(lambda _: None)[1]


@pytest.mark.usefixtures("gpu")
def test_timestamps_enclose_all_that_is_recorded_between_them() -> None:
    """Ten passes take longer than none on any adapter; a factor of two leaves room for a busy machine."""
    # A device of its own: on one that other tests have drawn on, llvmpipe 22.3 answers both queries at the same time.
    own = open_device()
    try:
        if not own.has_timestamps:
            pytest.skip("the adapter offers no timestamp queries")
        assert ticks_around(own, passes=10) > 2 * ticks_around(own, passes=0)
    finally:
        own.close()


def read_texture(gpu: GpuContext, texture: GPUTexture, texel_bytes: int) -> NDArray[np.uint8]:
    """Bytes of a texture, shape (height, width * texel_bytes)."""
    width, height, _ = texture.size
    stride = -(-width * texel_bytes // 256) * 256
    buffer = gpu.buffer(stride * height, "COPY_DST|COPY_SRC", "texture copy")
    encoder = gpu.device.create_command_encoder()
    layout = {"buffer": buffer, "offset": 0, "bytes_per_row": stride, "rows_per_image": height}
    encoder.copy_texture_to_buffer({"texture": texture}, layout, (width, height, 1))
    gpu.device.queue.submit([encoder.finish()])
    data = np.frombuffer(gpu.device.queue.read_buffer(buffer), np.uint8)
    rows: NDArray[np.uint8] = data.reshape(height, stride)[:, : width * texel_bytes]
    return rows


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(64, 48), (321, 241), (1366, 2)], ids=str)
def test_uploaded_planes_are_the_frames_samples(gpu: GpuContext, pixel_format: str, size: tuple[int, int]) -> None:
    """More frames than slots, each with its own noise; the textures hold the last one, without row padding."""
    frame = av.VideoFrame(*size, pixel_format)
    chroma = frame.planes[1]
    uploader = PlaneUploader(gpu, SourcePlanes(*size, chroma.width, chroma.height), slots=2)
    noise = np.random.default_rng(3)

    for _ in range(5):
        for plane in frame.planes:
            samples = plane_samples(plane)
            samples[:] = noise.integers(0, 256, samples.shape, dtype=np.uint8)
        encoder = gpu.device.create_command_encoder()
        uploader.record(frame, encoder)
        gpu.device.queue.submit([encoder.finish()])
        uploader.submitted()

    assert np.array_equal(read_texture(gpu, uploader.luma, 1), plane_samples(frame.planes[0]))
    interleaved = read_texture(gpu, uploader.chroma, 2)
    assert np.array_equal(interleaved[:, 0::2], plane_samples(frame.planes[1]))
    assert np.array_equal(interleaved[:, 1::2], plane_samples(frame.planes[2]))
    assert uploader.uploaded_bytes == 5 * sum(plane_samples(plane).size for plane in frame.planes)
