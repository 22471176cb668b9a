"""Frames become planes that their tags read rightly, whatever format they come in."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.errors import ColourError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.source_colour import (
    DeclaredColour,
    FrameColour,
    PlanarConverter,
    frame_colour,
    planar_format,
)
from capbench.quality.oracle import rgb_to_nv12

GREEN = (14, 222, 4)
CLIP = Path("clip.mov")
UNTAGGED = 2
RGB_FORMATS = [
    *("rgb24", "bgr24", "gbrp", "bgr0", "0rgb", "rgba", "argb", "gbrap", "gbrp10le", "gbrp16le", "rgb48le", "rgba64le"),
    *("gbrpf32le", "x2rgb10le", "xyz12le"),
]
YUV_FORMATS = [
    *("yuv420p10le", "yuv422p10le", "yuv444p12le", "nv16", "p010le", "yuyv422", "uyvy422", "yuva420p"),
    *("yuva444p10le", "yuv440p", "yuv411p", "vuya"),
]
RGB_TOLERANCE_CODES = 1
"""libswscale's integer arithmetic."""
TOLERANCE_CODES = 2
"""libswscale's integer arithmetic, once on the way there and once back."""


def codes_of(colour: tuple[int, int, int], spec: ColourSpec) -> list[int]:
    """Y, Cb, Cr of a flat picture by the oracle."""
    luma, chroma = rgb_to_nv12(np.full((16, 16, 3), colour, np.uint8), spec)
    return [int(luma[8, 8]), *(int(code) for code in chroma[4, 4])]


def flat(pixel_format: str, height: int, colorspace: int, full: bool) -> av.VideoFrame:
    """A picture of one colour; Y'CbCr of BT.709 or BT.601 as `colorspace` says (untagged: by its height)."""
    picture = av.VideoFrame.from_ndarray(np.full((height, 64, 3), GREEN, np.uint8), format="rgb24")
    matrix = colorspace if colorspace != UNTAGGED else 1 if height >= 720 else 5
    codes = ColorRange.JPEG if full else ColorRange.MPEG
    frame = VideoReformatter().reformat(
        picture, format=pixel_format, dst_colorspace=Colorspace(matrix), dst_color_range=codes
    )
    frame.colorspace, frame.color_range = colorspace, codes
    return frame


def read_back(frame: av.VideoFrame) -> tuple[list[int], FrameColour]:
    """Codes of the middle of the planes, and how they are to be read."""
    colour = frame_colour(CLIP, frame, DeclaredColour())
    planar = planar_format(frame.format.name)
    planes = PlanarConverter().convert(frame, planar, (frame.width, frame.height), colour).planes
    return [int(plane_samples(plane)[plane.height // 2, plane.width // 2]) for plane in planes], colour


@pytest.mark.parametrize("tag", [0, 1, UNTAGGED])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("height", [96, 718, 720, 1080])
@pytest.mark.parametrize("pixel_format", RGB_FORMATS)
def test_rgb_takes_the_matrix_that_is_promised(pixel_format: str, height: int, full: bool, tag: int) -> None:
    """Swscale takes BT.601 for R'G'B' whatever the size: (14, 222, 4) came out as (0, 190, 1)."""
    frame = flat(pixel_format, height, UNTAGGED, full)
    frame.colorspace = tag

    codes, colour = read_back(frame)

    assert colour.matrix is (MatrixCoefficients.BT709 if height >= 720 else MatrixCoefficients.BT601)
    assert colour.range is Range.LIMITED
    assert codes == pytest.approx(codes_of(GREEN, ColourSpec(colour.matrix)), abs=RGB_TOLERANCE_CODES)


@pytest.mark.parametrize("tag", [1, 5, UNTAGGED])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("height", [96, 720])
@pytest.mark.parametrize("pixel_format", YUV_FORMATS)
def test_other_layouts_of_ycbcr_keep_their_codes(pixel_format: str, height: int, full: bool, tag: int) -> None:
    codes, colour = read_back(flat(pixel_format, height, tag, full))

    is_709 = tag == 1 or (tag == UNTAGGED and height >= 720)
    assert colour.matrix is (MatrixCoefficients.BT709 if is_709 else MatrixCoefficients.BT601)
    assert colour.range is (Range.FULL if full else Range.LIMITED)
    assert codes == pytest.approx(codes_of(GREEN, ColourSpec(colour.matrix, colour.range)), abs=TOLERANCE_CODES)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "gray12le", "gray16le", "ya8"])
def test_grey_keeps_its_codes(pixel_format: str, full: bool) -> None:
    frame = av.VideoFrame(64, 96, "gray")
    plane_samples(frame.planes[0])[:] = 100
    # For swscale grey has one range.
    deep = VideoReformatter().reformat(
        frame, format=pixel_format, src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.JPEG
    )
    deep.color_range = ColorRange.JPEG if full else ColorRange.MPEG

    found, colour = read_back(deep)

    assert colour.range is (Range.FULL if full else Range.LIMITED)
    assert found == pytest.approx([100, 128, 128], abs=1)


@pytest.mark.parametrize("width", [64, 62, 61])
@pytest.mark.parametrize("pixel_format", ["yuv411p", "yuv410p"])
@pytest.mark.parametrize(("siting", "first_column"), [(ChromaSiting.LEFT, 0.0), (ChromaSiting.CENTRE, 1.5)])
def test_a_quarter_of_the_columns_stays_in_its_place(
    siting: ChromaSiting, first_column: float, pixel_format: str, width: int
) -> None:
    """Chroma that rises from column to column; swscale by itself put that of DV a column further right."""
    frame = av.VideoFrame(width, 32, pixel_format)
    for plane in frame.planes:
        plane_samples(plane)[:] = 40 + 8 * np.arange(plane.width)
    colour = frame_colour(CLIP, frame, DeclaredColour())

    made = PlanarConverter().convert(frame, planar_format(pixel_format), (width, 32), colour, siting)

    assert made.format.name == "yuv422p"
    np.testing.assert_array_equal(plane_samples(made.planes[0]), plane_samples(frame.planes[0]))
    place = (0.5 if siting is ChromaSiting.CENTRE else 0.0) + 2 * np.arange(2, made.planes[1].width - 3)
    for plane in made.planes[1:]:
        rows = plane_samples(plane)[:, 2:-3]
        assert np.abs(rows - (40 + 2 * (place - first_column))).max() <= 1


def tagged(**tags: int) -> FrameColour:
    frame = av.VideoFrame(64, 96, "yuv420p")
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame_colour(CLIP, frame, DeclaredColour())


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({"colorspace": 1}, {"colorspace": 1}, True),
        ({"colorspace": 1}, {"colorspace": 6}, False),
        ({"colorspace": 5}, {"colorspace": 6}, True),  # two code points of one matrix
        ({"colorspace": 1}, {"colorspace": 2}, False),  # untagged at 96 lines is BT.601
        ({"colorspace": 6}, {"colorspace": 2}, True),
        ({"color_range": 1}, {"color_range": 2}, False),
        ({"color_range": 0}, {"color_range": 1}, True),
        ({"color_primaries": 1}, {"color_primaries": 9}, False),
        ({"color_primaries": 5}, {"color_primaries": 6}, True),
        ({"color_primaries": 1}, {"color_primaries": 2}, True),
    ],
)
def test_a_change_of_tags_counts_where_it_changes_what_samples_mean(
    first: dict[str, int], second: dict[str, int], is_same: bool
) -> None:
    assert tagged(**second).reads_like(tagged(**first)) is is_same


