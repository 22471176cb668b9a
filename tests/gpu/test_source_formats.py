"""Sources of every chroma format, matrix, range and siting: the drawn R'G'B' against float64 arithmetic of its own.

The oracle of `capbench.quality` reads 4:2:0 alone, so the places of chroma samples are written out here.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.shader import FusedPath, GpuPath
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Scene
from capbench.recordings import RecordingSpec, make_recording
from tests.gpu.scene_stage import Stage

FORMATS = ["yuv420p", "yuv422p", "yuv444p", "nv12"]
COLOURS = [ColourSpec(*spec) for spec in itertools.product(MatrixCoefficients, Range, ChromaSiting)]
SIZE = (192, 108)

# Each matrix has its own numbers, typed in from BT.601-7 2.5.1, BT.709-6 3.2 and BT.2020-2 table 4.
WEIGHTS = {"601": (0.299, 0.587, 0.114), "709": (0.2126, 0.7152, 0.0722), "2020": (0.2627, 0.6780, 0.0593)}

# A software adapter interpolates in whole codes: a sample of luma or chroma is up to a code off and, being cut off
# rather than rounded, leans to one side. A code of Cb is 2.1 of blue, one of luma 1.16, and the result is rounded.
INTERPOLATED_TOLERANCE_CODES = 4
INTERPOLATED_MEAN_CODES = 0.25
# Where nothing is interpolated float32 may still fall on the other side of a half.
SAMPLE_TOLERANCE_CODES = 1
SAMPLE_SHARE_EXACT = 0.999


def smooth_frame(pixel_format: str, size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """Slow waves in all components, inside the codes of limited range."""
    frame = av.VideoFrame(*size, pixel_format)
    components = [plane_samples(frame.planes[0])]
    if pixel_format == "nv12":
        chroma = plane_samples(frame.planes[1], 2)
        components += [chroma[:, 0::2], chroma[:, 1::2]]
    else:
        components += [plane_samples(plane) for plane in frame.planes[1:]]
    for number, samples in enumerate(components):
        height, width = samples.shape
        y, x = (np.arange(height) + 0.5)[:, None] / height, (np.arange(width) + 0.5)[None, :] / width
        wave = np.sin(6 * x + 2 * number) * np.cos(5 * y + number)
        samples[:] = np.rint(126 + (80 if number == 0 else 50) * wave)
    return frame


def interpolated(
    samples: NDArray[np.uint8], columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bilinear, beyond the border the edge; places are whole at a sample."""
    height, width = samples.shape
    across = np.array([np.interp(columns, np.arange(width), row) for row in samples])
    return np.array([np.interp(rows, np.arange(height), column) for column in across.T]).T


def wanted_codes(frame: av.VideoFrame, colour: ColourSpec, canvas: CanvasSize) -> NDArray[np.float64]:
    """R'G'B' codes, not rounded, shape (height, width, 3)."""
    columns = (np.arange(canvas.width) + 0.5) * frame.width / canvas.width - 0.5
    rows = (np.arange(canvas.height) + 0.5) * frame.height / canvas.height - 0.5
    name = frame.format.name
    if name == "nv12":
        pairs = plane_samples(frame.planes[1], 2)
        luma, cb, cr = plane_samples(frame.planes[0]), pairs[:, 0::2], pairs[:, 1::2]
    else:
        luma, cb, cr = (plane_samples(plane) for plane in frame.planes)
    # A chroma sample lies on the left of its two luma columns or between them, and between its two luma rows.
    chroma_columns = columns / 2 if colour.siting is ChromaSiting.LEFT else (columns - 0.5) / 2
    chroma_columns = columns if name == "yuv444p" else chroma_columns
    chroma_rows = (rows - 0.5) / 2 if name in ("yuv420p", "nv12") else rows
    offset, span, chroma_span = (16, 219, 224) if colour.range is Range.LIMITED else (0, 255, 255)
    y = (interpolated(luma, columns, rows) - offset) / span
    blue_difference = (interpolated(cb, chroma_columns, chroma_rows) - 128) / chroma_span
    red_difference = (interpolated(cr, chroma_columns, chroma_rows) - 128) / chroma_span
    kr, kg, kb = WEIGHTS[colour.matrix.value]
    red, blue = y + 2 * (1 - kr) * red_difference, y + 2 * (1 - kb) * blue_difference
    green = (y - kr * red - kb * blue) / kg
    return 255 * np.stack([red, green, blue], axis=-1).clip(0, 1)


