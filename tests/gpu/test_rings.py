"""Upload and readback rings: order, bounds, bytes, and nothing that outlives its mapping."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.errors import DeviceLostError, PictureError
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_layout import Nv12Layout
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.decode.decoded_planes import plane_rows, plane_samples
from capbench.pipeline.decode.probe import SourcePlanes
from capbench.pipeline.gpu import readback_ring, upload_ring
from capbench.pipeline.gpu.device import GpuContext, open_device, wait_for
from capbench.pipeline.gpu.gpu_timestamps import FrameTimestamps
from capbench.pipeline.gpu.readback_ring import ReadbackRing
from capbench.pipeline.gpu.upload_ring import PlaneUploader, UploadSlot

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


def test_all_that_is_in_flight_can_be_waited_for(gpu: GpuContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on the GPU then, and each picture can still be taken."""
    ring: ReadbackRing[int] = ReadbackRing(gpu, 16, 3)
    ring.wait_for_all()  # there is nothing
    for number in range(3):
        fill(gpu, ring, number)

    ring.wait_for_all()

    monkeypatch.setattr(readback_ring, "wait_for", lambda promise, _, what: wait_for(promise, 0.0, what))
    assert [take(ring) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]


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


FORMATS = ["yuv420p", "yuv422p", "yuv444p", "nv12"]
SIZES = [(64, 48), (321, 241), (1366, 2), (512, 6)]


def noisy_frame(size: tuple[int, int], pixel_format: str, seed: int) -> av.VideoFrame:
    """A frame of which no two samples are alike by design; its padding is noise too."""
    frame, noise = av.VideoFrame(*size, pixel_format), np.random.default_rng(seed)
    for plane in frame.planes:
        rows = plane_rows(plane)
        rows[:] = noise.integers(0, 256, rows.shape, dtype=np.uint8)
    return frame


