"""Each conversion of the pipeline against the oracle, before any encoder: the table of exactness."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.conversion.swscale import SwscaleToNv12
from capbench.pipeline.decode.decoded_planes import plane_rows
from capbench.pipeline.gpu.device import GpuContext
from capbench.quality.oracle import compare_planes, rgb_to_nv12
from capbench.selftest.selftest_report import ConversionOutcome

__all__ = ["compare_conversions"]

_SIZE = (480, 270)  # 270 / 2 is odd, and 480 is no multiple of 256: both have broken converters before

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def compare_conversions(gpu: GpuContext | None) -> Iterator[ConversionOutcome]:
    """Every matrix, range and siting by the shader (without `gpu` left out) and by swscale, of one test picture."""
    picture = _picture()
    specs = [ColourSpec(*choice) for choice in itertools.product(MatrixCoefficients, Range, ChromaSiting)]
    if gpu is not None:
        for spec in specs:
            yield _outcome("gpu", spec, _by_shader(gpu, picture, spec), picture)
    for spec in specs:
        yield _outcome("cpu", spec, _by_swscale(picture, spec), picture)


def _outcome(path: str, spec: ColourSpec, got: Planes, picture: NDArray[np.uint8]) -> ConversionOutcome:
    agreement = compare_planes(got, rgb_to_nv12(picture, spec))
    planes = (agreement.y, agreement.cb, agreement.cr)
    return ConversionOutcome(
        path=path,
        matrix=spec.matrix.value,
        range=spec.range.value,
        siting=spec.siting.value,
        largest_error_codes=agreement.largest_error_codes,
        share_exact=agreement.share_exact,
        bias_codes=(
            planes[0].mean_signed_error_codes,
            planes[1].mean_signed_error_codes,
            planes[2].mean_signed_error_codes,
        ),
    )


def _picture() -> NDArray[np.uint8]:
    """Noise, gradients and saturated colours side by side, shape (height, width, 3)."""
    width, height = _SIZE
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(255, 0, height))
    gradient = np.dstack([across, down, (across + down) / 2]).round().astype(np.uint8)
    corners = np.array(list(itertools.product((0, 255), repeat=3)), np.uint8)
    saturated = corners[(np.arange(width)[None, :] % 7 + 3 * (np.arange(height)[:, None] % 3)) % 8]
    third = width // 6 * 2
    return np.concatenate([noise[:, :third], gradient[:, third : 2 * third], saturated[:, 2 * third :]], axis=1)


def _with_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)]))


def _by_shader(gpu: GpuContext, picture: NDArray[np.uint8], spec: ColourSpec) -> Planes:
    height, width = picture.shape[:2]
    texture = gpu.texture(width, height, "rgba8unorm", "TEXTURE_BINDING|COPY_DST", "self-test picture")
    layout = {"bytes_per_row": width * 4, "rows_per_image": height}
    gpu.device.queue.write_texture({"texture": texture}, _with_alpha(picture), layout, (width, height, 1))
    conversion = texture_to_nv12(gpu, texture, CanvasSize(width, height), spec)
    encoder = gpu.device.create_command_encoder()
    conversion.record(encoder)
    gpu.device.queue.submit([encoder.finish()])
    read = gpu.device.queue.read_buffer(conversion.buffer)
    rows = np.frombuffer(read, np.uint8).reshape(height * 3 // 2, conversion.layout.stride_bytes)[:, :width]
    return rows[:height], rows[height:].reshape(height // 2, width // 2, 2)


def _by_swscale(picture: NDArray[np.uint8], spec: ColourSpec) -> Planes:
    height, width = picture.shape[:2]
    frame = av.VideoFrame.from_ndarray(_with_alpha(picture), format="rgba")
    frame.pts = 0
    nv12 = SwscaleToNv12(width, height, spec, threads=1).convert(frame)
    luma, chroma = (plane_rows(plane)[:, :width] for plane in nv12.planes)
    return luma, chroma.reshape(height // 2, width // 2, 2)
