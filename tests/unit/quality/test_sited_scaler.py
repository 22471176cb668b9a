"""Scaling pictures of codes: chroma stays where it lies beside luma."""

from __future__ import annotations

import av
import numpy as np
import pytest

from capbench.quality.reading.planes import Planes, as_frame, planes_of
from capbench.quality.reading.sited_scaler import SitedScaler

WIDTH, HEIGHT = 64, 48


def ramps() -> Planes:
    """Codes that say at which column, or row, of luma they lie, for samples between two of luma."""
    columns = 40 + np.arange(WIDTH // 2) * 4
    rows = 40 + np.arange(HEIGHT // 2) * 4
    return Planes(
        np.tile(40 + 2 * np.arange(WIDTH), (HEIGHT, 1)).astype(np.uint8),
        np.tile(columns, (HEIGHT // 2, 1)).astype(np.uint8),
        np.tile(rows[:, None], (1, WIDTH // 2)).astype(np.uint8),
    )


@pytest.mark.parametrize("place", [(0.0, 0.0), (-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)])
def test_a_sample_shows_what_lies_at_its_place(place: tuple[float, float]) -> None:
    scaled = planes_of(SitedScaler(place)(as_frame(ramps()), 2 * WIDTH, 2 * HEIGHT))

    inside = slice(16, 32)
    for plane, axis in ((scaled.cb, 0), (scaled.cr, 1)):
        codes = (plane[8] if axis == 0 else plane[:, 8]).astype(np.float64)[inside]
        # Sample n of chroma lies at 2n + 0.5 + place of the scaled luma, which is at half of that of the given luma.
        at = (2 * np.arange(16, 32) + 0.5 + place[axis] + 0.5) / 2 - 0.5
        wanted = 40 + 4 * (at - 0.5 - place[axis]) / 2
        assert np.abs(codes - wanted).max() <= 1
        assert abs(float((codes - wanted).mean())) < 0.3  # half a pixel of luma would be 0.5


def test_luma_is_the_same_wherever_chroma_lies() -> None:
    left, middle = (SitedScaler(place)(as_frame(ramps()), 100, 40) for place in ((-0.5, 0.0), (0.0, 0.0)))

    assert np.array_equal(planes_of(left).luma, planes_of(middle).luma)


@pytest.mark.parametrize("form", ["yuv422p10le", "yuv444p10le"])
def test_what_has_chroma_at_each_row_is_scaled_as_luma(form: str) -> None:
    """Where there is as much chroma as luma it goes the same way."""
    frame = av.VideoFrame(WIDTH, HEIGHT, form)
    for plane in frame.planes:
        codes = np.tile(np.arange(plane.height, dtype="<u2")[:, None] * 8 + 64, (1, plane.line_size // 2))
        plane.update(codes.tobytes())

    scaled = SitedScaler((-0.5, 0.0))(frame, 2 * WIDTH, 2 * HEIGHT)

    luma, cb = (
        np.frombuffer(memoryview(plane), "<u2").reshape(-1, plane.line_size // 2)[: plane.height, 0].astype(int)
        for plane in scaled.planes[:2]
    )
    assert scaled.format.name == form
    assert np.array_equal(cb, luma)


def test_a_file_may_change_its_size_with_every_frame() -> None:
    scaler = SitedScaler((-0.5, 0.0))

    for side in (48, 64, 48, 80, 64):
        grey = as_frame(Planes(np.full((side, side), side, np.uint8), *(np.full((side // 2,) * 2, 128, np.uint8),) * 2))
        scaled = planes_of(scaler(grey, 100, 40))
        assert scaled.luma.shape == (40, 100)
        assert (scaled.luma == side).all()