def planes_of(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Samples of each plane; those of an interleaved one are two bytes."""
    return [
        plane_samples(plane, 2 if number and len(frame.planes) == 2 else 1) for number, plane in enumerate(frame.planes)
    ]


def uploader_for(gpu: GpuContext, frame: av.VideoFrame, slots: int, *, interleaves: bool = False) -> PlaneUploader:
    chroma, is_interleaved = frame.planes[1], len(frame.planes) == 2
    planes = SourcePlanes(frame.width, frame.height, chroma.width, chroma.height, is_interleaved)
    return PlaneUploader(gpu, planes, slots, interleaves_chroma=interleaves)


def assert_uploaded(gpu: GpuContext, uploader: PlaneUploader, frame: av.VideoFrame) -> None:
    """The textures hold the frame's samples, without row padding."""
    for number, samples in enumerate(planes_of(frame)):
        texel_bytes = 2 if number and len(frame.planes) == 2 else 1
        assert np.array_equal(read_texture(gpu, uploader.textures[number], texel_bytes), samples)


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_uploaded_planes_are_the_frames_samples(gpu: GpuContext, pixel_format: str, size: tuple[int, int]) -> None:
    """More frames than slots, each with its own noise."""
    uploader = uploader_for(gpu, noisy_frame(size, pixel_format, 0), slots=2)

    for number in range(5):
        frame = noisy_frame(size, pixel_format, number)
        encoder = gpu.device.create_command_encoder()
        uploader.record(frame, encoder)
        gpu.device.queue.submit([encoder.finish()])
        uploader.submitted()
        assert_uploaded(gpu, uploader, frame)

    assert uploader.uploaded_bytes == 5 * sum(samples.size for samples in planes_of(frame))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_chroma_is_interleaved_where_that_is_cheaper(gpu: GpuContext, pixel_format: str, size: tuple[int, int]) -> None:
    frame = noisy_frame(size, pixel_format, 7)
    uploader = uploader_for(gpu, frame, 2, interleaves=True)
    encoder = gpu.device.create_command_encoder()
    uploader.record(frame, encoder)
    gpu.device.queue.submit([encoder.finish()])
    uploader.submitted()

    luma, cb, cr = planes_of(frame)
    chroma = read_texture(gpu, uploader.textures[1], 2)
    assert uploader.textures[1] is uploader.textures[2]
    assert np.array_equal(read_texture(gpu, uploader.textures[0], 1), luma)
    assert np.array_equal(chroma[:, 0::2], cb)
    assert np.array_equal(chroma[:, 1::2], cr)


def test_interleaved_chroma_does_not_go_into_three_textures(gpu: GpuContext) -> None:
    """A decoder that changes its mind in the middle must not leave old chroma under new luma."""
    uploader = uploader_for(gpu, noisy_frame((64, 48), "yuv420p", 0), 1)

    with pytest.raises(PictureError, match="a frame of 2 planes does not fit the textures of one of 3"):
        uploader.slots[0].fill(noisy_frame((64, 48), "nv12", 1))


@pytest.mark.parametrize("slots", [1, 3])
def test_another_thread_fills_what_this_one_submits(gpu: GpuContext, slots: int) -> None:
    """The filling thread runs ahead by as many frames as there are slots; every frame arrives whole and in order."""
    size = (321, 64)
    frames = [noisy_frame(size, "yuv420p", number) for number in range(24)]
    uploader = uploader_for(gpu, frames[0], slots)
    free: SimpleQueue[UploadSlot] = SimpleQueue()
    filled: SimpleQueue[UploadSlot] = SimpleQueue()
    for slot in uploader.slots:
        free.put(slot)

    def fill_all() -> None:
        for frame in frames:
            slot = free.get(timeout=gpu.timeout_s)
            slot.fill(frame)
            filled.put(slot)

    with ThreadPoolExecutor(max_workers=1) as filling:
        ended = filling.submit(fill_all)
        for frame in frames:
            slot = filled.get(timeout=gpu.timeout_s)
            encoder = gpu.device.create_command_encoder()
            uploader.record_filled(slot, encoder)
            gpu.device.queue.submit([encoder.finish()])
            uploader.submitted()
            free.put(slot)
            assert_uploaded(gpu, uploader, frame)
        ended.result()
    gpu.check()


@pytest.mark.usefixtures("gpu")
def test_nobody_writes_to_a_device_that_is_gone() -> None:
    """Memory that a device took back is unmapped: a late writer would end the process."""
    own, frame = open_device(), noisy_frame((64, 48), "yuv420p", 0)
    uploader = uploader_for(own, frame, slots=2)
    own.close()

    for slot in uploader.slots:
        with pytest.raises(DeviceLostError, match="closed while frames were uploaded"):
            slot.fill(frame)


@pytest.mark.usefixtures("gpu")
def test_closing_ends_the_wait_for_a_buffer() -> None:
    """A device that was destroyed resolves none of its maps any more."""
    own, frame = open_device(), noisy_frame((64, 48), "yuv420p", 0)
    uploader = uploader_for(own, frame, slots=1)
    encoder = own.device.create_command_encoder()
    uploader.record(frame, encoder)
    own.device.queue.submit([encoder.finish()])
    slot = uploader.slots[0]
    never: Any = SimpleNamespace(_thread_event=threading.Event())
    slot._mapping = never

    with ThreadPoolExecutor(max_workers=1) as other:
        waiting = other.submit(slot.wait)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        own.close()
        with pytest.raises(DeviceLostError, match="closed before an upload buffer came back"):
            waiting.result(own.timeout_s / 2)


@pytest.mark.usefixtures("gpu")
def test_closing_waits_for_whoever_is_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    own, frame = open_device(), noisy_frame((64, 48), "yuv420p", 0)
    slot = uploader_for(own, frame, slots=1).slots[0]
    writing, may_end = threading.Event(), threading.Event()

    def slow_copy(*_: object) -> None:
        writing.set()
        assert may_end.wait(own.timeout_s)

    monkeypatch.setattr(upload_ring, "copy_rows", slow_copy)
    with ThreadPoolExecutor(max_workers=2) as others:
        filling = others.submit(slot.fill, frame)
        assert writing.wait(own.timeout_s)
        closing = others.submit(own.close)
        with pytest.raises(TimeoutError):
            closing.result(0.2)
        may_end.set()
        filling.result(own.timeout_s)
        closing.result(own.timeout_s)


@pytest.mark.parametrize("width", [2, 10, 66, 322, 1366, 1920])
def test_a_picture_is_read_back_without_its_padding(width: int) -> None:
    """Whatever the row padding of the frame: PyAV's own, or that of an encoder."""
    layout = Nv12Layout(CanvasSize(width, 6))
    mapped = np.random.default_rng(2).integers(0, 256, layout.size_bytes + 16, dtype=np.uint8)
    rows = mapped[: layout.size_bytes].reshape(9, layout.stride_bytes)[:, :width]
    frame = av.VideoFrame(width, 6, "nv12")

    layout.copy_to_frame(mapped, frame)

    assert np.array_equal(plane_samples(frame.planes[0]), rows[:6])
    assert np.array_equal(plane_samples(frame.planes[1], 2), rows[6:])
    assert layout.stride_bytes == frame.planes[0].line_size == frame.planes[1].line_size, "a copy of one piece"
