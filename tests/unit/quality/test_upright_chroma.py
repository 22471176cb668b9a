"""Where chroma lies in turned pictures: each layout, turn, siting and parity against ramps known everywhere."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.quality.oracle.display_turn import DisplayTurn
from capbench.quality.oracle.upright_chroma import upright_chroma_place
from capbench.quality.reading.frame_samples import chroma_ratio
from capbench.quality.reading.native.native_format import NativeFormat
from capbench.quality.reading.native.native_normaliser import NativeNormaliser
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.planes import planes_of

Grid = NDArray[np.float64]
TURNS = (*map(DisplayTurn, (0, 90, 180, 270)), DisplayTurn(0, is_mirrored=True), DisplayTurn(90, is_mirrored=True))
SPECS = (
    *(ColourSpec(siting=siting) for siting in ChromaSiting),
    ColourSpec(siting_down=-0.5),
    ColourSpec(siting=ChromaSiting.CENTRE, siting_down=0.5),
)
SIZES = ((64, 48), (63, 48), (61, 45))
INSIDE = slice(4, -4)
"""Filters repeat the outermost samples."""


def ramps(columns: Grid, rows: Grid, codes_per_px: float) -> tuple[Grid, Grid]:
    """Cb grows to the right of the upright picture and Cr downwards, from the middle of any of these sizes."""
    return codes_per_px * (columns - 30), codes_per_px * (rows - 30)


def coded(form: str, size: tuple[int, int], turn: DisplayTurn, spec: ColourSpec) -> av.VideoFrame:
    """A picture that shows those ramps once it is turned to the left, and then mirrored."""
    frame = av.VideoFrame(*size, form)
    bits = frame.format.components[0].bits
    across, down = chroma_ratio(frame)
    first = (
        0.0 if spec.siting is ChromaSiting.LEFT or across == 4 else (across - 1) / 2,
        (down - 1) / 2 + (spec.siting_down if down > 1 else 0.0),
    )
    columns, rows = np.meshgrid(
        np.arange(-(-size[0] // across)) * across + first[0], np.arange(-(-size[1] // down)) * down + first[1]
    )
    last = size[0] - 1, size[1] - 1
    # Where a coded place is seen: the last column becomes the top row of what is turned to the left.
    seen: dict[int, Callable[[Grid, Grid], tuple[Grid, Grid]]] = {
        0: lambda x, y: (x, y),
        90: lambda x, y: (y, last[0] - x),
        180: lambda x, y: (last[0] - x, last[1] - y),
        270: lambda x, y: (last[1] - y, x),
    }
    slope = 2.0 if bits == 8 else 32.0
    middle = 1 << (bits - 1)
    right, below = seen[turn.rotation_degrees](columns, rows)
    if turn.is_mirrored:
        right = (last[1] if turn.swaps_sides else last[0]) - right
    cb, cr = (middle + ramp for ramp in ramps(right, below, slope))
    planes = [np.full((size[1], size[0]), middle / 2), cb, cr]
    if frame.format.is_rgb:  # G, B, R, of which red and green are even: then Cb is half of what blue differs by
        planes = [np.full(cb.shape, float(middle)), cb, np.full(cb.shape, float(middle))]
    for plane, values in zip(frame.planes, planes, strict=True):
        kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
        padded = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        padded[:, : plane.width] = np.floor(values + 0.5).clip(0, (1 << bits) - 1)
        plane.update(padded.tobytes())
    return frame


def expected(shape: tuple[int, ...], place: tuple[float, float], slope: float) -> tuple[Grid, Grid]:
    columns, rows = np.meshgrid(2 * np.arange(shape[1]) + 0.5 + place[0], 2 * np.arange(shape[0]) + 0.5 + place[1])
    return ramps(columns, rows, slope)


@pytest.mark.parametrize("filtered_to", ChromaSiting)
@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize("form", ["yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuv411p", "yuvj422p", "nv12"])
def test_chroma_of_eight_bits_lies_where_it_is_said_to(
    form: str, turn: DisplayTurn, size: tuple[int, int], spec: ColourSpec, filtered_to: ChromaSiting
) -> None:
    if form == "yuv411p" and spec.siting is ChromaSiting.CENTRE:
        pytest.skip("a sample of four columns is read as left-sited")
    plain = "yuv420p" if form == "nv12" else form
    frame = coded(plain, size, turn, spec)
    if form == "nv12":
        frame = frame.reformat(format=form)
    place = upright_chroma_place(spec, chroma_ratio(frame), size, turn, filtered_to=filtered_to)

    planes = planes_of(Normaliser(spec, ColourSpec(siting=filtered_to), None, turn, crop=False)(frame))

    for found, want in zip((planes.cb, planes.cr), expected(planes.cb.shape, place, 2.0), strict=True):
        inside = (found - (128.0 + want))[INSIDE, INSIDE]
        assert float(np.abs(inside).max()) <= 1.0, (float(inside.mean()) / 2, place)
        assert abs(float(inside.mean())) <= 0.51


@pytest.mark.parametrize("filtered_to", ChromaSiting)
@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize("form", ["yuv420p12le", "yuv422p12le", "yuv440p12le", "yuv444p12le", "gbrp12le"])
def test_deep_chroma_lies_where_it_is_said_to(
    form: str, turn: DisplayTurn, size: tuple[int, int], spec: ColourSpec, filtered_to: ChromaSiting
) -> None:
    frame = coded(form, size, turn, spec)
    place = upright_chroma_place(spec, chroma_ratio(frame), size, turn, filtered_to=filtered_to)
    wanted = ColourSpec(siting=filtered_to)
    upright = size[::-1] if turn.swaps_sides else size
    even = upright[0] // 2 * 2, upright[1] // 2 * 2

    planes = NativeNormaliser(NativeFormat(12, (2, 2)), spec, wanted, turn, crop=True)(frame, even)

    across, down = expected(planes.cb.shape, place, 32.0)
    if frame.format.is_rgb:
        span = wanted.chroma_span_codes * 16 / 4095
        pairs = [(planes.cb, 2048 + across * span / 2)]
    else:
        pairs = [(planes.cb, 2048 + across), (planes.cr, 2048 + down)]
    for found, want in pairs:
        assert np.abs(found - want)[INSIDE, INSIDE].max() <= 1.0, place


@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize("siting", ChromaSiting)
def test_colour_at_each_column_is_put_where_the_output_has_it_however_it_is_turned(
    siting: ChromaSiting, turn: DisplayTurn
) -> None:
    across = -0.5 if siting is ChromaSiting.LEFT else 0.0

    for stated in SPECS:
        assert upright_chroma_place(stated, (1, 1), (64, 48), turn, filtered_to=siting) == (across, 0.0)


@pytest.mark.parametrize(
    ("size", "turn", "place"),
    [
        ((64, 48), DisplayTurn(90), (0.0, 0.5)),
        ((64, 48), DisplayTurn(180), (0.5, 0.0)),
        ((64, 48), DisplayTurn(270), (0.0, -0.5)),
        ((64, 48), DisplayTurn(0, is_mirrored=True), (0.5, 0.0)),
        ((64, 48), DisplayTurn(180, is_mirrored=True), (-0.5, 0.0)),
        # The last of an odd number of columns has a sample to itself, on it: turned, that is the first.
        ((63, 48), DisplayTurn(180), (-0.5, 0.0)),
        ((63, 48), DisplayTurn(90), (0.0, -0.5)),
        ((64, 47), DisplayTurn(180), (0.5, -1.0)),
    ],
)
def test_subsampled_chroma_turns_with_the_picture(
    size: tuple[int, int], turn: DisplayTurn, place: tuple[float, float]
) -> None:
    assert upright_chroma_place(ColourSpec(), (2, 2), size, turn, filtered_to=ChromaSiting.CENTRE) == place


@pytest.mark.parametrize(
    ("turn", "place"),
    [
        (DisplayTurn(0), (-0.5, -0.5)),
        (DisplayTurn(90), (-0.5, 0.5)),
        (DisplayTurn(180), (0.5, 0.5)),
        (DisplayTurn(270), (0.5, -0.5)),
        (DisplayTurn(90, is_mirrored=True), (0.5, 0.5)),
    ],
)
def test_chroma_on_the_upper_row_is_on_a_column_after_a_quarter_turn(
    turn: DisplayTurn, place: tuple[float, float]
) -> None:
    spec = ColourSpec(siting_down=-0.5)

    assert upright_chroma_place(spec, (2, 2), (64, 48), turn, filtered_to=ChromaSiting.CENTRE) == place