def declared(stated: DeclaredColour, **tags: int) -> FrameColour:
    """An untagged frame of 96 lines, but for `tags`, in a stream whose container states `stated`."""
    frame = av.VideoFrame(64, 96, "yuv420p")
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame_colour(CLIP, frame, stated)


def test_what_the_container_declares_counts_where_the_frame_is_silent() -> None:
    stated = DeclaredColour(primaries=9, transfer=1, matrix=9, range=2)

    assert declared(stated) == FrameColour(MatrixCoefficients.BT2020, Range.FULL, True, "BT.2020")
    own = declared(stated, colorspace=1, color_primaries=1, color_range=1)
    assert own == FrameColour(MatrixCoefficients.BT709, Range.LIMITED, True, "BT.709")


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_that_the_container_alone_declares_is_refused(transfer: int) -> None:
    with pytest.raises(ColourError, match="is HDR"):
        declared(DeclaredColour(transfer=transfer))


@pytest.mark.parametrize(("code", "words"), [(8, "matrix code 8"), (10, "matrix code 10")])
def test_matrices_that_are_not_supported_are_refused(code: int, words: str) -> None:
    with pytest.raises(ColourError, match=words):
        tagged(colorspace=code)


def test_interleaved_chroma_is_handed_on_as_it_is() -> None:
    assert planar_format("nv12") == "nv12"


@pytest.mark.parametrize(
    ("interleaved", "planar"), [("p010le", "yuv420p10le"), ("p210le", "yuv422p10le"), ("p012le", "yuv420p12le")]
)
def test_deep_frames_of_a_device_become_the_planes_that_software_gives(interleaved: str, planar: str) -> None:
    """Libswscale by itself makes other chroma of P010, by a code, than of planes."""
    rng = np.random.default_rng(3)
    depth = int(planar[-4:-2])
    frame = av.VideoFrame(192, 108, planar)
    for plane in frame.planes:
        samples = plane_samples(plane, 2).view("<u2")
        samples[:] = rng.integers(16 << (depth - 8), 240 << (depth - 8), samples.shape)
    device_frame = VideoReformatter().reformat(frame, format=interleaved)
    colour, wanted = frame_colour(CLIP, frame, DeclaredColour()), planar_format(planar)

    assert planar_format(interleaved) == wanted
    made, given = (PlanarConverter().convert(f, wanted, (192, 108), colour) for f in (frame, device_frame))
    for a, b in zip(made.planes, given.planes, strict=True):
        np.testing.assert_array_equal(plane_samples(a), plane_samples(b))