@pytest.mark.parametrize("interleaves", [False, True], ids=["as they are", "interleaved"])
@pytest.mark.parametrize("colour", COLOURS, ids=str)
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_source_format_is_read_as_its_standard_says(
    gpu: GpuContext, pixel_format: str, colour: ColourSpec, interleaves: bool
) -> None:
    frame = smooth_frame(pixel_format)
    for canvas in (CanvasSize(*SIZE), CanvasSize(256, 144)):
        got = Stage(gpu, Scene(), frame, canvas=canvas, colour=colour, interleaves_chroma=interleaves).rgb(0.0)

        error = got - np.floor(wanted_codes(frame, colour, canvas) + 0.5)
        assert np.abs(error).max() <= INTERPOLATED_TOLERANCE_CODES
        assert abs(error.mean()) <= INTERPOLATED_MEAN_CODES
        if pixel_format == "yuv444p" and canvas == CanvasSize(*SIZE):
            assert np.abs(error).max() <= SAMPLE_TOLERANCE_CODES
            assert np.mean(error == 0) >= SAMPLE_SHARE_EXACT
        elif pixel_format != "yuv444p":
            # Half a sample is less than what interpolation loses; but it is worse everywhere.
            other = next(siting for siting in ChromaSiting if siting is not colour.siting)
            elsewhere = got - wanted_codes(frame, replace(colour, siting=other), canvas)
            here = got - wanted_codes(frame, colour, canvas)
            assert np.mean(here**2) < 0.8 * np.mean(elsewhere**2)


@pytest.mark.parametrize("name", ["fused", "gpu"])
def test_planes_and_nv12_of_the_same_samples_are_the_same_picture(gpu: GpuContext, name: str) -> None:
    """By the fused path, by the texture, and with an odd size, however they came up."""
    path: type[GpuPath | FusedPath] = FusedPath if name == "fused" else GpuPath
    planar = smooth_frame("yuv420p", (193, 109))
    nv12 = av.VideoFrame(193, 109, "nv12")
    plane_samples(nv12.planes[0])[:] = plane_samples(planar.planes[0])
    pairs = plane_samples(nv12.planes[1], 2)
    pairs[:, 0::2], pairs[:, 1::2] = plane_samples(planar.planes[1]), plane_samples(planar.planes[2])
    scene = Scene.model_validate(
        {"display": {"padding": 0.1}, "mask": [{"kind": "blur", "rectangle": (0, 0, 0.4, 0.4)}]}
    )

    def drawn(frame: av.VideoFrame, *, interleaves: bool) -> NDArray[np.uint8]:
        return Stage(gpu, scene, frame, interleaves_chroma=interleaves).nv12(0.0, path)

    apart = drawn(planar, interleaves=False)

    assert np.array_equal(drawn(planar, interleaves=True), apart)
    assert np.array_equal(drawn(nv12, interleaves=False), apart)


def test_the_planes_of_a_camera_are_read_like_those_of_the_recording(
    gpu: GpuContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera makes its own textures: three for a GPU, two for a software adapter."""
    video = make_recording(RecordingSpec("verb", 160, 90, 10, 1))
    scene = Scene.model_validate({"camera": {"source": video, "size": 0.6, "aspect": "own"}})
    pictures = []
    for is_software in (True, False):
        monkeypatch.setattr(gpu, "is_software", is_software)
        stage = Stage(gpu, scene, smooth_frame("yuv420p"))
        pictures.append(stage.rgb(0.5))
        stage.compositor.close()

    assert np.array_equal(pictures[0], pictures[1])
    assert np.ptp(pictures[0][..., 2].astype(int) - pictures[0][..., 0]) > 20, "a picture without colour shows nothing"
